"""Knows the exponential histogram that durations are kept in; refuses to know what was measured.

A histogram is a plain dict from bucket index to count: merging is adding. Scale 4, base 2^(1/16), unit seconds; bucket
i holds (2^(i/16), 2^((i+1)/16)]. Durations come in as integer microseconds.

Error: the nearest-rank quantile lies in (low, high], a bucket that is 4.43 % wide; the interpolated estimate errs by
less than +4.43 / -4.24 % at worst, which `Interval.error_ratio_max` says of each value, and by about 0.1 % on smooth
data. An empty histogram gives None. Failures, where a population counts them, are values of +infinity.

Source: spec/store.md 4.2 to 4.4; OpenTelemetry data model, ExponentialHistogram.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial
from math import ceil, inf, isfinite, isqrt, log2
from typing import NamedTuple

from telemetry.percentile import rank

SCALE = 4
ZERO_KEY = -32768
"""Bucket of the measured zero."""
US_MAX = 2**32 - 1
"""Largest duration that is kept; longer ones count as this one."""

_PPM = 1_000_000
_PER_DOUBLING = 2**SCALE
_INDEX_FIRST = -319
_INDEX_LAST = 193
_INDEX_ZERO = _INDEX_FIRST - 1


class Interval(NamedTuple):
    """An estimate and the bounds that it lies in."""

    estimate: float
    low: float
    high: float

    @property
    def error_ratio_max(self) -> float:
        """Largest relative error of the estimate; 0 for a value that is exact: the zero, and a failure."""
        if not self.low or not isfinite(self.high):
            return 0.0
        return max(self.high / self.estimate - 1, 1 - self.low / self.estimate)


FAILS = Interval(inf, inf, inf)
"""The quantile of a population whose rank falls on a failure."""


def index(us: int) -> int:
    """Return the bucket of a duration in microseconds, exact on every boundary; longer than `US_MAX` is clamped."""
    return bisect_left(_UPPER_US, us) + _INDEX_ZERO if us > 0 else ZERO_KEY


def upper_us(i: int) -> int:
    """Return the largest whole number of microseconds in bucket `i`."""
    if i == ZERO_KEY:
        return 0
    return US_MAX if i >= _INDEX_LAST else _UPPER_US[i - _INDEX_ZERO]


def build(values_us: Iterable[int]) -> dict[int, int]:
    """Return the histogram of durations in microseconds."""
    # Counter and map run in C: a third of the cost of a loop.
    places = Counter(map(partial(bisect_left, _UPPER_US), values_us))
    counts = {place + _INDEX_ZERO: count for place, count in places.items()}
    zeros = counts.pop(_INDEX_ZERO, 0)
    return counts | {ZERO_KEY: zeros} if zeros else counts


def merge(*parts: Mapping[int, int]) -> dict[int, int]:
    """Return the histogram of everything that the parts count."""
    total: dict[int, int] = {}
    for part in parts:
        for i, count in part.items():
            total[i] = total.get(i, 0) + count
    return total


def quantile(h: Mapping[int, int], q: float, *, failures: int = 0) -> Interval | None:
    """Return the nearest-rank quantile in seconds.

    Args:
        h: The histogram of the finite values.
        q: 0 < q <= 1, read in parts per million.
        failures: Members of the population that count as +infinity.

    Returns:
        `FAILS` if the rank falls on a failure; None for an empty population.
    """
    q_ppm = round(q * _PPM)
    n = sum(h.values()) + failures
    if not n:
        return None
    at = rank(q_ppm, n)
    below = 0
    for i in sorted(h):
        if below + h[i] >= at and h[i]:
            # The real-valued rank: an integer one would stand a half value too high within the bucket.
            return _within(i, (q_ppm * n / _PPM - below) / h[i])
        below += h[i]
    return FAILS


def fraction_below(h: Mapping[int, int], s: float, *, failures: int = 0) -> Interval | None:
    """Return the share of durations at or below `s` seconds.

    Args:
        h: The histogram of the finite values.
        s: The threshold; exact on a bucket's end.
        failures: Members of the population that are never at or below anything.

    Returns:
        None for an empty population.
    """
    n = sum(h.values()) + failures
    if not n:
        return None
    if s <= 0:
        return Interval(*[h.get(ZERO_KEY, 0) / n if s == 0 else 0.0] * 3)
    y = log2(s) * _PER_DOUBLING
    j = ceil(y) - 1
    below = sum(count for i, count in h.items() if i < j)
    inside = h.get(j, 0)
    low = below + inside if y == j + 1 else below  # at its end the whole bucket lies below
    return Interval((below + (y - j) * inside) / n, low / n, (below + inside) / n)


def _within(i: int, share: float) -> Interval:
    if i == ZERO_KEY:
        return Interval(0.0, 0.0, 0.0)
    return Interval(*(2 ** ((i + part) / _PER_DOUBLING) for part in (share, 0, 1)))


def _largest_us(i: int) -> int:
    # The largest integer v with v / 1e6 <= 2^((i+1)/16), in integers: v^16 <= 2^(i+1) * 10^96. The 16th root is four
    # square roots, each rounded down, which is exact.
    exponent = i + 1
    root = 10**96 << exponent if exponent >= 0 else 10**96 >> -exponent
    for _ in range(SCALE):
        root = isqrt(root)
    return root


# The first entry holds the zeros. The last bucket has no end here: whatever is longer falls into it.
_UPPER_US = (0, *(_largest_us(i) for i in range(_INDEX_FIRST, _INDEX_LAST)))
