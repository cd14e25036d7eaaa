"""Knows when each probe is due, how long it may take and what its failure looks like; refuses to know what is asked.

The one place that times, limits, isolates and reports. Every probe has a task of its own and at most one run at a
time. A run that raises, or outlives its limit, gives the rows that its probe has for a failed round; one that does not
even end when it is cancelled is left alone and its probe pauses until it does. Rounds that were missed are not made up
for.

Source: spec/reliability.md 5.4 (a hung part is a gap and stops nothing else); spec/measurement.md 15 T3.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from telemetry.clock import monotonic_ns
from telemetry.record import RequestRecord
from telemetry.samples import Sample

Row = Sample | RequestRecord
ROWS_MAX = 2_000
"""Rows of one run; the rest is cut off and counted."""
AT_ONCE_MAX = 32
"""Probes that ask at the same time; the others wait for their turn."""
PHASE_S_MAX = 10.0
"""The first runs are spread over so many seconds, or over the interval if that is shorter."""
ENDING_S = 2.0
"""Time that a cancelled run has to end."""


class Probe(Protocol):
    """Something to ask again and again.

    Attributes:
        name: For logs and counts; unique.
        interval_s: Start to start.
        limit_s: Longest run.
    """

    @property
    def name(self) -> str:
        """Return the name."""
        ...

    @property
    def interval_s(self) -> float:
        """Return the seconds from start to start."""
        ...

    @property
    def limit_s(self) -> float:
        """Return the longest run, seconds."""
        ...

    async def ask(self) -> Sequence[Row]:
        """Ask once; a failure that is an answer about the target is a row."""
        ...

    def failed(self, reason: str) -> Sequence[Row]:
        """Return the rows that say that a round gave nothing."""
        ...


Sink = Callable[[Sequence[Row]], None]
"""Takes rows; never waits, never raises."""
Tell = Callable[..., None]
"""Takes a short text and its fields."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """What became of one probe's runs.

    Attributes:
        counts: Runs by ending: `ran`, `raised`, `over_limit`; and `stuck`, `missed`, `rows_cut`.
        trouble: Why the last run failed; empty if it did not.
    """

    counts: Counter[str] = field(default_factory=Counter[str])
    trouble: str = ""


class Rounds:
    """The loop over all probes.

    Args:
        probes: What is asked.
        sink: Takes the rows.
        tell: Takes what changed: a probe began to fail, or recovered.
        random: Source of the phases.
    """

    def __init__(self, probes: Sequence[Probe], sink: Sink, tell: Tell, random: Random) -> None:
        names = [probe.name for probe in probes]
        if len(set(names)) != len(names):
            raise ValueError("two probes of one name")
        self._probes, self._sink, self._tell, self._random = probes, sink, tell, random
        self._tallies = {name: Tally() for name in names}

    @property
    def tallies(self) -> Mapping[str, Tally]:
        """What became of the runs, by probe."""
        return self._tallies

    async def run(self, stop: asyncio.Event) -> None:
        """Ask until the event is set; runs under way are cancelled then."""
        turns = asyncio.Semaphore(AT_ONCE_MAX)
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._repeat(probe, turns, group)) for probe in self._probes]
            await stop.wait()
            for task in tasks:
                task.cancel()

    async def once(self) -> None:
        """Ask every probe once, all of them at the same time."""
        turns = asyncio.Semaphore(AT_ONCE_MAX)
        async with asyncio.TaskGroup() as group:
            for probe in self._probes:
                group.create_task(self._round(probe, turns, group))

    async def _repeat(self, probe: Probe, turns: asyncio.Semaphore, group: asyncio.TaskGroup) -> None:
        due_s = _now_s() + self._random.random() * min(PHASE_S_MAX, probe.interval_s)
        while True:
            await asyncio.sleep(max(0.0, due_s - _now_s()))
            await self._round(probe, turns, group)
            missed = max(0, int((_now_s() - due_s) // probe.interval_s))
            self._tallies[probe.name].counts["missed"] += missed
            due_s += (missed + 1) * probe.interval_s

    async def _round(self, probe: Probe, turns: asyncio.Semaphore, group: asyncio.TaskGroup) -> None:
        """Run a probe once within its limit and hand on what it gave."""
        tally = self._tallies[probe.name]
        async with turns:
            run = group.create_task(self._asked(probe, tally))
            try:
                done, _ = await asyncio.wait({run}, timeout=probe.limit_s)
            except asyncio.CancelledError:
                run.cancel()
                raise
            if not done:
                await self._over_limit(probe, tally, run)

    async def _asked(self, probe: Probe, tally: Tally) -> None:
        try:
            rows = await probe.ask()
        except Exception as error:  # noqa: BLE001 -- one probe's fault must not end the others
            tally.counts["raised"] += 1
            self._troubled(probe, tally, type(error).__name__)
            return
        tally.counts["ran"] += 1
        self._hand_on(rows, tally)
        if tally.trouble:
            self._tell("probe runs again", probe=probe.name)
            tally.trouble = ""

    async def _over_limit(self, probe: Probe, tally: Tally, run: "asyncio.Task[None]") -> None:
        tally.counts["over_limit"] += 1
        self._troubled(probe, tally, f"no end within {probe.limit_s:g} s")
        run.cancel()
        done, _ = await asyncio.wait({run}, timeout=ENDING_S)
        if not done:
            tally.counts["stuck"] += 1
            await asyncio.wait({run})

    def _troubled(self, probe: Probe, tally: Tally, reason: str) -> None:
        if tally.trouble != reason:
            self._tell("probe failed", probe=probe.name, reason=reason)
            tally.trouble = reason
        self._hand_on(probe.failed(reason), tally)

    def _hand_on(self, rows: Sequence[Row], tally: Tally) -> None:
        tally.counts["rows_cut"] += max(0, len(rows) - ROWS_MAX)
        if rows:
            self._sink(rows[:ROWS_MAX])


def _now_s() -> float:
    return monotonic_ns() / 1e9
