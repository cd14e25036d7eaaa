"""Knows the gaps between arrivals, with mean 1; refuses to know rates and times.

    constant   1
    Poisson    -ln(1 - u)
    Gamma k    Marsaglia and Tsang's d v, normals by Box and Muller; below k = 1 that of k + 1 times u^(1/k); over k
    Weibull s  (-ln(1 - u))^(1/s) / Gamma(1 + 1/s)

`expected_cv` is the coefficient of variation each must show: 0, 1, 1/sqrt(k), and Weibull's.

Source: spec/loadtest.md 2; G. Marsaglia, W. W. Tsang, A simple method for generating gamma variables, 2000.
"""

import math
from collections.abc import Callable, Iterator
from itertools import repeat

from loadtest.plan_spec import Process
from loadtest.random_streams import Uniform


def gaps(process: Process, shape: float | None, uniform: Uniform) -> Iterator[float]:
    """Return gaps without end.

    Args:
        process: Their law.
        shape: Of Gamma and Weibull gaps, above 0; ignored for the others.
        uniform: The stream that they are drawn from.
    """
    match process:
        case Process.CONSTANT:
            return repeat(1.0)
        case Process.POISSON:
            return _drawn(lambda: -math.log1p(-uniform()))
        case Process.GAMMA:
            return _drawn(_gamma(shape or 1.0, uniform))
        case Process.WEIBULL:
            return _drawn(_weibull(shape or 1.0, uniform))


def expected_cv(process: Process, shape: float | None) -> float:
    """Return the coefficient of variation of a law's gaps."""
    match process:
        case Process.CONSTANT:
            return 0.0
        case Process.POISSON:
            return 1.0
        case Process.GAMMA:
            return 1 / math.sqrt(shape or 1.0)
        case Process.WEIBULL:
            s = shape or 1.0
            return math.sqrt(math.expm1(math.lgamma(1 + 2 / s) - 2 * math.lgamma(1 + 1 / s)))


def _drawn(draw: Callable[[], float]) -> Iterator[float]:
    return iter(draw, None)  # without end: no gap is None


def _weibull(s: float, uniform: Uniform) -> Callable[[], float]:
    mean = math.gamma(1 + 1 / s)
    return lambda: (-math.log1p(-uniform())) ** (1 / s) / mean


def _gamma(k: float, uniform: Uniform) -> Callable[[], float]:
    if k < 1:
        larger, up, inverse = _gamma(k + 1, uniform), k + 1, 1 / k
        return lambda: larger() * up * uniform() ** inverse / k
    d = k - 1 / 3
    c = 1 / math.sqrt(9 * d)
    cos, log, log1p, sqrt, turn = math.cos, math.log, math.log1p, math.sqrt, 2 * math.pi

    def draw() -> float:
        while True:
            x = sqrt(-2 * log1p(-uniform())) * cos(turn * uniform())  # a normal number
            v = (1 + c * x) ** 3
            if v > 0 and log1p(-uniform()) <= 0.5 * x * x + d - d * v + d * log(v):
                return d * v / k

    return draw
