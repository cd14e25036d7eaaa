"""Knows what was left of a budget at each instant, and what will be left if it burns on; refuses to know the time.

    left    1 - bad / ((1 - target) * requests), of the period that ends at the instant
    ahead   the same, as if so many requests came from now on, and burn * (1 - target) of them were bad

Error: counts are of steps, so a period may begin up to one step late, and what people took out of a part of a step is
taken out of it evenly. Requests ahead come evenly.

Source: spec/slo.md 4 (occurrences, event weighted; adjustments); spec/ui.md 5 (slo.budget).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate

from slo import budget
from slo.adjustments import ALL_PERCENT, Segment
from slo.counts import allowed_ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """Requests by step, added up.

    Attributes:
        since_s: Start of the first step, unix time.
        step_s: Length of a step.
        known_s: Start of the first step with a request; the end of the last one without any.
        eligible: Requests that count before each step, and after the last one.
        bad: The bad of them, alike.
    """

    since_s: int
    step_s: int
    known_s: int
    eligible: Sequence[int | Fraction]
    bad: Sequence[int | Fraction]

    def over(self, start_s: int, end_s: int) -> tuple[int | Fraction, int | Fraction]:
        """Return requests and the bad of them between two instants, in whole steps."""
        first, last = self._place(start_s), self._place(end_s)
        return self.eligible[last] - self.eligible[first], self.bad[last] - self.bad[first]

    def _place(self, at_s: int) -> int:
        return min(max(0, -(-(at_s - self.since_s) // self.step_s)), len(self.eligible) - 1)


def added_up(
    rows: Sequence[tuple[int, int, int]], since_s: int, until_s: int, step_s: int, out: Sequence[Segment] = ()
) -> Spent:
    """Return counts added up.

    Args:
        rows: Start of a step, requests, the bad of them; steps without any may be absent.
        since_s: Start of the first step.
        until_s: End of the last one.
        step_s: Length of a step.
        out: What people took out.
    """
    steps = -(-(until_s - since_s) // step_s)
    eligible, bad = [Fraction(0)] * steps, [Fraction(0)] * steps
    for at_s, n, n_bad in rows:
        kept = _kept_ratio(at_s, step_s, out)
        eligible[(at_s - since_s) // step_s] += n * kept
        bad[(at_s - since_s) // step_s] += n_bad * kept
    return Spent(
        since_s=since_s,
        step_s=step_s,
        known_s=min((at_s for at_s, n, _ in rows if n), default=since_s + steps * step_s),
        eligible=(*accumulate(eligible, initial=Fraction(0)),),
        bad=(*accumulate(bad, initial=Fraction(0)),),
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


def _kept_ratio(start_s: int, step_s: int, out: Iterable[Segment]) -> Fraction:
    """Return which share of a step is left."""
    gone_s = sum(
        max(0, min(last_s, start_s + step_s) - max(first_s, start_s)) * percent for first_s, last_s, percent in out
    )
    return 1 - Fraction(gone_s, ALL_PERCENT * step_s)
