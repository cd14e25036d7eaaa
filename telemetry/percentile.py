"""Knows the nearest-rank percentile and when it may be shown; refuses to interpolate or to guess.

Integer arithmetic throughout, with p in parts per million: `ceil(0.07 * 100)` is 8 in floats. Failures count as
+infinity; if the rank falls on one, the answer is that the percentile fails.

Below `n_min` observations the answer is "n too small", with the maximum; a rank that falls on a failure fails at any n.
Below `certain_from` it is shown as uncertain.

Source: spec/measurement.md 11.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

P50, P75, P90, P95, P99, P999 = 500_000, 750_000, 900_000, 950_000, 990_000, 999_000
"""The usual percentiles, in parts per million."""

_PPM = 1_000_000
_CERTAIN_FROM = {P50: 11, P75: 24, P90: 64, P95: 130, P99: 662, P999: 6_636}


class Standing(StrEnum):
    """Whether a percentile can be said."""

    KNOWN = "known"
    FAILS = "fails"
    TOO_FEW = "n too small"


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentile:
    """The answer to one question for a percentile.

    Attributes:
        standing: Whether `value` is the percentile.
        value: The observation at the rank; None unless known.
        n: Observations, failures included.
        maximum: Largest finite observation; None without one.
    """

    standing: Standing
    value: int | None
    n: int
    maximum: int | None


def rank(p_ppm: int, n: int) -> int:
    """Return the nearest rank, counted from 1, of percentile `p_ppm` among n >= 1 observations."""
    return max(1, (p_ppm * n + _PPM - 1) // _PPM)


def nearest_rank(ordered: Sequence[int], p_ppm: int) -> int | None:
    """Return the percentile of ascending values, None if there are none; for series that have no display floor."""
    return ordered[rank(p_ppm, len(ordered)) - 1] if ordered else None


def n_min(p_ppm: int) -> int:
    """Return the least n at which percentile `p_ppm` may be shown: 1 / (1 - p), rounded up."""
    return -(-_PPM // (_PPM - p_ppm))


def certain_from(p_ppm: int) -> int:
    """Return the least n that certifies percentile `p_ppm` at 99 % confidence.

    It is the least n with P(Binomial(n, 1 - p) <= 1) <= 0.01 (LoadGen's early stopping).

    Raises:
        KeyError: It is none of the usual percentiles.
    """
    return _CERTAIN_FROM[p_ppm]


def percentile(ordered: Sequence[int], p_ppm: int, *, failures: int = 0) -> Percentile:
    """Answer for one percentile.

    Args:
        ordered: Finite observations, ascending.
        p_ppm: Percentile in parts per million, below 1 000 000.
        failures: Observations that count as +infinity.
    """
    n = len(ordered) + failures
    maximum = ordered[-1] if ordered else None
    at = rank(p_ppm, n) if n else 0
    standing = Standing.KNOWN if n >= n_min(p_ppm) else Standing.TOO_FEW
    if at > len(ordered):  # also when n is small: the rank says what fails, no value is shown
        standing = Standing.FAILS
    value = ordered[at - 1] if standing is Standing.KNOWN else None
    return Percentile(standing=standing, value=value, n=n, maximum=maximum)
