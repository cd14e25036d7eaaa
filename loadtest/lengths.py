"""Knows the laws of lengths; refuses to know what is that long.

Each law takes one uniform number, whatever it is, so that the numbers after it stay the same when a law is changed
(common random numbers).

Source: spec/loadtest.md 2, 8.
"""

import math
from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from statistics import NormalDist

from loadtest.plan_spec import Fixed, Histogram, Length, Lognormal, Pairs, Uniform

_NORMAL = NormalDist()
_LEAST = 2.0**-54  # a normal law has no value at 0


def length_of(law: Length) -> Callable[[float], int]:
    """Return the function that gives tokens for a uniform number in [0, 1)."""
    match law:
        case Fixed():
            return lambda _: law.tokens
        case Uniform():
            return lambda u: law.low + int(u * (law.high - law.low + 1))
        case Lognormal():
            return lambda u: min(max(round(law.median * lognormal(law.sigma, u)), law.low), law.high)
        case Histogram():
            pick = picked(law.weights)
            return lambda u: law.tokens[pick(u)]


def pair_of(law: Pairs) -> Callable[[float], tuple[int, int]]:
    """Return the function that gives tokens in and out for a uniform number in [0, 1)."""
    return lambda u: law.pairs[int(u * len(law.pairs))]


def lognormal(sigma: float, u: float) -> float:
    """Return the value of a lognormal law with median 1 that a share u lies below; sigma 0 is constant."""
    return math.exp(sigma * _NORMAL.inv_cdf(max(u, _LEAST))) if sigma else 1.0


def picked(weights: tuple[float, ...]) -> Callable[[float], int]:
    """Return the function that gives an index, drawn by weight, for a uniform number in [0, 1)."""
    below = list(accumulate(weights))
    last = max(at for at, weight in enumerate(weights) if weight)  # u * total may round up to the total
    return lambda u: min(bisect_right(below, u * below[-1]), last)


def zipf(groups: int, exponent: float) -> tuple[float, ...]:
    """Return the weights of groups by rank: k^-exponent."""
    return tuple(k**-exponent for k in range(1, groups + 1))
