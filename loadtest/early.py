"""Knows whether a step that goes on is certain already, from its rows as they come; refuses to end it.

Source: spec/loadtest.md 7 (step verdict); loadtest.search (looks).
"""

from collections.abc import Mapping

from loadtest.attainment import meets
from loadtest.plan_spec import Objectives
from loadtest.rows import Row
from loadtest.run_spec import Phase
from loadtest.search import LOOK_FIRST, is_settled


class Looker:
    """Looks at a step, at 32 ended requests and each doubling.

    Only the requests up to the first one that has not ended count: of the later ones those have ended that were fast.

    Args:
        first_j: Number of the first arrival that counts.
        limits: Objectives of each workload class.
        target: Share of requests that must meet every objective.
    """

    def __init__(self, first_j: int, limits: Mapping[str, Objectives], target: float) -> None:
        """Begin with nothing ended."""
        self._limits, self._target = limits, target
        self._next_j = first_j
        self._waiting: dict[int, Row] = {}
        self._look_at = LOOK_FIRST
        self._good = self._n = self._elapsed_us = 0
        self._first_us = 0
        self._is_settled = False

    def sees(self, row: Row) -> bool:
        """Take a row; returns whether the step is certain."""
        if row.run_phase is Phase.MEASURED and row.turn == 1 and row.record.attempt == 1:
            self._waiting[row.j] = row
        while (ended := self._waiting.pop(self._next_j, None)) is not None:
            self._next_j += 1
            self._count(ended)
        return self._is_settled

    def _count(self, row: Row) -> None:
        kept = meets(row.record, self._limits.get(row.record.workload_class, Objectives()))
        if kept is None:
            return
        self._first_us = self._first_us if self._n else row.t_sched_us
        self._n += 1
        self._good += kept
        self._elapsed_us += row.record.elapsed_us
        if self._n >= self._look_at:
            self._look_at *= 2
            in_flight = self._elapsed_us / max(1, row.t_sched_us - self._first_us)  # Little's law
            self._is_settled |= is_settled(self._good, self._n, self._target, in_flight)
