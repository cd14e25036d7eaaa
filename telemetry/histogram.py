"""Knows the exponential histogram that durations are kept in; refuses to know what was measured.

A histogram is a plain dict from bucket index to count: merging is adding. Scale 4, base 2^(1/16), unit seconds; bucket
i holds (2^(i/16), 2^((i+1)/16)]. Durations come in as integer microseconds.

Error: the nearest-rank quantile lies in (low, high], a bucket that is 4.43 % wide; the interpolated estimate errs by
less than +4.43 / -4.24 % at worst. An empty histogram gives None.

Source: spec/store.md 4.2 to 4.4; OpenTelemetry data model, ExponentialHistogram.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import partial
from math import ceil, isqrt, log2
from typing import NamedTuple

SCALE = 4
ZERO_KEY = -32768
"""Bucket of the measured zero."""
US_MAX = 2**32 - 1
"""Largest duration that is kept; longer ones count as this one."""

_PER_DOUBLING = 2**SCALE
_INDEX_FIRST = -319
_INDEX_LAST = 193
_INDEX_ZERO = _INDEX_FIRST - 1


class Interval(NamedTuple):
    """An estimate and the bounds that it lies in."""

    estimate: float
    low: float
    high: float


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


def quantile(h: Mapping[int, int], q: float) -> Interval | None:
    """Return the q-quantile (0 < q <= 1) in seconds, None for an empty histogram."""
    x = q * sum(h.values())
    below = 0
    for i in sorted(h):
        if below + h[i] >= x and h[i]:
            return _within(i, (x - below) / h[i])
        below += h[i]
    return None


def fraction_below(h: Mapping[int, int], s: float) -> Interval | None:
    """Return the share of durations at or below `s` seconds, None for an empty histogram."""
    n = sum(h.values())
    if not n:
        return None
    if s <= 0:
        return Interval(*[h.get(ZERO_KEY, 0) / n if s == 0 else 0.0] * 3)
    y = log2(s) * _PER_DOUBLING
    j = ceil(y) - 1
    below = sum(count for i, count in h.items() if i < j)
    inside = h.get(j, 0)
    return Interval((below + (y - j) * inside) / n, below / n, (below + inside) / n)


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
