"""Knows whether a series of figures rises for good, and how steeply; refuses to know what the figures are.

`theil_sen` is the median of the slopes between all pairs of points, which a few wild points cannot move.
`mann_kendall` counts the pairs that rise and those that fall, which no outlier can move at all.

Error: `p` is a normal approximation with continuity correction: from n = 10 on it errs by less than 0.011, and by less
than 0.003 where it is below 0.01 (against the exact distribution, without ties). Points that depend on each other make
it too small, so it decides nothing alone. Below `POINTS_MIN` points there is no answer.

Source: spec/slo.md 13 (`p99_drift`); H. B. Mann, Nonparametric tests against trend, 1945; P. K. Sen, 1968.
"""

import math
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

POINTS_MIN = 10
"""Fewer points show no trend."""
POINTS_MAX = 1_000
"""More points are refused: all pairs are looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """Whether a series rises or falls.

    Attributes:
        slope: Theil-Sen slope, in units of the values for each unit of the places.
        p: Mann-Kendall, two-sided: probability of so clear a trend in a series that has none.
    """

    slope: float
    p: float


def trend(points: Sequence[tuple[float, float]]) -> Trend | None:
    """Return the trend of a series.

    Args:
        points: Place and value, places ascending and different; missing hours are left out.

    Returns:
        None below `POINTS_MIN` points.

    Raises:
        ValueError: Places do not ascend, or there are more than `POINTS_MAX` points.
    """
    if len(points) > POINTS_MAX:
        raise ValueError(f"{len(points)} points; allowed are {POINTS_MAX}")
    if any(after[0] <= before[0] for before, after in pairwise(points)):
        raise ValueError("the places of a series must ascend")
    if len(points) < POINTS_MIN:
        return None
    return Trend(slope=theil_sen(points), p=mann_kendall([value for _, value in points]))


def theil_sen(points: Sequence[tuple[float, float]]) -> float:
    """Return the median slope between all pairs of two or more points, in the order of their places."""
    return statistics.median(
        (second[1] - first[1]) / (second[0] - first[0]) for first, second in combinations(points, 2)
    )


def mann_kendall(values: Sequence[float]) -> float:
    """Return the two-sided probability of so clear a trend by chance; 1 if all values are equal."""
    n = len(values)
    score = sum((second > first) - (second < first) for first, second in combinations(values, 2))
    ties = sum(_pairs(t) for t in Counter(values).values())
    variance = (_pairs(n) - ties) / 18
    if variance <= 0:
        return 1.0
    return math.erfc(max(0, abs(score) - 1) / math.sqrt(2 * variance))


def _pairs(t: int) -> int:
    """Return what t equal or unequal values add to, or take from, eighteen times the variance."""
    return t * (t - 1) * (2 * t + 5)
