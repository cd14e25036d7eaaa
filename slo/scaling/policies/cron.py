"""Knows scaling by the clock alone, as KEDA's cron trigger does it; refuses to look at load.

From each start until its end as many as it names, of several the most; outside of them the minimum. There is nothing
ahead of time: who wants replicas ready at nine must write half past eight.

Source: kedacore/keda pkg/scalers/cron_scaler.go (desiredReplicas between start and end); spec/scaling.md 7.
"""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from slo.scaling import cron
from slo.scaling.policies.hpa import SYNC_S
from slo.scaling.schedule import Schedule
from telemetry.scaling import Observation


class CronPolicy:
    """Replicas by the clock."""

    def __init__(self, schedules: Sequence[Schedule], replicas_min: int) -> None:
        """Take schedules that name replicas; those that name a rate ask for nothing here."""
        self._schedules, self._low = tuple(schedules), replicas_min

    @property
    def tick_s(self) -> float:
        """How often it looks."""
        return SYNC_S

    def decide(self, seen: Observation) -> int:
        """Return the replicas that it would ask for."""
        now_s = int(seen.now_unix_s)
        asked = [one.replicas_min or 0 for one in self._schedules if _lasts(one, now_s)]
        return max([self._low, *asked])


def _lasts(of: Schedule, now_s: int) -> bool:
    return any(True for _ in cron.fires(of.cron, ZoneInfo(of.zone), now_s - of.duration_s + 1, now_s + 1))
