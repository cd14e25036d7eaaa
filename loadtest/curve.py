"""Knows a rate over time, its integral and when the integral reaches a value; refuses to know what arrives.

Arrival j of a process with unit gaps g comes at the time t with integral(t) = g_1 + .. + g_j: exact for steps and
lines, so no gap is ever stretched to fit a window.

Source: spec/loadtest.md 2 (rate curves, `t_j = Lambda^-1(S_j)`).
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import pairwise

from loadtest.errors import PlanError
from loadtest.plan_spec import CurveShape


class Curve:
    """A rate curve.

    Args:
        points: (seconds, arrivals a second): the first at 0, times ascending; two points at one time are a jump. The
            last rate stays.
        shape: Whether the rate steps at a point or goes there in a line.

    Raises:
        PlanError: The points are no curve.
    """

    def __init__(self, points: Sequence[tuple[float, float]], shape: CurveShape = CurveShape.STEP) -> None:
        """Integrate up to each point."""
        if points[0][0] != 0 or any(a[0] > b[0] for a, b in pairwise(points)):
            raise PlanError(f"rate: found times {[t for t, _ in points[:5]]}.., allowed: from 0, ascending")
        if not all(math.isfinite(value) for point in points for value in point):
            raise PlanError("rate: found a point that is not finite")
        self._starts = [float(t) for t, _ in points]
        self._rates = [float(rate) for _, rate in points]
        self._slopes = [_slope(a, b, shape) for a, b in pairwise(points)] + [0.0]
        self._reached = [0.0]
        for k, (a, b) in enumerate(pairwise(self._starts)):
            self._reached.append(self._reached[k] + self._rates[k] * (b - a) + self._slopes[k] * (b - a) ** 2 / 2)

    def integral(self, t_s: float) -> float:
        """Return how many arrivals are expected in [0, t), t >= 0."""
        k = bisect_right(self._starts, t_s) - 1
        x = t_s - self._starts[k]
        return self._reached[k] + self._rates[k] * x + self._slopes[k] * x * x / 2

    def reaches(self, expected: float) -> float | None:
        """Return the first time at which the integral is `expected` > 0; None if it never gets there."""
        k = bisect_left(self._reached, expected) - 1
        y = expected - self._reached[k]
        rate, slope = self._rates[k], self._slopes[k]
        if slope:  # the usual root, without its cancellation; the last digit of a falling line may pass below 0
            return self._starts[k] + 2 * y / (rate + math.sqrt(max(0.0, rate * rate + 2 * slope * y)))
        return self._starts[k] + y / rate if rate else None


def _slope(a: tuple[float, float], b: tuple[float, float], shape: CurveShape) -> float:
    if shape is CurveShape.STEP or b[0] == a[0]:
        return 0.0
    return (b[1] - a[1]) / (b[0] - a[0])
