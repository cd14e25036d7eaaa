"""Knows Knative's pod autoscaler; refuses to know revisions and activators.

Every 2 s: as many as the mean of the last 60 s needs, and as many as that of the last 6 s does, each within
[floor(r / 2), ceil(1000 r)] of the r ready ones. If the latter, before that bound, is twice r or more it panics: until
60 s went by without that it takes the larger of both and never goes down. It starts in panic if there is more than one.

What it looks at is concurrency, requests that are held anywhere, against 70 % of 100 for each replica. Where windows
are shorter than what is observed, both means are the same: 60 s against 6 s needs a figure every 2 s.

Source: knative/serving pkg/autoscaler/scaling/autoscaler.go (Scale, newAutoscaler); config/core/configmaps/
autoscaler.yaml (stable-window 60s, panic-window-percentage 10, panic-threshold-percentage 200, max-scale-up-rate 1000,
max-scale-down-rate 2, container-concurrency-target-default 100, container-concurrency-target-percentage 70).
"""

import math

from slo.scaling.policies.signals import IN_FLIGHT
from telemetry.scaling import Observation

TICK_S, STABLE_S, PANIC_S = 2.0, 60.0, 6.0
TARGET = 70.0
"""70 % of 100 requests at a time."""
PANIC_THRESHOLD, UP_RATE, DOWN_RATE = 2.0, 1_000.0, 2.0


class Kpa:
    """An autoscaler for one revision."""

    def __init__(self, replicas_min: int, replicas_max: int, target: float = TARGET) -> None:
        """Begin with nothing remembered."""
        self._low, self._high, self._target = replicas_min, replicas_max, target
        self._seen: list[tuple[float, float]] = []
        self._begun = False
        self._panic_at_s: float | None = None
        self._panic_replicas = 0

    @property
    def tick_s(self) -> float:
        """The tick interval."""
        return TICK_S

    def decide(self, seen: Observation) -> int:
        """Return the replicas that it would ask for; as many as there are without data."""
        now_s = seen.now_unix_s
        if not self._begun:
            self._begun = True
            self._panic_at_s, self._panic_replicas = (now_s if seen.ready > 1 else None), seen.ready
        held = IN_FLIGHT.total(seen)
        if held is not None or seen.held is not None:
            self._seen.append((now_s, (held or 0.0) + (seen.held or 0)))
        self._seen = [one for one in self._seen if one[0] > now_s - STABLE_S]
        recent = [value for at_s, value in self._seen if at_s > now_s - PANIC_S]
        if not recent:
            return seen.spec
        stable = sum(value for _, value in self._seen) / len(self._seen)
        found = self._scaled(now_s, stable, sum(recent) / len(recent), seen.ready)
        return min(max(found, self._low), self._high)

    def _scaled(self, now_s: float, stable: float, panic: float, ready: int) -> int:
        """Return what both means need."""
        some = max(1, ready)
        low, high = math.floor(some / DOWN_RATE), math.ceil(UP_RATE * some)
        for_stable, for_panic = math.ceil(stable / self._target), math.ceil(panic / self._target)
        desired, desired_panic = (min(max(count, low), high) for count in (for_stable, for_panic))
        over = for_panic / some >= PANIC_THRESHOLD
        if over:
            self._panic_at_s = now_s
        elif self._panic_at_s is not None and self._panic_at_s + STABLE_S < now_s:
            self._panic_at_s, self._panic_replicas = None, 0
        if self._panic_at_s is None:
            return desired
        self._panic_replicas = max(self._panic_replicas, desired, desired_panic)
        return self._panic_replicas
