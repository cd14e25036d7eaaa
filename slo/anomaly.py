"""Knows when a series is far from what it usually is at this hour of the week; refuses to know what is measured.

Usual is the median of past values, and their spread the median of the distances from it (MAD), which a few wild values
cannot move; 1.4826 MAD is the standard deviation of normal values. A value is far if it is more than six of those away
from the median, more than 30 % of it, and more than what matters in the series' own unit: a series that never moves has
no spread, and any change would be far. A share of few is mostly 0 and has no spread either, but chance: one bad of 30
is 3.3 %. So the spread of a share is never taken smaller than chance makes it. A series is off if its last `INSTANTS`
values are far to the same side.

Naive: the last value is more than three standard deviations away from the mean of the hour before, which a daily rhythm
is every morning, and a level that moved an hour ago is not.

Error: of normal values 1.4826 MAD has a standard error of 34 % with 10 of them and 17 % with 48; in one case of a
hundred it is 0.29 or 0.63 of the truth, and six deviations are 1.7 or 3.8 (simulated). Three values must be that far.

Source: spec/slo.md 13 (generic `anomaly`: weekday-hour median and MAD of 4 weeks, 6*1.4826*MAD for 3 instants, > 30 %).
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

DEVIATIONS = 6.0
CHANGE_RATIO = 0.3
INSTANTS = 3
VALUES_MIN = 10
"""Past values below which nothing is usual."""

_SD_PER_MAD = 1.4826
_NAIVE_DEVIATIONS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """What a series usually is at this hour of the week.

    Attributes:
        median: The median.
        deviation: 1.4826 MAD.
    """

    median: float
    deviation: float


def usual(past: Sequence[float]) -> Usual | None:
    """Return what past values say is usual; None below `VALUES_MIN`."""
    if len(past) < VALUES_MIN:
        return None
    median = statistics.median(past)
    return Usual(median=median, deviation=_SD_PER_MAD * statistics.median(abs(one - median) for one in past))


def with_chance(of: Usual, past: Sequence[tuple[float, int]], n: int) -> Usual:
    """Return what is usual of a share, with a deviation that is at least that of chance.

    Args:
        of: What past values say.
        past: Past shares, and of how many each is.
        n: Of how many the share is now, at least 1.
    """
    total = sum(count for _, count in past)
    share = (sum(value * count for value, count in past) + 0.5) / (total + 1)
    return Usual(median=of.median, deviation=max(of.deviation, math.sqrt(share * (1 - share) / n)))


def is_off(last: Sequence[float], of: Usual, least: float, deviations: float = DEVIATIONS) -> bool:
    """Return whether a series is off.

    Args:
        last: Its last values; of more than `INSTANTS` the last ones count, fewer are never off.
        of: What is usual.
        least: The smallest change that matters, in the series' own unit.
        deviations: How many deviations are far.
    """
    limit = max(deviations * of.deviation, CHANGE_RATIO * abs(of.median), least)
    away = [one - of.median for one in last[-INSTANTS:]]
    return len(away) == INSTANTS and (min(away) > limit or max(away) < -limit)


def is_naively_off(before: Sequence[float], value: float) -> bool:
    """Return whether a value is more than three standard deviations away from the mean of those before it."""
    if len(before) < VALUES_MIN:
        return False
    return abs(value - statistics.fmean(before)) > _NAIVE_DEVIATIONS * statistics.stdev(before)
