"""Knows what a run proves of a quantile; refuses to know what the values are.

Two statements without any assumption on the law of the values, both from the binomial law of how many fall below it:

    interval    the values at two ranks, between which the quantile lies with 95 % confidence
    certified   a bound that the quantile is not above, with 99 % confidence: sorted[n - t], t the largest count with
                P(Bin(n, 1 - p) <= t) < 1 %

Failures count as +infinity: an end that falls on one is no number (None), and says that the quantile "fails".
Requests that come together are not independent; then both are too narrow, and a gate resamples whole blocks instead.

Source: spec/measurement.md 11 (certification floors 11, 24, 64, 130, 662, 6636); LoadGen early stopping,
mlcommons/endpoints docs/early_stopping.md; H. A. David, H. N. Nagaraja, Order Statistics, 7.1.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

from loadtest.verdict import Verdict
from telemetry.percentile import rank
from telemetry.special import betainc

RISK_RATIO = 0.01
"""Probability that the quantile is above its certified bound."""

_PPM = 1_000_000
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Where a quantile lies.

    Attributes:
        low: Lower end; None if n is too small to have one, or it is a failure.
        high: Upper end; None likewise.
    """

    low: float | None
    high: float | None


def interval(ordered: Sequence[float], p_ppm: int, *, failures: int = 0, confidence: float = 0.95) -> Interval:
    """Return the interval of a quantile.

    Args:
        ordered: Finite values, ascending.
        p_ppm: Quantile in parts per million, within (0, 1 000 000).
        failures: Values that count as +infinity.
        confidence: That it holds; at least, since ranks are whole.
    """
    n, p, risk = len(ordered) + failures, p_ppm / _PPM, (1 - confidence) / 2
    # The value at rank r is above the quantile with P(Bin(n, p) < r), and below it with P(Bin(n, p) >= r).
    low = _first(n + 1, lambda r: r > 0 and _below(r, n, p) > risk) - 1
    high = _first(n + 1, lambda r: r > 0 and 1 - _below(r, n, p) <= risk)
    return Interval(low=_value(ordered, low), high=_value(ordered, high) if high <= n else None)


def certified(ordered: Sequence[float], p_ppm: int, *, failures: int = 0) -> float | None:
    """Return the bound that a quantile is proven not to be above; None if n is below its floor, or it is a failure.

    Args:
        ordered: Finite values, ascending.
        p_ppm: Quantile in parts per million, within (0, 1 000 000).
        failures: Values that count as +infinity.
    """
    n = len(ordered) + failures
    t = _spare(n, p_ppm)
    return _value(ordered, n - t + 1) if t else None


@cache
def certification_floor(p_ppm: int) -> int:
    """Return the least n at which a quantile can be certified."""
    high = 2
    while not _spare(high, p_ppm):
        high *= 2
    return _first(high, lambda n: n > 0 and _spare(n, p_ppm) > 0)


def proof(ordered: Sequence[float], p_ppm: int, limit: float, *, failures: int = 0) -> Verdict:
    """Return whether a run proves that a quantile keeps a limit: its bound does, its value does not, or neither.

    Args:
        ordered: Finite values, ascending.
        p_ppm: Quantile in parts per million.
        limit: In the unit of the values.
        failures: Values that count as +infinity.
    """
    n = len(ordered) + failures
    if n < certification_floor(p_ppm):
        return Verdict.INCONCLUSIVE
    bound, value = certified(ordered, p_ppm, failures=failures), _value(ordered, rank(p_ppm, n))
    if bound is not None and bound <= limit:
        return Verdict.PASSED
    return Verdict.FAILED if value is None or value > limit else Verdict.INCONCLUSIVE


def requests_needed(
    p_ppm: int, sigma: float, change: float, *, power: float = 0.8, metrics: int = 1, runs: int = 1
) -> int:
    """Return how many requests of each arm show a change of a quantile, for lognormal values.

    The estimate of ln q of n requests has the variance sigma^2 p (1 - p) / (n phi(z_p)^2); two arms have twice that.
    A bootstrap that draws runs before it draws inside them sees the noise inside runs a second time in how k runs of an
    arm differ, and multiplies that variance by 1 + (k - 1) / k (A. Davison, D. Hinkley, Bootstrap Methods and their
    Application, 1997, 3.8).

    Against a baseline that is known exactly, and tested on one side at 5 %, 0.39 times as many are enough: that is the
    planning table of spec/loadtest.md 13, within 8 %.

    Args:
        p_ppm: Quantile in parts per million.
        sigma: Spread of the logarithm.
        change: As a ratio less 1: 0.05 is 5 % more.
        power: Probability that it is shown.
        metrics: Number of gated metrics, each tested at 5 % over this number (the worst case of Holm's procedure).
        runs: Of each arm, which this number of requests is spread over.
    """
    z = _NORMAL.inv_cdf(1 - 0.025 / metrics) + _NORMAL.inv_cdf(power)
    return math.ceil((spread(p_ppm, sigma, runs) * z / math.log1p(change)) ** 2)


def spread(p_ppm: int, sigma: float, runs: int) -> float:
    """Return the standard error of the logarithm of how much a quantile changed, had each arm one request.

    Args:
        p_ppm: Quantile in parts per million.
        sigma: Spread of the logarithm of the values.
        runs: Of each arm.
    """
    p = p_ppm / _PPM
    twice = 1 + (runs - 1) / runs
    return sigma * math.sqrt(2 * twice * p * (1 - p)) / _NORMAL.pdf(_NORMAL.inv_cdf(p))


def _spare(n: int, p_ppm: int) -> int:
    """Return t: how many values may lie above the quantile although it is certified; 0 if n is too small."""
    p = p_ppm / _PPM
    return max(0, _first(n, lambda t: betainc(n - t, t + 1, p) >= RISK_RATIO) - 1)


def _below(r: int, n: int, p: float) -> float:
    """Return P(Bin(n, p) < r), 1 <= r <= n."""
    return 1 - betainc(r, n - r + 1, p)


def _value(ordered: Sequence[float], at: int) -> float | None:
    """Return the value at a rank from 1; None at rank 0 and beyond the finite ones."""
    return ordered[at - 1] if 0 < at <= len(ordered) else None


def _first(n: int, holds: Callable[[int], bool]) -> int:
    """Return the first of 0 .. n - 1 from which on a condition holds; n if it never does."""
    return bisect_left(range(n), 1, key=lambda at: int(holds(at)))
