"""Knows when a peak that people named begins, and how long before it replicas must be asked for; refuses to lower any.

Replicas are asked for at `peak - max(pre_scale, P90 cold start + 2 min)`; the seed's pre-scale of 15 minutes holds
where cold starts are shorter than that. A peak ends after its duration. There is no removal from a lead and
15 minutes before the peak until its end.

Source: spec/scaling.md 6.5, 6.2 (no schedule peak within L + 15 min).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from slo.errors import ObjectiveError
from slo.periods import zone_notes
from slo.scaling import cron
from slo.scaling.cron import Cron

PRE_SCALE_S = 900
"""The seed's 15 minutes."""
DURATION_S_MAX = 7 * 86_400
"""Longest peak."""

_MARGIN_S = 120
_QUIET_S = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A peak that comes again.

    Attributes:
        name: Of the peak.
        cron: When it begins.
        zone: IANA name of the zone whose wall clock `cron` means.
        duration_s: How long it lasts, 1 to `DURATION_S_MAX`.
        expected_rps: Rate to expect; None if replicas are named.
        replicas_min: Replicas to have; None if a rate is named.
        pre_scale_s: How long before the peak they are asked for, at least.
        notes: What a person should know of it, one sentence each.
    """

    name: str
    cron: Cron
    zone: str
    duration_s: int
    expected_rps: float | None = None
    replicas_min: int | None = None
    pre_scale_s: int = PRE_SCALE_S
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """One peak.

    Attributes:
        schedule: Of which.
        at_s: When it begins, unix seconds.
        pre_scale_at_s: When replicas are asked for.
        end_s: The first second after it.
        quiet_from_s: From here on nothing is taken away.
    """

    schedule: Schedule
    at_s: int
    pre_scale_at_s: int
    end_s: int
    quiet_from_s: int

    def asks(self, at_s: float) -> bool:
        """Return whether it asks for replicas at an instant."""
        return self.pre_scale_at_s <= at_s < self.end_s

    def forbids_removal(self, at_s: float) -> bool:
        """Return whether it forbids to take one away."""
        return min(self.quiet_from_s, self.pre_scale_at_s) <= at_s < self.end_s


def schedule(name: str, line: str, zone: str, duration_s: int, **asks: float) -> Schedule:
    """Return a schedule.

    Args:
        name: Of the peak.
        line: Five fields of crontab.
        zone: IANA name.
        duration_s: How long it lasts.
        asks: `expected_rps` or `replicas_min`, not both; `pre_scale_s` if it is not the seed's.

    Raises:
        ObjectiveError: A part of it cannot be; the message names which.
    """
    if not 0 < duration_s <= DURATION_S_MAX:
        raise ObjectiveError("", f"schedule {name} duration", f"{duration_s} s", f"1 to {DURATION_S_MAX} s")
    if ("expected_rps" in asks) == ("replicas_min" in asks):
        raise ObjectiveError("", f"schedule {name}", "both or neither", "expected_rps or min_replicas")
    if min(asks.values()) < 0:
        raise ObjectiveError("", f"schedule {name}", "a negative number", "0 or more")
    replicas = asks.get("replicas_min")
    return Schedule(
        name=name,
        cron=cron.parse(line),
        zone=zone,
        duration_s=duration_s,
        expected_rps=asks.get("expected_rps"),
        replicas_min=None if replicas is None else int(replicas),
        pre_scale_s=int(asks.get("pre_scale_s", PRE_SCALE_S)),
        notes=zone_notes(zone),
    )


def near(of: Schedule, at_s: float, lead_s: float) -> Peak | None:
    """Return the peak that matters at an instant: the one that lasts, or the next one that is near; None if none is.

    Args:
        of: The schedule.
        at_s: The instant, unix seconds.
        lead_s: P90 of cold starts.
    """
    ahead_s, quiet_s = max(of.pre_scale_s, lead_s + _MARGIN_S), lead_s + _QUIET_S
    since_s, until_s = int(at_s) - of.duration_s + 1, int(at_s + max(ahead_s, quiet_s)) + 1
    for begins_s in cron.fires(of.cron, ZoneInfo(of.zone), since_s, until_s):
        return Peak(
            schedule=of,
            at_s=begins_s,
            pre_scale_at_s=int(begins_s - ahead_s),
            end_s=begins_s + of.duration_s,
            quiet_from_s=int(begins_s - quiet_s),
        )
    return None


def peaks(of: Iterable[Schedule], at_s: float, lead_s: float) -> tuple[Peak, ...]:
    """Return the peaks that matter at an instant, in the order of their schedules."""
    return tuple(peak for one in of if (peak := near(one, at_s, lead_s)) is not None)
