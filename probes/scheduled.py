"""Knows how one that asks becomes a probe of the loop: its turn, its interval, its rows; refuses to know what is asked.

Probes of one target take turns, so that they never load it together; the wait for a turn is part of no measurement.

Source: spec/reliability.md 5.4 (concurrency 1 per target).
"""

import asyncio
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from probes.budget import DAY_MS
from probes.finding import Finding, Subject, Word, rows
from telemetry.clock import wall_ms
from telemetry.record import RequestRecord
from telemetry.samples import ProbeResult

ENDING_S = 5.0
"""What a run may take beyond the limits of all that share its target."""

_NOTHING: Mapping[str, str] = MappingProxyType({})


class Asker(Protocol):
    """Asks one question.

    Attributes:
        limit_s: Longest time that it takes.
    """

    @property
    def limit_s(self) -> float:
        """Return the longest time."""
        ...

    async def find(self, given: Mapping[str, str]) -> Finding:
        """Ask, with texts for the `${name}` of the question; never raises for what the target does."""
        ...


class Turn:
    """The one place in front of a target.

    Attributes:
        lock: Held while asking.
        longest_s: Sum of the limits of all that wait here.
    """

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.longest_s = 0.0


class Scheduled:
    """A probe of `probes.probe`.

    Attributes:
        name: Target and probe.
        subject: What is asked.
        interval_s: Start to start.
    """

    def __init__(self, subject: Subject, asker: Asker, *, interval_s: float, turn: Turn) -> None:
        self.name = f"{subject.target}/{subject.name}"
        self.subject = subject
        self.interval_s = interval_s
        self._asker = asker
        self._turn = turn
        self._told_day = -1
        turn.longest_s += asker.limit_s

    @property
    def limit_s(self) -> float:
        """Return the longest run: everybody else's turn, then its own."""
        return self._turn.longest_s + ENDING_S

    async def ask(self) -> Sequence[ProbeResult | RequestRecord]:
        """Ask once; a day's first round that its budget forbids is told, later ones are only gaps."""
        async with self._turn.lock:
            found = await self._asker.find(_NOTHING)
        ts = wall_ms()
        if found.outcome == Word.OVER_BUDGET:
            if self._told_day == ts // DAY_MS:
                return []
            self._told_day = ts // DAY_MS
        return rows(self.subject, found, ts)

    def failed(self, reason: str) -> Sequence[ProbeResult]:
        """Return the row that says that a round gave nothing."""
        found = Finding(outcome=Word.NO_ANSWER, ok=False, detail={"reason": reason})
        return [row for row in rows(self.subject, found, wall_ms()) if isinstance(row, ProbeResult)]
