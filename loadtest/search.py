"""Knows which rate to try next, and when the highest good one is found; refuses to know how a rate is tried.

A step is judged by the Wilson interval of its attainment: accepted where the lower end reaches the target, rejected
where the upper end does not, or requests pile up. In between it goes on, to three times its length, and is then
rejected as not proven. Rungs are shares of the rate at which the engine was saturated.

    sweep     climbs the rungs to the first rejected one: the whole curve, for people and the scaling profile
    bisect    halves the rungs instead, so that 4 steps do what a sweep needs up to 9 for

Both then halve the ratio of the lowest rejected to the highest accepted rate until it is at most 1.05. Beyond the
rungs they climb by a quarter, and below them they halve.

A step may end before its planned length, once its verdict is certain (`is_settled`). It is looked at when 32 requests
have ended and at each doubling, with an interval so wide that a look errs with a probability of 0.05 % to either side,
against 2.5 % at the end of a planned length (Haybittle and Peto's rule). So a rate that just misses its target is
accepted early in less than 0.01 % of all steps; at the three planned ends together in up to 4.5 %, as Wilson's interval
is an approximation and there are three (both computed exactly in the tests, for 0.95 and 0.99).

Source: spec/loadtest.md 7 (ladder, verdicts, 1.05), 21.9; J. L. Haybittle, 1971, and R. Peto and others, 1976 (interim
looks at three standard errors and more).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

from loadtest.wilson import Z_95, wilson

RUNGS = (0.2, 0.4, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.0)
"""Rates to try, as shares of the saturated rate."""
RATIO_ENOUGH = 1.05
"""Ratio of the bracket at which the search ends."""
LENGTHS_MAX = 3
"""How often as long as planned a step may become."""
STEPS_MAX = 40
"""Steps of one search; it ends there whatever it found."""
COMPLETED_RATIO = 0.95
"""Share of the offered requests that must be completed."""
LOOK_FIRST = 32
"""Ended requests at the first look at a step that goes on; each further look is at twice as many."""
Z_LOOK = NormalDist().inv_cdf(1 - 0.0005)
"""Standard deviations on either side of the interval of such a look."""

_UP, _DOWN = 1.25, 0.5
_LEAST = 0.01  # share of the saturated rate below which nothing is looked for
_GROWTH, _GROWTH_RATIO, _EXCESS = 5.0, 0.25, 0.05  # what counts as piling up (spec 6), at 5 % above the capacity


class StepVerdict(StrEnum):
    """What is known of a rate."""

    ACCEPT = "accept"
    REJECT = "reject"
    LONGER = "longer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A rate as tried so far.

    Attributes:
        rate_rps: Planned arrivals a second.
        offered: Requests of the population.
        good: Those that met every objective.
        completed: Those that ended in an answer.
        overload: Whether requests in flight kept growing.
        lengths: How many planned lengths it took so far.
    """

    rate_rps: float
    offered: int
    good: int
    completed: int
    overload: bool = False
    lengths: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """What to do.

    Attributes:
        rate_rps: The rate to try; None if the search is over.
        longer: Whether that is the last step once more, to be counted together with it.
        accepted_rps: Highest rate that is proven good; None if none is.
        rejected_rps: Lowest rejected rate above it; None if none is.
    """

    rate_rps: float | None
    longer: bool = False
    accepted_rps: float | None = None
    rejected_rps: float | None = None


def step_verdict(step: Step, target: float) -> StepVerdict:
    """Judge a rate.

    Args:
        step: As tried so far.
        target: Share of requests that must meet every objective, within (0, 1).
    """
    if step.overload or step.offered <= 0 or step.completed < COMPLETED_RATIO * step.offered:
        return StepVerdict.REJECT
    low, high = wilson(step.good, step.offered)
    if low >= target:
        return StepVerdict.ACCEPT
    return StepVerdict.REJECT if high < target or step.lengths >= LENGTHS_MAX else StepVerdict.LONGER


def is_settled(good: int, n: int, target: float, in_flight: float) -> bool:
    """Return whether a step that goes on is certain already, so that it may end.

    A good one must have gone on for so many requests that a rate 5 % above the capacity would have piled up by now.

    Args:
        good: Of the requests that have ended, those that met every objective.
        n: The requests of the plan up to the first one that has not ended: later ones are the fast ones among theirs.
        target: Share of requests that must.
        in_flight: Requests in flight, on average.
    """
    if n < LOOK_FIRST:
        return False
    low, high = wilson(good, n, Z_LOOK)
    would_show = n * _EXCESS >= max(_GROWTH, _GROWTH_RATIO * in_flight)
    return high < target or (low >= target and would_show)


def next_step(
    steps: Sequence[Step], target: float, saturated_rps: float, *, rate_rps_max: float = math.inf, bisect: bool = True
) -> Next:
    """Return what to try after these steps.

    Args:
        steps: All rates tried, each once, in order; a step that went on stands as its sum.
        target: Share of requests that must meet every objective.
        saturated_rps: Rate at which the engine was saturated, above 0: an estimate.
        rate_rps_max: Never try a higher one.
        bisect: Whether to halve the rungs; else to climb them.
    """
    if steps and step_verdict(steps[-1], target) is StepVerdict.LONGER:
        return Next(rate_rps=steps[-1].rate_rps, longer=True)
    rejected = min((one.rate_rps for one in steps if not _is_accepted(one, target)), default=None)
    accepted = max(
        (one.rate_rps for one in steps if _is_accepted(one, target) and (rejected is None or one.rate_rps < rejected)),
        default=None,
    )
    bracket = accepted or 0.0, rejected or math.inf
    rate = _between(bracket, [share * saturated_rps for share in RUNGS], bisect=bisect)
    rate = None if rate is None else min(rate, rate_rps_max)
    is_over = len(steps) >= STEPS_MAX or rate is None or rate < _LEAST * saturated_rps or rate <= bracket[0]
    return Next(rate_rps=None if is_over else rate, accepted_rps=accepted, rejected_rps=rejected)


def requests_to_accept(target: float) -> int:
    """Return the least number of requests that can prove a target, if none of them misses."""
    return math.ceil(target * Z_95**2 / (1 - target))


def knee(points: Iterable[tuple[float, float, float]]) -> float | None:
    """Return the rate with the most goodput for its time: a description, not the number to act on.

    Args:
        points: (rate, good tokens a second, median seconds from end to end) of each step.

    Returns:
        None without a point that had any goodput.
    """
    power = [(tokens / e2e_s, rate) for rate, tokens, e2e_s in points if tokens > 0 and e2e_s > 0]
    return max(power)[1] if power else None


def _is_accepted(step: Step, target: float) -> bool:
    return step_verdict(step, target) is StepVerdict.ACCEPT


def _between(bracket: tuple[float, float], rungs: Sequence[float], *, bisect: bool) -> float | None:
    """Return a rate in the open bracket; None if it is narrow enough."""
    low, high = bracket
    if high <= low * RATIO_ENOUGH:
        return None
    inside = [rung for rung in rungs if low < rung < high]
    if inside:
        return inside[(len(inside) - 1) // 2] if bisect else inside[0]
    if math.isinf(high):
        return low * _UP
    return math.sqrt(low * high) if low else high * _DOWN
