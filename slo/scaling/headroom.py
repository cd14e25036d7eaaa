"""Knows how much more than the forecast to plan for, learnt from how often forecasts were too low; refuses to forecast.

Once a minute, when a forecast falls due,

    h <- clip(h exp(gamma (1[actual > h forecast] - alpha)), 1, 2),  alpha = clip(0.10 budget_left, 0.01, 0.10)

so that in the long run the share alpha of forecasts is exceeded: the less error budget is left, the fewer.

Error: the share of misses over n minutes is within ln 2 / (gamma n) of the mean alpha while h is inside its bounds
(13.9 / n at gamma 0.05). With an unknown budget alpha is the smallest.

Source: spec/scaling.md 6.5; I. Gibbs, E. Candes, Adaptive conformal inference under distribution shift, 2021.
"""

import math

START = 1.25
"""Where it begins: P95 of actual over forecast ten minutes ahead is 1.19 to 1.38 in the traces of ServeGen."""
BOUNDS = (1.0, 2.0)

_GAMMA = 0.05
_BUDGET_SHARE = 0.10
_MISS_BOUNDS = (0.01, 0.10)


def miss_ratio(budget_left_ratio: float | None) -> float:
    """Return alpha, the share of forecasts that may be exceeded."""
    low, high = _MISS_BOUNDS
    return low if budget_left_ratio is None else min(max(_BUDGET_SHARE * budget_left_ratio, low), high)


def learnt(headroom: float, missed: bool, budget_left_ratio: float | None) -> float:  # noqa: FBT001 - a fact, not a switch
    """Return the headroom after one more forecast fell due.

    Args:
        headroom: h before.
        missed: Whether more arrived than was planned for.
        budget_left_ratio: Share of the error budget that is left; None if unknown.
    """
    low, high = BOUNDS
    return min(max(headroom * math.exp(_GAMMA * (missed - miss_ratio(budget_left_ratio))), low), high)
