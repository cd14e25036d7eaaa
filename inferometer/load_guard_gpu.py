"""Knows how the GPUs of this machine are read before and during a run, and which processes are the engine's.

Refuses to judge, and to call the driver: the sampler's own process does that. GPUs of another machine are not read.

Source: spec/loadtest.md 11 (GPU rows), 12 (gpu_model, gpus, power limit); proc(5): /proc/PID/stat, field 4.
"""

import socket
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from threading import Event, Thread

from inferometer.doctor_ports import holders
from inferometer.load_guard_lines import Lines
from inferometer.load_key import Engine
from loadtest.environment import Finding, State, When
from loadtest.environment_gpu import Look, Watch, before, during
from probes.gpu import row_of
from probes.nvml_process import Sampler
from probes.nvml_sample import GpuSample, Place
from telemetry.clock import monotonic_ns

INTERVAL_S = 1.0
"""Between two samples of one GPU."""
FIRST_S_MAX = 10.0
"""Longest wait for the first sample of a driver."""
_STEP_S = 0.25
_STOP_S = 10.0
_PROC = Path("/proc")
_KEPT = (
    "ts", "gpu_uuid", "mig_uuid", "gpu_util_ratio", "sm_ratio", "dram_bw_ratio", "mem_used_bytes", "power_w",
    "energy_j", "sm_mhz", "throttle_bits",
)  # fmt: skip


class GpuEye:
    """Reads the GPUs of this machine; `before`, `began` and `stop` are called in this order, each once.

    Args:
        interval_s: Between two samples of one GPU.
    """

    def __init__(self, interval_s: float = INTERVAL_S) -> None:
        """Nothing runs yet."""
        self._said: list[Mapping[str, object]] = []
        self._sampler = Sampler(
            Place(node=socket.gethostname()), interval_s, self._said.append, stderr=subprocess.DEVNULL
        )
        self._was, self._now = Watch(), Watch()
        self._mine: frozenset[str] = frozenset()
        self._stop, self._thread = Event(), Thread(target=self._read_on, name="gpu-eye", daemon=True)
        self._lines: Lines | None = None

    def before(self, engine: frozenset[int] | None) -> list[Finding]:
        """Read each GPU twice, so that none is missed, and say how the engine's are; how all are if nobody knows them.

        Args:
            engine: Processes of the engine; None if they are not known.
        """
        until_ns = monotonic_ns() + round(FIRST_S_MAX * 1e9)
        looks: list[Look] = []
        while not _is_round_over(looks) and not self._said and monotonic_ns() < until_ns:
            looks += map(_look, self._sampler.step(_STEP_S))
        self._mine = frozenset(look.row.gpu_uuid for look in looks if look.pids and engine and look.pids & engine)
        self._take(looks, self._was)
        if self._was.has_any:
            return before(self._was, engine)
        why = self._said[0].get("reason", "unknown") if self._said else f"no sample in {FIRST_S_MAX:.0f} s"
        return [
            Finding(
                name="gpu",
                when=When.BEFORE,
                state=State.UNKNOWN,
                found=f"no GPU can be read ({why})",
                allowed="a driver",
            )
        ]

    def began(self, lines: Lines) -> None:
        """Read on while the run goes on; each sample becomes a line."""
        if self._was.has_any:
            self._lines = lines
            self._thread.start()

    def stop(self) -> None:
        """Read no longer."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_S)
        self._sampler.stop()

    def findings(self) -> list[Finding]:
        """Return what is said of the run."""
        return during(self._now, self._was) if self._was.has_any else []

    def facts(self) -> Engine:
        """Return what of the key is known: of the GPUs that the engine computes on, else of all if they are alike."""
        rows = self._was.rows
        models, limits = {row.gpu_name for row in rows}, {row.power_limit_w for row in rows}
        limit_w = limits.pop() if len(limits) == 1 else None
        return Engine(
            gpu_model=models.pop() if len(models) == 1 else None,
            gpus=len(self._mine) or None,
            power_limit_watts=None if limit_w is None else round(limit_w),
        )

    def _read_on(self) -> None:
        while not self._stop.is_set():
            self._take(map(_look, self._sampler.step(_STEP_S)), self._now)

    def _take(self, looks: Iterable[Look], watch: Watch) -> None:
        for look in looks:
            if self._mine and look.row.gpu_uuid not in self._mine:
                continue
            watch.took(look)
            if self._lines is not None:
                self._lines.add(monotonic_ns(), {name: getattr(look.row, name) for name in _KEPT})


def _look(sample: GpuSample) -> Look:
    pids = None if sample.processes is None else frozenset(one.pid for one in sample.processes)
    return Look(row=row_of(sample), pids=pids)


def _is_round_over(looks: Iterable[Look]) -> bool:
    seen = Counter(look.row.mig_uuid or look.row.gpu_uuid for look in looks)
    return bool(seen) and min(seen.values()) > 1


def engine_pids(port: int, proc: Path = _PROC) -> frozenset[int] | None:
    """Return who listens on a port, and every process below; None if nobody is seen there."""
    found = set(holders(port, proc))
    if not found:
        return None
    parents = _parents(proc)
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return frozenset(found)


def _parents(proc: Path) -> dict[int, int]:
    found: dict[int, int] = {}
    for path in proc.glob("[0-9]*/stat"):
        try:
            told = path.read_text(errors="replace")  # the name in it may be any bytes
            found[int(path.parent.name)] = int(told.rpartition(")")[2].split()[1])
        except OSError:  # it has ended
            continue
    return found
