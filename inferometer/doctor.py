"""Knows which checks there are, runs them side by side and never waits long for one; changes nothing anywhere.

What hangs (an engine, a store, a driver) costs its own findings and no other's: each group of checks has a thread and
a limit, and a thread that is late is left behind.

Source: spec/ui.md 1.2 (checks, levels, exit codes; 15 s in all).
"""

import queue
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from inferometer import (
    data_directory,
    doctor_gpu,
    doctor_host,
    doctor_ports,
    doctor_privacy,
    doctor_store,
    doctor_target,
)
from inferometer.config import load
from inferometer.config_sources import Flags
from inferometer.doctor_finding import Finding, error, exit_code, ok, text, warn
from inferometer.doctor_target import Looks
from inferometer.errors import ConfigurationError, InferometerError, UnreachableError
from telemetry.clock import monotonic_ns

LIMIT_S_MAX = 14.0
"""Longest time that a group of checks gets."""
CANARY_S_MAX = 120.0
"""Longest time of the canary test, which waits for rows and searches files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Checks that are run one after the other.

    Attributes:
        run: Runs them.
        late: What it means that they are not done in time.
        limit_s: That time.
    """

    run: Callable[[], Iterable[Finding]]
    late: Finding
    limit_s: float = LIMIT_S_MAX


@dataclass(slots=True, kw_only=True)
class _Running:
    group: Group
    thread: threading.Thread
    found: "queue.SimpleQueue[Finding]" = field(default_factory=queue.SimpleQueue[Finding])


def examine(file: Path | None, flags: Flags, looks: Looks | None = None) -> list[Finding]:
    """Run every check that the configuration allows.

    Args:
        file: Configuration file; None the usual one.
        flags: What was typed.
        looks: How closely to look at the engine; None as usual.
    """
    machine = list(doctor_host.machine())
    try:
        config = load(file, flags=flags)
    except ConfigurationError as fault:
        return [*machine, error("config.valid", fault, "correct that line")]
    data = data_directory.resolve(config.data)
    wanted = looks or Looks()
    groups = [
        Group(run=lambda: doctor_host.examine(config, data), late=_late("data.owner", "the disk")),
        Group(run=lambda: doctor_ports.examine(config, data), late=_late("net.ports", "the ports")),
        Group(run=doctor_gpu.examine, late=_late("gpu.nvml", "the driver")),
        Group(run=lambda: doctor_store.examine(config, data), late=_unreachable("store.reach", "the store")),
        Group(run=lambda: doctor_target.examine(config, wanted), late=_unreachable("target.reach", "the engine")),
    ]
    if wanted.privacy:
        late = _late("privacy.canary", "tee, store or disk", CANARY_S_MAX)
        marks = doctor_privacy.Marks.fresh()
        groups.append(Group(run=lambda: doctor_privacy.examine(config, marks), late=late, limit_s=CANARY_S_MAX))
    return [*machine, ok("config.valid", "the configuration is valid"), *run_all(groups)]


def run_all(groups: Sequence[Group]) -> list[Finding]:
    """Run groups side by side and return what they found in time, in their order."""
    running = [_started(group) for group in groups]
    began_ns = monotonic_ns()
    return [finding for one in running for finding in _ended(one, began_ns)]


def tell(findings: list[Finding], output: str, *, strict: bool = False) -> int:
    """Print the findings and return the exit code."""
    sys.stdout.write(text(findings, output))
    return exit_code(findings, strict=strict)


def _started(group: Group) -> _Running:
    found: queue.SimpleQueue[Finding] = queue.SimpleQueue()
    thread = threading.Thread(target=_work, args=(group, found), daemon=True)
    thread.start()
    return _Running(group=group, thread=thread, found=found)


def _work(group: Group, found: "queue.SimpleQueue[Finding]") -> None:
    try:
        for finding in group.run():
            found.put(finding)
    except InferometerError as fault:
        found.put(error(group.late.id, fault))
    except Exception as fault:  # noqa: BLE001 -- a fault of one check must be told, and leave the others theirs
        told = InferometerError(f"this check failed: {type(fault).__name__}: {fault}")
        found.put(error(group.late.id, told, "report this"))


def _ended(one: _Running, began_ns: int) -> list[Finding]:
    left_s = one.group.limit_s - (monotonic_ns() - began_ns) / 1e9
    one.thread.join(max(0.0, left_s))
    late = one.thread.is_alive()
    found = [one.found.get() for _ in range(one.found.qsize())]
    return [*found, one.group.late] if late else found


def _late(name: str, what: str, limit_s: float = LIMIT_S_MAX) -> Finding:
    return warn(name, f"{what} did not answer in {limit_s:.0f} s; what is missing here is not known")


def _unreachable(name: str, what: str) -> Finding:
    return error(name, UnreachableError(f"{what} did not answer all questions in {LIMIT_S_MAX:.0f} s"))
