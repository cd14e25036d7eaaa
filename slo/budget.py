"""Knows what is left of an error budget, by each budgeting method; refuses to know time and where counts come from.

    occurrences        sli = 1 - bad / eligible, of requests
    timeslices         the same, of slices; a slice is good if its ratio of good requests reaches the slice target
    ratio timeslices   sli = mean of the slices' ratios, each slice alike
    composite          sli = mean of the parts' slis, by weight
    remaining = 1 - (1 - sli) / (1 - target)

A slice that was seen only in part is bad as soon as what was seen of it is bad, and is never good: missing data never
counts as good. It is skipped and counted, or bad if the objective says so.

Error: none, counts are fractions until the last step; the means of ratios round once.

Source: spec/slo.md 4, 7 (`blind_policy`); OpenSLO v1, budgetingMethod and timeSliceTarget.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from slo.buckets import Slice
from slo.counts import allowed_ratio, exact

MINUTE_S = 60


class EmptySlice(StrEnum):
    """What a slice without requests is."""

    GOOD = "good"
    BAD = "bad"
    SKIP = "skip"


class BlindPolicy(StrEnum):
    """What the time is of which too little was seen."""

    EXCLUDE = "exclude"
    COUNT_BAD = "count_bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What was spent and what is left.

    Attributes:
        sli: Share that was good; None if nothing could be judged.
        remaining: Share of the budget that is left, negative if it is exceeded; None as `sli`.
        judged: Requests or slices that `sli` is made of, less what adjustments took out.
        bad: The bad of them; None where a method has no such number.
        empty: Slices that were skipped because they had no requests.
        blind: Slices of which too little was seen; skipped, unless they were to count as bad.
        sli_by_requests: The event-weighted share, where the method weighs otherwise.
    """

    sli: float | None
    remaining: float | None
    judged: float
    bad: float | None = None
    empty: int = 0
    blind: int = 0
    sli_by_requests: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhaustion:
    """When the budget is spent, if the last hour goes on.

    Attributes:
        minutes: Minutes until then; 0 if it is spent.
        bad_left: Bad requests that may still come, at the traffic counted so far.
        requests_left: Requests until then, at the bad ratio of the last hour.
    """

    minutes: float
    bad_left: float
    requests_left: float


def occurrences(eligible: int | Fraction, bad: int | Fraction, target: float) -> Budget:
    """Return the budget over requests.

    Args:
        eligible: Requests that count, those of the whole window added up.
        bad: The bad of them.
        target: Share that is to be good, within [0, 1).
    """
    return _of_parts(eligible, bad, target)


def projected_remaining(bad: float, target: float, expected: float) -> float | None:
    """Return what will be left at the end of the period if nothing bad comes any more.

    Args:
        bad: Bad requests so far.
        target: Share that is to be good.
        expected: Requests of the whole period: those so far and the expected rest.
    """
    return float(1 - exact(bad) / (allowed_ratio(target) * exact(expected))) if expected > 0 else None


def timeslices(
    slices: Iterable[Slice],
    target: float,
    slice_target: float,
    empty: EmptySlice = EmptySlice.GOOD,
    blind: BlindPolicy = BlindPolicy.EXCLUDE,
) -> Budget:
    """Return the budget over slices.

    Args:
        slices: Whole slices of the window.
        target: Share of slices that is to be good.
        slice_target: Share of a slice's requests that is to be good.
        empty: What a slice without requests is.
        blind: What a slice is that was seen only in part.
    """
    weights = {verdict: Fraction(0) for verdict in _Verdict}
    times = dict.fromkeys(_Verdict, 0)
    for one in slices:
        if one.weight:
            verdict = _verdict(one, exact(slice_target), empty)
            weights[verdict] += one.weight
            times[verdict] += 1
    bad = weights[_Verdict.BAD]
    if blind is BlindPolicy.COUNT_BAD:
        bad += weights[_Verdict.BLIND]
    budget = _of_parts(weights[_Verdict.GOOD] + bad, bad, target)
    return Budget(
        sli=budget.sli,
        remaining=budget.remaining,
        judged=budget.judged,
        bad=budget.bad,
        empty=times[_Verdict.EMPTY],
        blind=times[_Verdict.BLIND],
    )


def ratio_timeslices(slices: Iterable[Slice], target: float) -> Budget:
    """Return the budget over the mean ratio of slices, with the event-weighted share beside it.

    Empty slices and those that were seen only in part are skipped and counted.
    """
    whole = [one for one in slices if one.weight]
    judged = [one for one in whole if one.eligible and not one.blind]
    weight = float(sum(one.weight for one in judged))
    ratios = math.fsum(float(one.weight * (1 - one.bad / one.eligible)) for one in judged)
    by_requests = _of_parts(sum(one.eligible for one in judged), sum(one.bad for one in judged), target)
    return _of_sli(
        ratios / weight if judged else None,
        target,
        judged=weight,
        empty=sum(1 for one in whole if not one.eligible and not one.blind),
        blind=sum(1 for one in whole if one.blind),
        sli_by_requests=by_requests.sli,
    )


def composite(parts: Iterable[tuple[float | None, float]], target: float) -> Budget:
    """Return the budget over several objectives.

    Args:
        parts: Share that was good of each part, and its weight above 0; a part of which nothing could be judged
            carries no weight.
        target: Share that is to be good.
    """
    known = [(sli, weight) for sli, weight in parts if sli is not None]
    weight = math.fsum(weight for _, weight in known)
    sli = math.fsum(sli * weight for sli, weight in known) / weight if known else None
    return _of_sli(sli, target, judged=weight)


def exhaustion(budget: Budget, target: float, period_s: int, burn_1h: float) -> Exhaustion | None:
    """Return when the budget of `occurrences` is spent at the burn rate of the last hour.

    Returns:
        None while nothing burns or nothing could be judged: the budget is then never spent.
    """
    if budget.remaining is None or budget.bad is None or burn_1h <= 0:
        return None
    left = max(0.0, budget.remaining)
    bad_left = left * float(allowed_ratio(target)) * budget.judged
    return Exhaustion(
        minutes=left * period_s / burn_1h / MINUTE_S,
        bad_left=bad_left,
        requests_left=bad_left / (burn_1h * float(allowed_ratio(target))),
    )


class _Verdict(StrEnum):
    GOOD = "good"
    BAD = "bad"
    EMPTY = "empty"
    BLIND = "blind"


_OF_EMPTY = {EmptySlice.GOOD: _Verdict.GOOD, EmptySlice.BAD: _Verdict.BAD, EmptySlice.SKIP: _Verdict.EMPTY}


def _verdict(one: Slice, slice_target: Fraction, empty: EmptySlice) -> _Verdict:
    if one.eligible and one.eligible - one.bad < slice_target * one.eligible:
        return _Verdict.BAD
    if one.blind:
        return _Verdict.BLIND
    return _Verdict.GOOD if one.eligible else _OF_EMPTY[empty]


def _of_parts(judged: Fraction | int, bad: Fraction | int, target: float) -> Budget:
    if not judged:
        return Budget(sli=None, remaining=None, judged=0.0, bad=0.0)
    allowed = allowed_ratio(target)
    whole = judged * allowed.numerator
    left = (whole - bad * allowed.denominator) / whole  # of integers or fractions: it rounds once, or not at all
    return Budget(sli=float((judged - bad) / judged), remaining=float(left), judged=float(judged), bad=float(bad))


def _of_sli(
    sli: float | None,
    target: float,
    *,
    judged: float,
    empty: int = 0,
    blind: int = 0,
    sli_by_requests: float | None = None,
) -> Budget:
    remaining = None if sli is None else 1 - (1 - sli) / float(allowed_ratio(target))
    return Budget(
        sli=sli, remaining=remaining, judged=judged, empty=empty, blind=blind, sli_by_requests=sli_by_requests
    )
