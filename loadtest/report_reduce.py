"""Knows how many values become as few points as a chart can show, and what must survive; refuses to know what they are.

A reduced series keeps its extremes: the least and the largest value of each bin, and both ends of a distribution. A
percentile of a bin is a gap where the bin has too few values for it.

Error: a distribution is drawn through at most `POINTS_MAX` of its own values, so between two of them its share may be
off by 1 / `POINTS_MAX`.

Source: spec/ui.md 2 (at most 1 500 points of a series), 4 (each plotted step obeys the refusal of quantiles).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from telemetry.percentile import percentile

POINTS_MAX = 160
"""Most points of a distribution."""
BINS_MAX = 120
"""Most bins of a time axis."""
DOTS_MAX = 1_200
"""Most single values of a chart."""
_WIDTHS_S = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bins:
    """Equal parts of a time axis that begins at 0: bin k reaches from k * `width_s` to (k + 1) * `width_s`."""

    width_s: float
    n: int

    def at(self, t_s: float) -> int:
        """Return the bin of a time; one outside belongs to the nearest."""
        return min(max(int(t_s / self.width_s), 0), self.n - 1)

    def middle(self, k: int) -> float:
        """Return the middle of a bin."""
        return (k + 0.5) * self.width_s


def bins(until_s: float, most: int = BINS_MAX) -> Bins:
    """Return the bins of a time axis: the narrowest round ones of which so many reach its end."""
    width_s = next((w for w in _WIDTHS_S if w * most >= until_s), until_s / most)
    return Bins(width_s=width_s, n=max(1, math.ceil(until_s / width_s)))


def steps(ordered: Sequence[float], failures: int = 0) -> list[tuple[float, float]]:
    """Return the distribution of values as (value, share of all that are not above it).

    Args:
        ordered: Finite values, ascending.
        failures: Values that are infinite: they keep the shares from reaching 1.
    """
    n, m = len(ordered) + failures, len(ordered)
    ranks = sorted({round(1 + (m - 1) * at / (POINTS_MAX - 1)) for at in range(POINTS_MAX)}) if m else []
    return [(ordered[rank - 1], rank / n) for rank in ranks]


def binned(points: Sequence[tuple[float, float]], by: Bins) -> list[list[float]]:
    """Return the values of (time, value) by bin."""
    found: list[list[float]] = [[] for _ in range(by.n)]
    for t_s, value in points:
        found[by.at(t_s)].append(value)
    return found


def quantiles(points: Sequence[tuple[float, int | None]], p_ppm: int, by: Bins) -> list[tuple[float, int | None]]:
    """Return a percentile of each bin at the bin's middle; None where it fails, or has too few values.

    Args:
        points: (time, value); a value of None is a failure, which counts as infinite.
        p_ppm: Percentile in parts per million.
        by: The bins.
    """
    good: list[list[int]] = [[] for _ in range(by.n)]
    failures = [0] * by.n
    for t_s, value in points:
        k = by.at(t_s)
        if value is None:
            failures[k] += 1
        else:
            good[k].append(value)
    return [(by.middle(k), percentile(sorted(good[k]), p_ppm, failures=failures[k]).value) for k in range(by.n)]


def thinned(points: Sequence[tuple[float, float]], most: int = DOTS_MAX) -> list[tuple[float, float]]:
    """Return at most so many points, in order of time: of each bin the least and the largest.

    Args:
        points: (time, value), ascending by time.
        most: At least 2.
    """
    if len(points) <= most:
        return list(points)
    parts = most // 2
    edges = [len(points) * at // parts for at in range(parts + 1)]
    kept: list[tuple[float, float]] = []
    for first, until in pairwise(edges):
        part = points[first:until]
        ends = {min(part, key=_value), max(part, key=_value)}
        kept += sorted(ends)
    return kept


def _value(point: tuple[float, float]) -> float:
    return point[1]
