"""Knows the scaling rules of the seed, as they are written; refuses to mend them.

    queue       75 or more waiting per replica: one more at each tick
    GPU         75 % or more: one more at each tick, until it is below 65 %
    schedule    replicas 15 minutes ahead of a peak that is named
    removal     the seed names none; one less after 300 s below 50 %, its lowest band

Source: spec/scaling.md 7 (seed policy, S3) and its head (`hints.queue_depth_hi`, `gpu_up`, `gpu_down`, `pre_scale`).
"""

from collections.abc import Sequence

from slo.scaling.gpu import BANDS, DOWN_RATIO, UP_RATIO
from slo.scaling.policies.hpa import SYNC_S
from slo.scaling.schedule import Schedule, peaks
from slo.scaling.thresholds import QUEUE_DEPTH_HI
from telemetry.scaling import Observation

REMOVE_AFTER_S = 300.0


class SeedPolicy:
    """The seed's rules."""

    def __init__(self, replicas_min: int, replicas_max: int, schedules: Sequence[Schedule] = ()) -> None:
        """Begin with nothing remembered."""
        self._low, self._high, self._schedules = replicas_min, replicas_max, tuple(schedules)
        self._busy = False
        self._low_since_s: float | None = None

    @property
    def tick_s(self) -> float:
        """How often it looks."""
        return SYNC_S

    def decide(self, seen: Observation) -> int:
        """Return the replicas that it would ask for."""
        now_s, gpu, waiting = seen.now_unix_s, seen.gpu_util_ratio, seen.waiting
        if gpu is not None:
            self._busy = gpu >= (DOWN_RATIO if self._busy else UP_RATIO)
            low = gpu < BANDS[0]
            self._low_since_s = (now_s if self._low_since_s is None else self._low_since_s) if low else None
        queued = waiting is not None and waiting >= QUEUE_DEPTH_HI * max(seen.ready, 1)
        near = peaks(self._schedules, now_s, 0.0)
        asked = max((one.schedule.replicas_min or 0 for one in near if one.asks(now_s)), default=0)
        found = seen.spec + 1 if queued or (self._busy and gpu is not None) else seen.spec - self._spare(now_s)
        return min(max(found, asked, self._low), self._high)

    def _spare(self, now_s: float) -> int:
        """Return 1 if it was low for long enough; the next one has to wait as long."""
        if self._low_since_s is None or now_s - self._low_since_s < REMOVE_AFTER_S:
            return 0
        self._low_since_s = now_s
        return 1
