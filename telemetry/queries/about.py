"""Knows what a question may be about beside its filters: one objective and group, or one alert; refuses to know which.

Source: spec/ui.md 5 (panels of one objective and of one alert); spec/slo.md 12.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from telemetry.queries.asked import Asked, Dim
from telemetry.queries.bad_events import DAY_MS, Scope
from telemetry.queries.counted import Counted
from telemetry.queries.spent import CountedGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """One objective and group, or one alert.

    Attributes:
        objective: What counts, and what is bad; None leaves both to the classes of outcomes.
        counted: Under which name its counts are kept; None if there are none.
        target: Share that is to be good, 0 to 1; None if nothing is promised.
        where: Values of the group, or of the labels of the alert.
        began_s: When the condition of the alert became true, unix time; None of an objective.
    """

    objective: Counted | None = None
    counted: CountedGroup | None = None
    target: float | None = None
    where: Mapping[Dim, str] = field(default_factory=dict[Dim, str])
    began_s: int | None = None


def last_day(asked: Asked) -> Asked:
    """Return the same of its last day at most; the days before are what that is compared with."""
    return replace(asked, since_ms=max(asked.since_ms, asked.until_ms - DAY_MS))


def scope_of(asked: Asked) -> Scope:
    """Return the requests that a question of a day at most is about, by what its objective calls bad."""
    about = asked.about or About()
    return Scope(
        objective=about.objective or Counted(name="all", traffic=asked.traffic),
        since_ms=asked.since_ms,
        until_ms=asked.until_ms,
        where=asked.where,
    )
