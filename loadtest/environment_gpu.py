"""Knows what GPU samples say about the surroundings of a run; refuses to know how they are read.

    throttle    thermal, power brake and slowdown bits: never before a run, in at most 1 % of its samples
    power_cap   the software power cap; its limit is in the key of the run, so it is a note
    processes   who computes on the GPUs is the engine, and nobody comes
    slices      the GPUs and the layout of MIG stay: one that is not read for 10 s, while others are, has gone
    errors      no XID, no uncorrectable memory error, no row that waits to be remapped
    clocks      what they were, for whoever compares

Source: spec/loadtest.md 11; spec/measurement.md 16; nvml.h (nvmlClocksEventReason*: 0x8 hardware slowdown, 0x20
software thermal, 0x40 hardware thermal, 0x80 power brake, 0x4 software power cap).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from loadtest.environment import Finding, State, When
from telemetry.samples import GpuRow

THROTTLE_BITS, CAP_BIT = 0xE8, 0x4
"""What makes a run void, and what is only said."""
THROTTLED_RATIO_MAX = 0.01
"""Share of a GPU's samples that may be throttled during a run."""
GONE_S = 10.0
"""A GPU or slice of which no sample came for longer, while one of another did, has gone."""
PIDS_SHOWN_MAX = 8
"""Processes that a finding names."""
_ERRORS = ("xid", "ecc_dbe", "remap_pending", "remap_failure")
_IDENTITY = frozenset({"ts", "node", "gpu_uuid", "mig_uuid", "gpu_name", "endpoint", "replica", "gpu_index", "missing"})
_READINGS = tuple(of for of in GpuRow.__struct_fields__ if of not in _IDENTITY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One reading of one GPU or slice.

    Attributes:
        row: What was read.
        pids: Who computes on it; None if the driver does not say.
    """

    row: GpuRow
    pids: frozenset[int] | None = None


class Watch:
    """What was read of the GPUs in one phase: before a run, or during it."""

    def __init__(self) -> None:
        """Wait for the first reading."""
        self.pids: set[int] = set()
        self.knows_pids = False
        self._known: dict[str, int] = {}
        self._throttled: dict[str, int] = {}
        self._capped: dict[str, int] = {}
        self.told: dict[str, dict[str, int]] = {}
        """Errors of each GPU, by name."""
        self._tells_errors = False
        self._last: dict[str, GpuRow] = {}
        self._at_ms: dict[str, int] = {}

    def took(self, look: Look) -> None:
        """Take a reading; one in which nothing could be read says nothing."""
        row = look.row
        if all(getattr(row, of) is None for of in _READINGS):
            return
        name = row.mig_uuid or row.gpu_uuid
        self._at_ms[name] = row.ts
        if look.pids is not None:
            self.knows_pids = True
            self.pids |= look.pids
        if row.throttle_bits is not None:
            self._known[name] = self._known.get(name, 0) + 1
            self._throttled[name] = self._throttled.get(name, 0) + bool(row.throttle_bits & THROTTLE_BITS)
            self._capped[name] = self._capped.get(name, 0) + bool(row.throttle_bits & CAP_BIT)
        errors = {of: value for of in _ERRORS if (value := getattr(row, of)) is not None}
        self._tells_errors |= bool(errors)
        self.told.setdefault(name, {}).update({of: value for of, value in errors.items() if value})
        if row.power_limit_w is not None:
            self._last[name] = row

    @property
    def has_any(self) -> bool:
        """Whether anything was read."""
        return bool(self._at_ms)

    @property
    def slices(self) -> frozenset[str]:
        """GPUs and slices of which samples came."""
        return frozenset(self._at_ms)

    @property
    def gone(self) -> frozenset[str]:
        """Those of which none came any more."""
        until_ms = max(self._at_ms.values(), default=0) - 1000 * GONE_S
        return frozenset(name for name, at_ms in self._at_ms.items() if at_ms < until_ms)

    @property
    def rows(self) -> Sequence[GpuRow]:
        """The last reading of each whole GPU."""
        return [self._last[name] for name in sorted(self._last)]

    def throttle(self, when: When) -> Finding:
        """Say whether heat or power held the clocks."""
        allowed = "never" if when is When.BEFORE else f"{THROTTLED_RATIO_MAX:.0%} of a GPU's samples"
        if not self._known:
            return _said("throttle", when, State.UNKNOWN, "the driver does not say", allowed)
        most = 0.0 if when is When.BEFORE else THROTTLED_RATIO_MAX
        worst = max(self._known, key=lambda name: self._throttled[name] / self._known[name])
        share = self._throttled[worst] / self._known[worst]
        found = f"{self._throttled[worst]} of {self._known[worst]} samples of {worst}"
        return _said("throttle", when, State.UNFIT if share > most else State.OK, found, allowed)

    def power_cap(self, when: When) -> Finding:
        """Say whether the power limit held the clocks."""
        if not self._known:
            return _said("power_cap", when, State.UNKNOWN, "the driver does not say", "never")
        capped, known = sum(self._capped.values()), sum(self._known.values())
        state = State.NOTE if capped else State.OK
        return _said("power_cap", when, state, f"{capped} of {known} samples", "never")

    def errors(self, when: When, before: "Watch | None" = None) -> Finding:
        """Say which errors were told; during a run those that were not there before."""
        if not self._tells_errors:
            return _said("gpu_errors", when, State.UNKNOWN, "the driver does not say", "none")
        known = before.told if before else {}
        new = [
            f"{of} {value} of {name}"
            for name, told in self.told.items()
            for of, value in told.items()
            if known.get(name, {}).get(of) != value or of == "xid"
        ]
        found = ", ".join(new) if new else "none"
        return _said("gpu_errors", when, State.UNFIT if new else State.OK, found, "none")

    def clocks(self, when: When) -> Finding:
        """Say what power limits and clocks were."""
        told = [f"{row.gpu_name} {row.power_limit_w:.0f} W, {row.sm_mhz or '?'} MHz" for row in self.rows]
        if not told:
            return _said("clocks", when, State.UNKNOWN, "the driver does not say", "those of the baseline")
        return _said("clocks", when, State.OK, "; ".join(told), "those of the baseline")


def before(watch: Watch, engine: frozenset[int] | None) -> list[Finding]:
    """Return what is said before a run.

    Args:
        watch: Readings before it.
        engine: Processes of the engine; None if they are not known.
    """
    when = When.BEFORE
    return [watch.throttle(when), watch.power_cap(when), _processes(watch, engine), watch.errors(when)]


def during(watch: Watch, was: Watch) -> list[Finding]:
    """Return what is said of a run.

    Args:
        watch: Readings during it.
        was: Readings before it.
    """
    when = When.DURING
    if not watch.has_any:
        return [_said("gpu", when, State.UNKNOWN, "no sample came", "a sample a second")]
    moved = sorted(watch.slices ^ was.slices | watch.gone)
    slices = f"came or went: {', '.join(moved)}" if moved else "as at the start"
    return [
        watch.throttle(when),
        watch.power_cap(when),
        _came(watch, was),
        _said("slices", when, State.UNFIT if moved else State.OK, slices, "GPUs and slices of the start"),
        watch.errors(when, was),
        watch.clocks(when),
    ]


def _processes(watch: Watch, engine: frozenset[int] | None) -> Finding:
    name, when, allowed = "gpu_processes", When.BEFORE, "the engine's"
    if not watch.knows_pids:
        return _said(name, when, State.UNKNOWN, "the driver does not say", allowed)
    if watch.pids and (engine is None or not watch.pids & engine):
        return _said(name, when, State.UNKNOWN, f"{_pids(watch.pids)}, of which none is known as the engine's", allowed)
    foreign = watch.pids - (engine or frozenset())
    found = f"{_pids(foreign)} of others" if foreign else "none of others"
    return _said(name, when, State.UNFIT if foreign else State.OK, found, allowed)


def _came(watch: Watch, was: Watch) -> Finding:
    name, when, allowed = "gpu_processes", When.DURING, "those of the start"
    if not (watch.knows_pids and was.knows_pids):
        return _said(name, when, State.UNKNOWN, "the driver does not say", allowed)
    new = watch.pids - was.pids
    found = f"{_pids(new)} came" if new else "nobody came"
    return _said(name, when, State.UNFIT if new else State.OK, found, allowed)


def _pids(pids: Iterable[int]) -> str:
    ordered = sorted(pids)
    more = f" and {len(ordered) - PIDS_SHOWN_MAX} more" if len(ordered) > PIDS_SHOWN_MAX else ""
    return f"process {', '.join(map(str, ordered[:PIDS_SHOWN_MAX]))}{more}"


def _said(name: str, when: When, state: State, found: str, allowed: str) -> Finding:
    return Finding(name=name, when=when, state=state, found=found, allowed=allowed)
