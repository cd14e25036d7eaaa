"""Knows shapes that durations have, as values without noise; refuses to know what they are for.

The values of a shape are its quantiles at (k + 1/2) / n, ascending, so that what a test finds is the error of what it
tests and not of a sample, and the same on every machine.

Source: sketches-py, tests/datasets.py (named shapes); spec/measurement.md 11.
"""

from collections.abc import Callable, Sequence
from math import exp, log
from statistics import NormalDist

_NORMAL = NormalDist()
_US = 1_000_000
_STEP_S = 0.0173
"""An iteration of the engine of `steps`."""


def lognormal(q: float) -> float:
    """Return seconds: median 0.25, p99 about 1.6, smooth; as TTFT is under steady load."""
    return exp(log(0.25) + 0.8 * _NORMAL.inv_cdf(q))


def bimodal(q: float) -> float:
    """Return seconds: seven tenths around 0.06 (prompts that a cache held), the rest around 1.2."""
    share, centre = (q / 0.7, 0.06) if q < 0.7 else ((q - 0.7) / 0.3, 1.2)  # noqa: PLR2004 - the share just named
    return exp(log(centre) + 0.1 * _NORMAL.inv_cdf(share))


def pareto(q: float) -> float:
    """Return seconds: from 0.05 on, with a tail so heavy that its variance is infinite; smooth."""
    return exp(log(0.05) - log(1 - q) / 1.5)


def constant(_: float) -> float:
    """Return 0.42 seconds, always: the worst case, all mass at one place of a bucket."""
    return 0.42


def steps(q: float) -> float:
    """Return seconds in multiples of an iteration plus a fixed part: an engine answers when a batch step ends."""
    return 0.004 + _STEP_S * round(lognormal(q) / _STEP_S)


SHAPES: dict[str, Callable[[float], float]] = {
    "lognormal": lognormal,
    "bimodal": bimodal,
    "pareto": pareto,
    "constant": constant,
    "steps": steps,
}
SMOOTH = frozenset({"lognormal", "pareto"})
"""Shapes with a density that changes little within a bucket."""


def values_us(shape: Callable[[float], float], n: int) -> Sequence[int]:
    """Return n values in microseconds, ascending."""
    return [round(shape((k + 0.5) / n) * _US) for k in range(n)]
