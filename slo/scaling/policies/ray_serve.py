"""Knows the autoscaling policy of Ray Serve; refuses to know Ray.

As many as keep the ongoing requests of each replica at a target (2): `total / target`, rounded up, within bounds. It
must be asked for without a break for 30 s to go up and for 600 s to go down, counted in loops; only the last replica
goes away to 0, and from 0 the first request brings one back at once. Figures are means of the last 30 s.

Source: ray-project/ray python/ray/serve/autoscaling_policy.py (_core_replica_queue_length_policy,
_apply_scaling_factors, _apply_delay_logic, _get_cold_start_scale_up_replicas); config.py (AutoscalingConfig:
target_ongoing_requests 2, look_back_period_s 30, upscale_delay_s 30, downscale_delay_s 600, factors 1);
_private/constants.py (CONTROL_LOOP_INTERVAL_S 0.1).
"""

import math

from slo.scaling.policies.signals import IN_FLIGHT
from telemetry.scaling import Observation

TARGET = 2.0
LOOK_BACK_S, UP_DELAY_S, DOWN_DELAY_S = 30.0, 30.0, 600.0
LOOP_S = 0.1


class RayServe:
    """An autoscaler for one deployment."""

    def __init__(self, replicas_min: int, replicas_max: int, target: float = TARGET, loop_s: float = LOOP_S) -> None:
        """Begin with nothing remembered; a longer loop than upstream's changes delays by less than one of it."""
        self._low, self._high, self._target, self._loop_s = replicas_min, replicas_max, target, loop_s
        self._seen: list[tuple[float, float]] = []
        self._counter = 0

    @property
    def tick_s(self) -> float:
        """The control loop."""
        return self._loop_s

    def decide(self, seen: Observation) -> int:
        """Return the replicas that it would ask for; as many as there are without data."""
        total = self._total(seen)
        if seen.ready == 0:
            return max(1, seen.spec) if total else seen.spec
        if total is None:
            return seen.spec
        return self._delayed(seen.spec, min(max(by_ongoing(total, self._target), self._low), self._high))

    def _total(self, seen: Observation) -> float | None:
        """Return the mean of the ongoing requests; those that no replica took count too."""
        ongoing = IN_FLIGHT.total(seen)
        if ongoing is not None or seen.held is not None:
            self._seen.append((seen.now_unix_s, (ongoing or 0.0) + (seen.held or 0)))
        self._seen = [one for one in self._seen if one[0] > seen.now_unix_s - LOOK_BACK_S]
        return sum(value for _, value in self._seen) / len(self._seen) if self._seen else None

    def _delayed(self, replicas: int, desired: int) -> int:
        if desired == replicas:
            self._counter = 0
            return replicas
        if desired > replicas:
            self._counter = max(self._counter, 0) + 1
            waited = self._counter > int(UP_DELAY_S / self._loop_s)
        else:
            self._counter = min(self._counter, 0) - 1
            waited = self._counter < -int(DOWN_DELAY_S / self._loop_s)
            desired = desired if replicas == 1 else max(1, desired)
        if not waited:
            return replicas
        self._counter = 0
        return desired


def by_ongoing(total: float, target: float) -> int:
    """Return the replicas that keep so many ongoing requests at a target each, factors 1."""
    return math.ceil(total / target)
