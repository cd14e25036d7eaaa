"""Knows a HorizontalPodAutoscaler as Kubernetes has it; refuses to know Kubernetes.

    External, AverageValue    ratio = sum / (target * replicas); within the tolerance keep, else ceil(sum / target)
    Pods, AverageValue        ratio = mean / target; within the tolerance keep, else ceil(ratio * ready); replicas
                              without a value count as at the target when it would go down, as 0 when it would go up,
                              and those that are not ready as 0 when it would go up; a change of direction keeps

Of several metrics the largest number decides. If one is missing, nothing goes down; if all are, nothing changes. At 0
replicas it is disabled. One with several metrics of one replica each is asked every 15 s.

Source: kubernetes pkg/controller/podautoscaler/replica_calculator.go (GetExternalPerPodMetricReplicas,
calcPlainMetricReplicas), horizontal.go (computeReplicasForMetrics; tolerance 0.1, sync period 15 s);
spec/scaling.md 6.8, 7.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from slo.scaling.policies.behavior import DEFAULT_BEHAVIOR, Behavior, Brake
from slo.scaling.policies.signals import GPU, RUNNING, WAITING, Signal
from telemetry.scaling import Observation

TOLERANCE = 0.1
SYNC_S = 15.0


class Kind(StrEnum):
    """How a metric reaches the autoscaler."""

    EXTERNAL = "External"
    PODS = "Pods"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric and its target, of type AverageValue.

    Attributes:
        signal: What is looked at.
        target: Value of each replica.
        kind: How it comes.
    """

    signal: Signal
    target: float
    kind: Kind = Kind.EXTERNAL


RUNNING_16 = Metric(signal=RUNNING, target=16)
WAITING_1, WAITING_5, WAITING_75 = (Metric(signal=WAITING, target=target) for target in (1, 5, 75))
GPU_75 = Metric(signal=GPU, target=0.75)
"""The settings that are met in the field, the seed's 75 among them."""


class Hpa:
    """An autoscaler for one target."""

    def __init__(
        self,
        metrics: Sequence[Metric],
        replicas_min: int,
        replicas_max: int,
        behavior: Behavior = DEFAULT_BEHAVIOR,
        tolerance: float = TOLERANCE,
    ) -> None:
        """Begin with nothing remembered."""
        self._metrics, self._low, self._high = tuple(metrics), replicas_min, replicas_max
        self._tolerance, self._brake = tolerance, Brake(behavior)

    @property
    def tick_s(self) -> float:
        """The sync period."""
        return SYNC_S

    def decide(self, seen: Observation) -> int:
        """Return the replicas that it would ask for."""
        if seen.spec == 0:
            return 0
        found = [proposal(metric, seen, self._tolerance) for metric in self._metrics]
        return self.settle(seen, found)

    def settle(self, seen: Observation, found: Sequence[int | None]) -> int:
        """Return what is asked for, of the numbers that the metrics give; None is a metric that is missing."""
        known = [number for number in found if number is not None]
        if not known or (len(known) < len(found) and max(known) < seen.spec):
            return seen.spec
        return self._brake.settle(seen.now_unix_s, seen.spec, max(known), self._low, self._high)


def proposal(metric: Metric, seen: Observation, tolerance: float = TOLERANCE) -> int | None:
    """Return the replicas that one metric gives; None if it is missing."""
    if metric.kind is Kind.PODS:
        return by_pods(metric.signal.each(seen), seen.warming, metric.target, seen.spec, tolerance)
    total = metric.signal.total(seen)
    return None if total is None else by_average(total, metric.target, seen.spec, tolerance)


def by_average(total: float, target: float, replicas: int, tolerance: float = TOLERANCE) -> int:
    """Return the replicas that an external metric gives.

    Args:
        total: Its sum.
        target: Value of each replica.
        replicas: That there are; above 0.
        tolerance: Within which they stay.
    """
    if abs(1.0 - total / (target * replicas)) <= tolerance:
        return replicas
    return math.ceil(total / target)


def by_pods(
    values: Sequence[float | None], pending: int, target: float, replicas: int, tolerance: float = TOLERANCE
) -> int | None:
    """Return the replicas that a metric of pods gives; None if no ready one has a value.

    Args:
        values: Of each ready replica; None if it has none.
        pending: Replicas that are not ready.
        target: Value of each replica.
        replicas: Asked for now.
        tolerance: Within which they stay.
    """
    known = [value for value in values if value is not None]
    if not known:
        return None
    ratio, missing = sum(known) / len(known) / target, len(values) - len(known)
    idle = pending if ratio > 1 else 0
    if not idle and not missing:
        return replicas if abs(1 - ratio) <= tolerance else math.ceil(ratio * len(known))
    filled = [*known, *[target if ratio < 1 else 0.0] * missing, *[0.0] * idle]
    again = sum(filled) / len(filled) / target
    if abs(1 - again) <= tolerance or (ratio < 1 < again) or (again < 1 < ratio):
        return replicas
    found = math.ceil(again * len(filled))
    turned = (again < 1 and found > replicas) or (again > 1 and found < replicas)
    return replicas if turned else found
