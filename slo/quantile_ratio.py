"""Knows how far a quantile, or the ratio of two, is proven; refuses to know what was measured.

A bound of a quantile is an order statistic. For the share p those ranks k of n are kept of which

    ln B(ps + k, (1-p)s + n - k) - ln B(ps, (1-p)s) - k ln p - (n - k) ln(1-p) < ln(1/alpha),

a beta-binomial mixture turned round, with B the beta function and s the weight of the mixture, best at `N_OPT`
observations; the interval is [X_(k_lo), X_(k_hi+1)], with X_(0) = 0 and X_(n+1) = infinity. It holds however often one
looks while observations come in (a confidence sequence), so a rule may ask it every few minutes.

Values come in fine buckets, 32 to a doubling, and bounds take their outer edges, so they stay valid and are up to 2.2 %
wider. Failures are values of infinity.

`divided` compares like with like: each value is divided by an anchor of its own stratum, whose bounds are known, and
the quantile of those ratios is bounded. An anchor that is bounded on one side only leaves its stratum out, and counted.

Error: the true value lies outside with probability `ALPHA` at most, if observations are independent; requests of one
busy minute are not, and then more often. The point estimate is the middle of the bucket of the nearest rank. P99 has an
upper bound from about 800 observations on.

Source: spec/scaling.md 8.2 (formula, s = 378.8 for n_opt 3600 at alpha 0.025), 8.4 (independence).
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from telemetry.percentile import rank
from telemetry.queries.strata import PER_DOUBLING

ALPHA = 0.05
"""Probability that a bound is wrong."""
N_OPT = 3_600
"""Observations at which bounds are narrowest."""

_PPM = 1_000_000
_WEIGHT_MIN = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Observations.

    Attributes:
        counts: By fine bucket: `i` holds [2^(i/32), 2^((i+1)/32)).
        failed: Observations of infinity.
    """

    counts: Mapping[int, int]
    failed: int = 0

    @property
    def n(self) -> int:
        """Observations, failures included."""
        return sum(self.counts.values()) + self.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """An estimate, and what is proven of it; 0 and infinity say that nothing is.

    Attributes:
        low: Below it with probability alpha at most.
        point: The estimate; infinite if it falls on a failure, None without any observation.
        high: Above it with probability alpha at most.
        n: Observations behind it.
        left_out: Observations of strata that could not be compared.
    """

    low: float
    point: float | None
    high: float
    n: int
    left_out: int = 0


def quantile(sample: Sample, ppm: int, alpha: float = ALPHA) -> Bounds:
    """Return a quantile of a sample, in microseconds.

    Args:
        sample: The observations.
        ppm: Which quantile, parts per million within (0, 1,000,000).
        alpha: Probability that the interval is wrong.
    """
    return _bounded([(_ONE, sample)], ppm, alpha)


def divided(strata: Sequence[tuple[Bounds, Sample]], ppm: int, alpha: float = ALPHA) -> Bounds:
    """Return a quantile of values over the anchor of their stratum.

    Args:
        strata: The anchor and the values of each.
        ppm: Which quantile.
        alpha: Probability that the interval is wrong although the anchors are within their bounds.
    """
    compared = [(anchor, one) for anchor, one in strata if anchor.low > 0 and math.isfinite(anchor.high)]
    return replace(_bounded(compared, ppm, alpha), left_out=_n(strata) - _n(compared))


def ratio(strata: Sequence[tuple[Sample, Sample]], ppm: int, alpha: float = ALPHA) -> Bounds:
    """Return how many times a quantile now is what it was, within strata.

    The share of values above m times the quantile of their own stratum before is what it was if nothing changed,
    whatever the mix of strata is now.

    Args:
        strata: Of each, the sample before and the sample now.
        ppm: Which quantile, of both.
        alpha: Probability that the interval is wrong; half of it is shared by the anchors.
    """
    share = alpha / 2 / max(1, len(strata))
    return divided([(quantile(before, ppm, share), now) for before, now in strata], ppm, alpha / 2)


def times(first: Bounds, second: Bounds) -> Bounds:
    """Return the product of two estimates; the probabilities of being wrong add up."""
    return Bounds(
        low=first.low * second.low,
        point=None if first.point is None or second.point is None else first.point * second.point,
        high=first.high * second.high,
        n=min(first.n, second.n),
    )


def inverse(one: Bounds) -> Bounds:
    """Return one over an estimate."""
    return Bounds(
        low=1 / one.high,
        point=1 / one.point if one.point else None,
        high=1 / one.low if one.low else math.inf,
        n=one.n,
    )


def pooled(samples: Iterable[Sample]) -> Sample:
    """Return all observations together."""
    counts: dict[int, int] = {}
    failed = 0
    for one in samples:
        failed += one.failed
        for bucket, count in one.counts.items():
            counts[bucket] = counts.get(bucket, 0) + count
    return Sample(counts=counts, failed=failed)


def ranks(n: int, ppm: int, alpha: float) -> tuple[int, int]:
    """Return the least and the largest rank that are kept, within [0, n].

    The interval that they make is [X_(least), X_(largest + 1)].
    """
    p, limit = ppm / _PPM, math.log(1 / alpha)
    weight = max(_WEIGHT_MIN, N_OPT / (2 * limit + math.log(1 + 2 * limit)))

    def is_kept(k: int) -> bool:
        a, b = p * weight, (1 - p) * weight
        return _ln_beta(a + k, b + n - k) - _ln_beta(a, b) - k * math.log(p) - (n - k) * math.log1p(-p) < limit

    # The left side is convex in k and lowest near n p, so the kept ranks are one run around it.
    middle = min(n, round(n * p))
    return _edge(middle, 0, is_kept), _edge(middle, n, is_kept)


def _ln_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _edge(kept: int, end: int, is_kept: Callable[[int], bool]) -> int:
    """Return the kept rank that is nearest to an end, by halving."""
    if is_kept(end):
        return end
    dropped = end
    while abs(dropped - kept) > 1:
        middle = (dropped + kept) // 2
        kept, dropped = (middle, dropped) if is_kept(middle) else (kept, middle)
    return kept


_ONE = Bounds(low=1.0, point=1.0, high=1.0, n=0)


def _n(strata: Iterable[tuple[Bounds, Sample]]) -> int:
    return sum(one.n for _, one in strata)


def _bounded(strata: Sequence[tuple[Bounds, Sample]], ppm: int, alpha: float) -> Bounds:
    n = _n(strata)
    if not n:
        return Bounds(low=0.0, point=None, high=math.inf, n=0)
    first, last = ranks(n, ppm, alpha)
    lows = [(_us(i) / anchor.high, count) for anchor, one in strata for i, count in one.counts.items()]
    points = [(_us(i + 0.5) / (anchor.point or 1), count) for anchor, one in strata for i, count in one.counts.items()]
    highs = [(_us(i + 1) / anchor.low, count) for anchor, one in strata for i, count in one.counts.items()]
    return Bounds(
        low=_at(lows, first) if first else 0.0,
        point=_at(points, rank(ppm, n)),
        high=_at(highs, last + 1),
        n=n,
    )


def _us(i: float) -> float:
    return math.exp2(i / PER_DOUBLING)


def _at(values: list[tuple[float, int]], place: int) -> float:
    """Return the value of a rank; beyond all of them it is a failure, or unbounded."""
    for value, count in sorted(values):
        place -= count
        if place <= 0:
            return value
    return math.inf
