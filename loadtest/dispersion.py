"""Knows how irregular arrivals are; refuses to know how they were meant to be.

    gap CV            standard deviation over mean of the gaps
    dispersion index  variance over mean of the counts in equal windows
    lag-1             correlation of each gap with the one before it
    KS distance       largest difference between the gaps' distribution and the exponential of their asked rate

Error: for exponential gaps the standard error of the CV is 1 / sqrt(n), of the index with m windows sqrt(2 / (m - 1)).
Below two gaps, or two windows, there is no value.

Source: spec/loadtest.md 2 (table).
"""

import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

WINDOW_NS = 1_000_000_000
"""Length of a window of the index, as published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispersion:
    """What is printed of every list of arrivals, planned or achieved.

    Attributes:
        n: Arrivals.
        cv: Of the gaps; None below two gaps.
        index: Of the counts in windows of 1 s; None below two windows.
    """

    n: int
    cv: float | None
    index: float | None


def dispersion(times_ns: Sequence[int]) -> Dispersion:
    """Describe arrivals, ascending; windows begin at 0 and a last one that is not whole is left out."""
    until_ns = times_ns[-1] if times_ns else 0
    return Dispersion(
        n=len(times_ns), cv=variation(gaps_between(times_ns)), index=dispersion_index(times_ns, until_ns, WINDOW_NS)
    )


def gaps_between(times: Sequence[int]) -> Sequence[float]:
    """Return the gaps, in the unit of the times; the one before the first arrival is none."""
    return array("d", (b - a for a, b in pairwise(times)))


def variation(values: Sequence[float]) -> float | None:
    """Return the coefficient of variation; None below two values or at mean 0."""
    if len(values) < 2:  # noqa: PLR2004 -- no deviation of one
        return None
    mean = fmean(values)
    return math.sqrt(_squares(values, mean) / (len(values) - 1)) / mean if mean else None


def dispersion_index(times_ns: Sequence[int], until_ns: int, window_ns: int) -> float | None:
    """Return the index over the whole windows in [0, until); None below two windows or without an arrival in them."""
    windows = until_ns // window_ns
    if windows < 2:  # noqa: PLR2004 -- no variance of one
        return None
    counts = [0] * windows
    for t_ns in times_ns:
        if 0 <= t_ns < windows * window_ns:
            counts[t_ns // window_ns] += 1
    mean = fmean(counts)
    return _squares(counts, mean) / (windows - 1) / mean if mean else None


def lag1(values: Sequence[float]) -> float | None:
    """Return the correlation of each value with the one before; None below two values or if all are equal."""
    if len(values) < 2:  # noqa: PLR2004 -- no neighbour
        return None
    mean = fmean(values)
    around = [value - mean for value in values]
    squares = sum(x * x for x in around)
    return sum(a * b for a, b in pairwise(around)) / squares if squares else None


def ks_exponential(gaps: Sequence[float], mean: float) -> float:
    """Return the Kolmogorov-Smirnov distance of at least one gap from the exponential law of a mean."""
    n = len(gaps)
    laws = [-math.expm1(-gap / mean) for gap in sorted(gaps)]
    return max(max((k + 1) / n - law, law - k / n) for k, law in enumerate(laws))


def _squares(values: Sequence[float], mean: float) -> float:
    return sum((value - mean) ** 2 for value in values)
