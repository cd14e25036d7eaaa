"""Knows how a HorizontalPodAutoscaler holds back: stabilization windows and rates; refuses to know metrics.

A number goes up only to the lowest recommendation of the up window, and down only to the highest of the down window.
Then rates: of several policies the one that allows the largest change decides, each counted from the number at the
start of its period, which changes within the period move. The first recommendation is the number that is found.

Source: kubernetes pkg/controller/podautoscaler/horizontal.go (stabilizeRecommendationWithBehaviors,
convertDesiredReplicasWithBehaviorRate, calculateScaleUpLimitWithScalingRules, calculateScaleDownLimitWithBehaviors,
recordInitialRecommendation); pkg/apis/autoscaling/v2/defaults.go (the defaults).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class RateKind(StrEnum):
    """What a rate is given in."""

    PODS = "Pods"
    PERCENT = "Percent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How much may change in a period.

    Attributes:
        kind: What `value` counts.
        value: Pods, or per cent of the number at the start of the period.
        period_s: Length of the period.
    """

    kind: RateKind
    value: float
    period_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How one direction is held back.

    Attributes:
        window_s: Stabilization window.
        rates: Of which the largest change is allowed.
    """

    window_s: float
    rates: tuple[Rate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Behavior:
    """How both directions are."""

    up: Rules
    down: Rules


DEFAULT_BEHAVIOR = Behavior(
    up=Rules(
        window_s=0.0,
        rates=(
            Rate(kind=RateKind.PERCENT, value=100, period_s=15),
            Rate(kind=RateKind.PODS, value=4, period_s=15),
        ),
    ),
    down=Rules(window_s=300.0, rates=(Rate(kind=RateKind.PERCENT, value=100, period_s=15),)),
)


class Brake:
    """Holds back the recommendations of one autoscaler."""

    def __init__(self, behavior: Behavior = DEFAULT_BEHAVIOR) -> None:
        """Begin with nothing remembered."""
        self._behavior = behavior
        self._recommended: list[tuple[float, int]] = []
        self._changes: list[tuple[float, int]] = []

    def settle(self, at_s: float, replicas: int, desired: int, low: int, high: int) -> int:
        """Return what is asked for.

        Args:
            at_s: The instant.
            replicas: Asked for now.
            desired: Recommended.
            low: Lower bound.
            high: Upper bound.
        """
        if not self._recommended:
            self._recommended.append((at_s, replicas))
        settled = self._limited(at_s, replicas, self._stabilized(at_s, replicas, desired), low, high)
        if settled != replicas:
            self._changes.append((at_s, settled - replicas))
        return settled

    def _stabilized(self, at_s: float, replicas: int, desired: int) -> int:
        up_s, down_s = self._behavior.up.window_s, self._behavior.down.window_s
        up = min([desired, *(number for since_s, number in self._recommended if since_s > at_s - up_s)])
        down = max([desired, *(number for since_s, number in self._recommended if since_s > at_s - down_s)])
        kept = [one for one in self._recommended if one[0] > at_s - max(up_s, down_s)]
        self._recommended = [*kept, (at_s, desired)]
        return min(max(replicas, up), down)

    def _limited(self, at_s: float, replicas: int, desired: int, low: int, high: int) -> int:
        longest_s = max(rate.period_s for rate in (*self._behavior.up.rates, *self._behavior.down.rates))
        self._changes = [change for change in self._changes if change[0] > at_s - longest_s]
        if desired > replicas:
            limit = max(self._limits(at_s, replicas, self._behavior.up.rates, 1))
            return min(desired, high, max(limit, replicas))
        if desired < replicas:
            limit = min(self._limits(at_s, replicas, self._behavior.down.rates, -1))
            return max(desired, low, min(limit, replicas))
        return desired

    def _limits(self, at_s: float, replicas: int, rates: Iterable[Rate], sign: int) -> list[int]:
        found: list[int] = []
        for rate in rates:
            began = replicas - sum(change for since_s, change in self._changes if since_s > at_s - rate.period_s)
            if rate.kind is RateKind.PODS:
                found.append(began + sign * int(rate.value))
            else:
                share = began * (1 + sign * rate.value / 100)
                found.append(math.ceil(share) if sign > 0 else int(share))
        return found
