"""Knows what was left of a budget at each instant, and what will be left if it burns on; refuses to know the time.

    left    1 - bad / ((1 - target) * requests), of the period that ends at the instant
    ahead   the same, as if so many requests came from now on, and burn * (1 - target) of them were bad

Error: counts are of steps, so a period may begin up to one step late. Requests ahead come evenly.

Source: spec/slo.md 4 (occurrences, event weighted); spec/ui.md 5 (slo.budget).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate

from slo import budget
from slo.counts import allowed_ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Requests by step, added up.

    Attributes:
        since_s: Start of the first step, unix time.
        step_s: Length of a step.
        eligible: Requests that count before each step, and after the last one.
        bad: The bad of them, alike.
    """

    since_s: int
    step_s: int
    eligible: Sequence[int]
    bad: Sequence[int]

    def over(self, start_s: int, end_s: int) -> tuple[int, int]:
        """Return requests and the bad of them between two instants, in whole steps."""
        first, last = self._place(start_s), self._place(end_s)
        return self.eligible[last] - self.eligible[first], self.bad[last] - self.bad[first]

    @property
    def known_s(self) -> int:
        """Start of the first step with a request; the end of the last one without any."""
        return self.since_s + self.step_s * sum(one == 0 for one in self.eligible[1:])

    def _place(self, at_s: int) -> int:
        return min(max(0, -(-(at_s - self.since_s) // self.step_s)), len(self.eligible) - 1)


def added_up(rows: Iterable[tuple[int, int, int]], since_s: int, until_s: int, step_s: int) -> Spent:
    """Return counts added up.

    Args:
        rows: Start of a step, requests, the bad of them; steps without any may be absent.
        since_s: Start of the first step.
        until_s: End of the last one.
        step_s: Length of a step.
    """
    steps = -(-(until_s - since_s) // step_s)
    eligible, bad = [0] * steps, [0] * steps
    for at_s, n, n_bad in rows:
        eligible[(at_s - since_s) // step_s] += n
        bad[(at_s - since_s) // step_s] += n_bad
    return Spent(
        since_s=since_s,
        step_s=step_s,
        eligible=(*accumulate(eligible, initial=0),),
        bad=(*accumulate(bad, initial=0),),
    )


def left(of: Spent, start_s: int, end_s: int, target: float) -> float | None:
    """Return what was left at the end of a period; None where it is the budget of less than one bad request."""
    n, bad = of.over(start_s, end_s)
    return budget.occurrences(n, bad, target).remaining if n * allowed_ratio(target) >= 1 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How it goes on.

    Attributes:
        at_s: The present, unix time.
        per_s: Requests a second.
        burn: Times the rate that spends the budget in exactly its period.
    """

    at_s: int
    per_s: float
    burn: float


def ahead(of: Spent, start_s: int, end_s: int, target: float, pace: Pace) -> float | None:
    """Return what will be left at the end of a period that begins before the present and ends after it."""
    n, bad = of.over(start_s, pace.at_s)
    more = pace.per_s * (end_s - max(pace.at_s, start_s))
    allowed = float(allowed_ratio(target))
    return 1 - (bad + more * pace.burn * allowed) / ((n + more) * allowed) if n + more > 0 else None


def until_spent(values: Iterable[float | None]) -> list[float | None]:
    """Return what is left up to where nothing is any more, which is 0; from there on None."""
    found: list[float | None] = []
    is_spent = False
    for value in values:
        found.append(None if is_spent or value is None else max(0.0, value))
        is_spent = is_spent or (value is not None and value <= 0)
    return found
