"""Knows how the surroundings of a run are watched from the process that started it; refuses to judge and to send load.

    before    the engine is waited for until it is idle; the GPUs and this machine are looked at
    during    a look a second at the engine's page and at the GPUs, in threads beside the run
    behind    a last look, when everything is counted

Nothing of it runs in the load processes, and nothing of it can hold a run up for longer than its bounds.

Source: spec/loadtest.md 11.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from inferometer.engine_facts import merged
from inferometer.errors import ConfigurationError
from inferometer.load_guard_engine import EngineEye
from inferometer.load_guard_gpu import GpuEye, engine_pids
from inferometer.load_guard_lines import ENGINE, GPU, Lines
from inferometer.load_key import Engine
from loadtest.environment import Finding, State, When, ordered
from loadtest.environment_client import Machine, findings
from loadtest.environment_engine import Own
from loadtest.plan import Plan
from loadtest.reuse import planned_hit_ratio
from loadtest.rows import Row
from loadtest.run_spec import IDLE_S_MAX, RunSpec
from telemetry.outcome import Outcome

_CPUS, _MEMINFO = Path("/sys/devices/system/cpu"), Path("/proc/meminfo")
_ELSEWHERE = Finding(
    name="gpu",
    when=When.BEFORE,
    state=State.UNKNOWN,
    found="the engine is on another machine",
    allowed="an engine on this one",
)


class Guard:
    """Watches the surroundings of one run; use it as a context manager.

    Args:
        run: The run.
        idle_s: Longest wait for an engine to be idle.
    """

    def __init__(self, run: RunSpec, idle_s: float = IDLE_S_MAX) -> None:
        """Know whom to watch; nothing is asked yet."""
        self._run, self._idle_s = run, idle_s
        headers = key_headers(run.key_file)
        self._engines = {url: EngineEye(url, headers) for url in run.targets}
        self._gpu = GpuEye() if all(eye.is_local for eye in self._engines.values()) else None
        self._before: list[Finding] = []
        self.files: list[Lines] = []
        """Where looks are kept, once a run has begun."""
        self.facts = Engine()
        """What the first engine and its GPUs say of themselves."""

    def __enter__(self) -> Self:
        """Nothing runs before `before`."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End threads and processes."""
        for eye in self._engines.values():
            eye.stop()
        if self._gpu is not None:
            self._gpu.stop()
        for file in self.files:
            file.close()

    def before(self) -> Sequence[Finding]:
        """Wait for idle engines, look at everything, and return what is said of it."""
        first = self._engines[self._run.targets[0]]
        self._before = [*findings(_machine(), When.BEFORE)]
        if self._gpu is not None:
            pids = engine_pids(first.port)
            self._before += self._gpu.before(pids)
            self.facts = self._gpu.facts()
        else:
            self._before.append(_ELSEWHERE)
        for url, eye in self._engines.items():
            self._before.append(self._named(url, eye.before(self._idle_s)))
        self.facts = merged(first.facts, self.facts)
        return self._before

    def began(self, start_ns: int) -> None:
        """Watch on.

        Args:
            start_ns: Start of the plan, monotonic.
        """
        directory = Path(self._run.directory)
        engine, gpu = (Lines(directory / name, start_ns) for name in (ENGINE, GPU))
        self.files = [engine, gpu]
        for eye in self._engines.values():
            eye.began(engine)
        if self._gpu is not None:
            self._gpu.began(gpu)

    def ended(self) -> None:
        """Look a last time."""
        for eye in self._engines.values():
            eye.ended()

    def findings(self, rows: Iterable[Row], plan: Plan) -> tuple[Finding, ...]:
        """Return all that is said of the surroundings, the worst first.

        Args:
            rows: What was sent; read once for each target.
            plan: Its plan.
        """
        told = list(self._before)
        if self.files:
            for url, eye in self._engines.items():
                own = own_of((row for row in rows if self._run.targets[row.arm] == url), plan)
                told += [self._named(url, one) for one in eye.findings(own)]
            told += self._gpu.findings() if self._gpu is not None else []
        if lost := sum(file.lost for file in self.files):
            said = f"{lost} lines could not be written"
            told.append(Finding(name="files", when=When.DURING, state=State.NOTE, found=said, allowed="none"))
        return ordered(told)

    def _named(self, url: str, one: Finding) -> Finding:
        return one if len(self._engines) == 1 else msgspec.structs.replace(one, name=f"{one.name} {url}")


def own_of(rows: Iterable[Row], plan: Plan) -> Own:
    """Return what we did to an engine; it may have counted all that was on a connection, however that ended."""
    answered = sent = 0
    for row in rows:
        answered += row.record.outcome is Outcome.OK
        sent += row.record.connect_us is not None
    has_turns = any(one.conversations for one in plan.spec.classes)
    return Own(answered=answered, sent=sent, hit_ratio=None if has_turns else planned_hit_ratio(plan))


def key_headers(key_file: str | None) -> dict[str, str]:
    """Return what is sent with each question to an engine.

    Raises:
        ConfigurationError: The key cannot be read.
    """
    try:
        return {"Authorization": f"Bearer {Path(key_file).read_text().strip()}"} if key_file else {}
    except OSError as error:
        raise ConfigurationError(f"--key-file: {key_file}: {error.strerror}") from None


def _machine() -> Machine:
    governors = [_text(path) for path in _CPUS.glob("cpu[0-9]*/cpufreq/scaling_governor")]
    memory = dict(line.split(":", 1) for line in _text(_MEMINFO).splitlines() if ":" in line)
    swap = [memory.get(name, "").split() for name in ("SwapTotal", "SwapFree")]
    return Machine(
        governors=frozenset(governors) if governors else None,
        load=os.getloadavg()[0],
        cores=len(os.sched_getaffinity(0)),
        swap_bytes=(int(swap[0][0]) - int(swap[1][0])) << 10 if all(swap) else None,
    )


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
