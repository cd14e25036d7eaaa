"""Knows how steeply a series rises, or by how much at once, and how sure that is; refuses to know what it is of.

The slope is the median of those between all pairs of points, and its interval the slopes at two ranks of them: a few
wild points move neither. (`slo.trend` has the same median for its rules; rooms do not import each other.)

Error: 95 % by the normal approximation of Kendall's score, good from ten points on; points that depend on each other
make it too narrow. Below `POINTS_MIN` points there is no answer.

A step is the median of the differences between all pairs of one value before and one behind a place, and its interval
those at two ranks of them: 99 % by the normal approximation of the rank sum, good from five values on each side on.

Source: P. K. Sen, Estimates of the regression coefficient based on Kendall's tau, 1968; J. L. Hodges and E. L. Lehmann,
Estimates of location based on rank tests, 1963; spec/loadtest.md 7 (soak).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

from loadtest.wilson import Z_95

POINTS_MIN = 10
"""Fewer points show no slope."""
SIDE_MIN = 5
"""Fewer values on one side show no step."""
POINTS_MAX = 400
"""More points are refused: all pairs are looked at."""
_Z_99 = 2.5758293035489004


@dataclass(frozen=True, slots=True, kw_only=True)
class Slope:
    """How a series rises, in units of the values for each unit of the places.

    Attributes:
        rise: Estimate.
        low: Lower end of the 95 % interval.
        high: Upper end.
        level: Value of the line at the first place.
        n: Points.
    """

    rise: float
    low: float
    high: float
    level: float
    n: int


def slope(points: Sequence[tuple[float, float]]) -> Slope | None:
    """Return the slope of a series; None below `POINTS_MIN` points.

    Args:
        points: (place, value), places different.

    Raises:
        ValueError: There are more than `POINTS_MAX` points.
    """
    n = len(points)
    if n > POINTS_MAX:
        raise ValueError(f"{n} points, allowed: {POINTS_MAX}")
    if n < POINTS_MIN:
        return None
    found = sorted((y2 - y1) / (x2 - x1) for (x1, y1), (x2, y2) in combinations(points, 2))
    away = Z_95 * math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    low, high = (int((len(found) - away) / 2), min(len(found) - 1, math.ceil((len(found) + away) / 2)))
    rise, first = median(found), min(x for x, _ in points)
    level = median(y - rise * (x - first) for x, y in points)
    return Slope(rise=rise, low=found[max(0, low)], high=found[high], level=level, n=n)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rise:
    """By how much a series rises at once.

    Attributes:
        size: Estimate, in units of the values.
        low: Lower end of the 99 % interval.
        high: Upper end.
    """

    size: float
    low: float
    high: float


def step(before: Sequence[float], behind: Sequence[float]) -> Rise | None:
    """Return the rise from some values to others; None if either are fewer than `SIDE_MIN`.

    Raises:
        ValueError: There are more than `POINTS_MAX` values.
    """
    n, m = len(before), len(behind)
    if n + m > POINTS_MAX:
        raise ValueError(f"{n + m} values, allowed: {POINTS_MAX}")
    if min(n, m) < SIDE_MIN:
        return None
    found = sorted(late - early for late in behind for early in before)
    away = _Z_99 * math.sqrt(n * m * (n + m + 1) / 12)
    low, high = max(0, int(n * m / 2 - away)), min(n * m - 1, math.ceil(n * m / 2 + away))
    return Rise(size=median(found), low=found[low], high=found[high])
