"""Knows what one reading of one GPU is, which values can be true, and what they say; refuses to know who reads them.

A field that could not be read, or that cannot be true, is None and stands in `missing` with its reason, so a gap is
never a zero. `xid` alone may be None without a reason: no error event came.

Source: spec/measurement.md 16; spec/store.md 3 (`gpu_samples`).
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum

COVERAGE_RATIO = 0.8
"""Least share of the expected samples that a mean may rest on."""
PROCESSES_MAX = 32
"""Processes that one sample names."""
THROTTLE_BITS = 0xEC
"""Software power cap, hardware slowdown, software and hardware thermal, power brake; idle is no throttling."""


class Gap(StrEnum):
    """Why a value is missing."""

    NOT_SUPPORTED = "not_supported"
    NO_PERMISSION = "no_permission"
    FUNCTION_NOT_FOUND = "function_not_found"
    OUT_OF_RANGE = "out_of_range"
    NO_DATA = "no_data"
    FIRST_SAMPLE = "first_sample"
    """The value needs two samples and this is the first."""
    COUNTERS_HELD = "counters_held"
    """Another tool holds the profiling counters."""
    WHOLE_GPU = "whole_gpu"
    """The value is one of the whole GPU, not of this slice."""
    GPU_LOST = "gpu_lost"
    RESET_REQUIRED = "reset_required"
    UNINITIALIZED = "uninitialized"
    DRIVER_NOT_LOADED = "driver_not_loaded"
    DRIVER_CHANGED = "driver_changed"
    LIBRARY_NOT_FOUND = "library_not_found"
    HUNG = "hung"
    """A call did not return within its deadline."""
    SAMPLER_ENDED = "sampler_ended"
    NO_SAMPLE = "no_sample"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuProcess:
    """A process that computes on the GPU.

    Attributes:
        pid: Process id, as the driver's own process namespace numbers it.
        used_bytes: Device memory it holds; None if the driver does not say.
    """

    pid: int
    used_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where samples come from.

    Attributes:
        node: Name of the machine or pod.
        endpoint: Endpoint whose engine runs there; empty if not known.
        replica: Replica of it; empty if not known.
    """

    node: str
    endpoint: str = ""
    replica: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which GPU, or which slice of one.

    Attributes:
        gpu_index: Number in the driver's order; it may change at a reboot.
        gpu_uuid: The key of the GPU.
        mig_uuid: The key of the slice; empty for a whole GPU.
        gpu_name: Product name.
    """

    gpu_index: int
    gpu_uuid: str
    mig_uuid: str = ""
    gpu_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuSample:
    """One reading of one GPU or slice; the columns of `gpu_samples`, then three that are not stored there.

    Attributes:
        ts: Wall clock at the reading, unix milliseconds.
        node: Machine or pod.
        gpu_uuid: Key of the GPU.
        mig_uuid: Key of the slice; empty for a whole GPU.
        gpu_name: Product name.
        endpoint: Endpoint; empty if not known.
        replica: Replica; empty if not known.
        gpu_index: Number in the driver's order.
        gpu_util_ratio: Share of time in which any kernel ran; near 1 with a single request.
        mem_busy_ratio: Share of time in which device memory was read or written.
        sm_ratio: Mean share of multiprocessors that were busy.
        sm_occ_ratio: Mean share of warp slots that were in use.
        tensor_ratio: Mean share of time in which tensor pipes worked.
        dram_bw_ratio: Device memory bandwidth used, as a share of the greatest possible.
        mem_used_bytes: Device memory in use.
        mem_total_bytes: Device memory there is.
        power_w: Draw, the driver's mean over its last window.
        power_limit_w: Limit that is enforced.
        energy_j: Counter since the driver was loaded.
        temp_c: Of the die.
        mem_temp_c: Of the memory.
        sm_mhz: Clock of the multiprocessors.
        sm_max_mhz: Greatest such clock.
        mem_mhz: Clock of the memory.
        throttle_bits: Reasons that held the clocks, as bits.
        xid: Last error event since the previous sample; None if none came.
        ecc_dbe: Double-bit memory errors since the driver was loaded.
        remap_pending: 1 if rows wait to be remapped at the next reset.
        remap_failure: 1 if a remapping failed.
        nvlink_tx_bytes: Counter over all links.
        nvlink_rx_bytes: Counter over all links.
        missing: `name: reason` of each reading that is None.
        pcie_tx_bytes: Counter; the driver may let it wrap.
        pcie_rx_bytes: Counter; the driver may let it wrap.
        processes: Who computes on the GPU, `PROCESSES_MAX` at most; None if unknown.
    """

    ts: int
    node: str
    gpu_uuid: str
    mig_uuid: str
    gpu_name: str
    endpoint: str
    replica: str
    gpu_index: int
    gpu_util_ratio: float | None = None
    mem_busy_ratio: float | None = None
    sm_ratio: float | None = None
    sm_occ_ratio: float | None = None
    tensor_ratio: float | None = None
    dram_bw_ratio: float | None = None
    mem_used_bytes: int | None = None
    mem_total_bytes: int | None = None
    power_w: float | None = None
    power_limit_w: float | None = None
    energy_j: float | None = None
    temp_c: float | None = None
    mem_temp_c: float | None = None
    sm_mhz: int | None = None
    sm_max_mhz: int | None = None
    mem_mhz: int | None = None
    throttle_bits: int | None = None
    xid: int | None = None
    ecc_dbe: int | None = None
    remap_pending: int | None = None
    remap_failure: int | None = None
    nvlink_tx_bytes: int | None = None
    nvlink_rx_bytes: int | None = None
    missing: tuple[str, ...]
    pcie_tx_bytes: int | None = None
    pcie_rx_bytes: int | None = None
    processes: tuple[GpuProcess, ...] | None = None


NOT_COLUMNS = ("pcie_tx_bytes", "pcie_rx_bytes", "processes")
"""Attributes of a sample that `gpu_samples` has no column for."""
COLUMNS = tuple(field.name for field in fields(GpuSample) if field.name not in NOT_COLUMNS)
"""The columns of `gpu_samples`, in order."""
READINGS = tuple(field.name for field in fields(GpuSample) if field.default is None)
"""What is read from the device; each of them may be missing."""

_GREATEST: Mapping[str, float] = {
    "power_w": 10_000.0,
    "power_limit_w": 10_000.0,
    "temp_c": 150.0,
    "mem_temp_c": 150.0,
    "sm_mhz": 10_000.0,
    "sm_max_mhz": 10_000.0,
    "mem_mhz": 20_000.0,
    "mem_used_bytes": 2.0**50,
    "mem_total_bytes": 2.0**50,
    "energy_j": 1e13,
    "xid": 2.0**16,
    "ecc_dbe": 2.0**32 - 1,
    "remap_pending": 1.0,
    "remap_failure": 1.0,
}
_COUNTER_GREATEST = 2.0**63
"""The driver writes all ones where it has no value."""


def possible(name: str, value: float) -> bool:
    """Return whether a reading can be true; a share above 1, a negative number and NaN cannot."""
    greatest = 1.0 if name.endswith("_ratio") else _GREATEST.get(name, _COUNTER_GREATEST)
    return math.isfinite(value) and 0 <= value <= greatest


class Readings:
    """The readings of one GPU as they come in, each with a value or a reason."""

    def __init__(self) -> None:
        self._values: dict[str, float | tuple[GpuProcess, ...]] = {}
        self._reasons: dict[str, Gap] = {}

    def put(self, name: str, value: float) -> None:
        """Take a value, if it can be true."""
        if possible(name, value):
            self._values[name] = value
        else:
            self._reasons[name] = Gap.OUT_OF_RANGE

    def put_processes(self, processes: Iterable[GpuProcess]) -> None:
        """Take who computes, the greatest holders first."""
        known = sorted(processes, key=lambda one: -(one.used_bytes or 0))
        self._values["processes"] = tuple(known[:PROCESSES_MAX])

    def lack(self, reason: Gap, *names: str) -> None:
        """Note why these readings have no value."""
        self._reasons |= dict.fromkeys(names, reason)

    def value(self, name: str) -> float | None:
        """Return a number read so far; None if there is none."""
        found = self._values.get(name)
        return None if isinstance(found, tuple) else found

    def sample(self, identity: Identity, place: Place, ts: int) -> GpuSample:
        """Return the record; a reading of which nothing was heard is named too."""
        unheard = [name for name in READINGS if name not in self._values and name != "xid"]
        reasons = dict.fromkeys(unheard, Gap.NO_DATA) | self._reasons
        missing = tuple(f"{name}: {reasons[name]}" for name in READINGS if name in reasons)
        return GpuSample(ts=ts, **asdict(place), **asdict(identity), **self._values, missing=missing)  # type: ignore[arg-type]  # names and types are those of the fields


def gap(identity: Identity, place: Place, ts: int, reason: Gap) -> GpuSample:
    """Return the record of an instant at which nothing could be read."""
    readings = Readings()
    readings.lack(reason, *READINGS)
    return readings.sample(identity, place, ts)


def encoded(sample: GpuSample) -> bytes:
    """Return the record as one line of JSON, without its end."""
    return json.dumps(asdict(sample), separators=(",", ":")).encode()


def decoded(line: bytes) -> GpuSample:
    """Return the record of a line that `encoded` made."""
    told = json.loads(line)
    told["missing"] = tuple(told["missing"])
    if told["processes"] is not None:
        told["processes"] = tuple(GpuProcess(**one) for one in told["processes"])
    return GpuSample(**told)


def throttled(bits: int | None) -> bool | None:
    """Return whether power or heat held the clocks; None if the bits are unknown."""
    return None if bits is None else bool(bits & THROTTLE_BITS)


class Band(StrEnum):
    """What a mean utilisation says; a report and a veto against scaling down, no measure of load."""

    OVER_PROVISIONED = "over_provisioned"
    LOW = "low"
    HEALTHY = "healthy"
    TIGHT = "tight"
    OVER_SUBSCRIBED = "over_subscribed"


def band(util_ratios: Iterable[float | None], expected_n: int) -> Band | None:
    """Return the band of the mean; None if less than `COVERAGE_RATIO` of the expected samples are known."""
    known = [ratio for ratio in util_ratios if ratio is not None]
    if not known or len(known) < COVERAGE_RATIO * expected_n:
        return None
    return band_of(math.fsum(known) / len(known))


def band_of(mean_ratio: float) -> Band:
    """Return the band of a mean utilisation, 0 to 1."""
    if mean_ratio < 0.50:  # noqa: PLR2004 -- the bounds of the specification, once
        return Band.OVER_PROVISIONED
    if mean_ratio < 0.70:  # noqa: PLR2004 -- as above
        return Band.LOW
    upper = ((0.90, Band.HEALTHY), (0.95, Band.TIGHT))
    return next((name for bound, name in upper if mean_ratio <= bound), Band.OVER_SUBSCRIBED)


def energy_increase_j(before_j: float | None, after_j: float | None) -> float | None:
    """Return the joules spent between two counter readings; a smaller counter has begun anew."""
    if before_j is None or after_j is None:
        return None
    return after_j if after_j < before_j else after_j - before_j


def joules_per_token(spent_j: float | None, tokens_n: int | None) -> float | None:
    """Return the energy of one token; None if either is unknown or no token came."""
    return spent_j / tokens_n if spent_j is not None and tokens_n else None
