"""Knows AIBrix's application-specific autoscaler; refuses to know its other strategies.

If the mean of a figure is more than a tenth above its target, `ceil(n * mean / target)`, at most twice as many; a tenth
below, the same, at least half as many. Then it takes, of the recommendations of its cooldown window, the largest when
it goes up (0 s) and the smallest when it goes down (300 s): as coded, the smallest of five minutes hastens a removal.

Source: vllm-project/aibrix pkg/controller/podautoscaler/algorithm/apa.go (computeTargetReplicas),
context/context.go (NewBaseScalingContext: the defaults), podautoscaler_controller.go (stabilizeRecommendation).
"""

import math

from slo.scaling.policies.signals import KV, Signal
from telemetry.scaling import Observation

TICK_S = 10.0
TOLERANCE_UP, TOLERANCE_DOWN = 0.1, 0.1
RATE_UP, RATE_DOWN = 2.0, 2.0
COOLDOWN_UP_S, COOLDOWN_DOWN_S = 0.0, 300.0
KV_TARGET = 0.5
"""What its own examples set for the cache."""


class Apa:
    """An autoscaler for one target."""

    def __init__(self, replicas_min: int, replicas_max: int, signal: Signal = KV, target: float = KV_TARGET) -> None:
        """Begin with nothing remembered."""
        self._low, self._high, self._signal, self._target = replicas_min, replicas_max, signal, target
        self._recommended: list[tuple[float, int]] = []

    @property
    def tick_s(self) -> float:
        """How often it reconciles."""
        return TICK_S

    def decide(self, seen: Observation) -> int:
        """Return the replicas that it would ask for; as many as there are without data."""
        mean = self._signal.mean(seen)
        if mean is None:
            return seen.spec
        found = min(max(by_ratio(seen.spec, mean / self._target), self._low), self._high)
        return self._cooled(seen.now_unix_s, seen.spec, found)

    def _cooled(self, now_s: float, replicas: int, found: int) -> int:
        longest_s = max(COOLDOWN_UP_S, COOLDOWN_DOWN_S)
        self._recommended = [one for one in (*self._recommended, (now_s, found)) if one[0] > now_s - longest_s]
        if found == replicas:
            return replicas
        window_s, choose = (COOLDOWN_UP_S, max) if found > replicas else (COOLDOWN_DOWN_S, min)
        return choose((number for at_s, number in self._recommended if at_s > now_s - window_s), default=found)


def by_ratio(replicas: int, ratio: float) -> int:
    """Return the replicas that a ratio of figure to target gives."""
    if ratio > 1 + TOLERANCE_UP:
        return min(math.ceil(replicas * ratio), math.ceil(RATE_UP * replicas))
    if ratio < 1 - TOLERANCE_DOWN:
        return max(math.ceil(replicas * ratio), math.floor(replicas / RATE_DOWN))
    return replicas
