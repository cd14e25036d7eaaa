"""Knows KEDA with Prometheus triggers: activation, cooldown and fallback around its autoscaler; refuses to know HTTP.

Every 30 s KEDA itself goes from 0 to 1 (or the minimum) if a trigger is active, which means strictly above its
activation threshold, and from any number to 0 if none was active for 300 s and the minimum is 0. Between 1 and the
maximum its autoscaler decides.

Without data a query gives 0, because `ignoreNullValues` is true unless told otherwise: at the peak, with Prometheus
down, all goes to the minimum. If it is false a query fails, and after more failures than the threshold the fallback
stands in, as `int(target) * replicas`, which is 0 for a target below 1.

Source: kedacore/keda pkg/scaling/executor/scale_scaledobjects.go (RequestScale, scaleToZero, scaleFromZero),
pkg/fallback/fallback.go (GetMetricsWithFallback, doFallback), pkg/scalers/prometheus_scaler.go (ExecutePromQuery);
defaults pollingInterval 30, cooldownPeriod 300; keda#3065.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from slo.scaling.policies.behavior import DEFAULT_BEHAVIOR, Behavior
from slo.scaling.policies.hpa import SYNC_S, TOLERANCE, Hpa, Metric, by_average
from telemetry.scaling import Observation

POLLING_S, COOLDOWN_S = 30.0, 300.0


class FallbackBehavior(StrEnum):
    """How many replicas the fallback stands for."""

    STATIC = "static"
    CURRENT = "currentReplicas"
    IF_HIGHER = "currentReplicasIfHigher"
    IF_LOWER = "currentReplicasIfLower"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fallback:
    """What stands in for a metric that fails.

    Attributes:
        failure_threshold: It stands in after more failures than this, one after the other.
        replicas: How many.
        behavior: Whether those, or the ones that there are.
    """

    failure_threshold: int
    replicas: int
    behavior: FallbackBehavior = FallbackBehavior.STATIC

    def stands_for(self, replicas: int) -> int:
        """Return how many it stands for, of a target that has so many."""
        return {
            FallbackBehavior.STATIC: self.replicas,
            FallbackBehavior.CURRENT: replicas,
            FallbackBehavior.IF_HIGHER: max(replicas, self.replicas),
            FallbackBehavior.IF_LOWER: min(replicas, self.replicas),
        }[self.behavior]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """A query.

    Attributes:
        metric: What it asks for, and its threshold.
        activation: Above which it is active, strictly.
        ignore_null_values: Whether no data is 0.
    """

    metric: Metric
    activation: float = 0.0
    ignore_null_values: bool = True


class Keda:
    """A ScaledObject."""

    def __init__(
        self,
        triggers: Sequence[Trigger],
        replicas_min: int,
        replicas_max: int,
        fallback: Fallback | None = None,
        behavior: Behavior = DEFAULT_BEHAVIOR,
    ) -> None:
        """Begin with nothing remembered."""
        self._triggers, self._low, self._fallback = tuple(triggers), replicas_min, fallback
        self._hpa = Hpa((), max(replicas_min, 1), replicas_max, behavior)
        self._failures = [0] * len(triggers)
        self._active_at_s: float | None = None
        self._polled_at_s: float | None = None

    @property
    def tick_s(self) -> float:
        """The sync period of its autoscaler; KEDA's own part runs every other time."""
        return SYNC_S

    def decide(self, seen: Observation) -> int:
        """Return the replicas that it would ask for."""
        values = [self._value(trigger, seen) for trigger in self._triggers]
        spec = self._itself(seen, values)
        if spec != seen.spec or spec == 0:
            return spec
        return self._hpa.settle(seen, [self._proposal(number, value, spec) for number, value in enumerate(values)])

    def _value(self, trigger: Trigger, seen: Observation) -> float | None:
        total = trigger.metric.signal.total(seen)
        return 0.0 if total is None and trigger.ignore_null_values else total

    def _itself(self, seen: Observation, values: Sequence[float | None]) -> int:
        """Return what KEDA does by itself: between 0 and 1, and up to the minimum."""
        now_s = seen.now_unix_s
        if self._polled_at_s is not None and now_s < self._polled_at_s + POLLING_S:
            return seen.spec
        self._polled_at_s = now_s
        pairs = zip(self._triggers, values, strict=True)
        if any(value is not None and value > trigger.activation for trigger, value in pairs):
            self._active_at_s = now_s
            return seen.spec or max(self._low, 1)
        if seen.spec and not self._low:
            rested = self._active_at_s is None or self._active_at_s + COOLDOWN_S < now_s
            return 0 if rested else seen.spec
        return max(seen.spec, self._low)

    def _proposal(self, number: int, value: float | None, replicas: int) -> int | None:
        target = self._triggers[number].metric.target
        self._failures[number] = 0 if value is not None else self._failures[number] + 1
        if value is None:
            if self._fallback is None or self._failures[number] <= self._fallback.failure_threshold:
                return None
            value = float(int(target) * self._fallback.stands_for(replicas))
        return by_average(value, target, replicas, TOLERANCE)
