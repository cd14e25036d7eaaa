"""Knows how incidents and levels of operation look from outside; refuses to compute them.

Source: spec/slo.md 18 (times over 90 d, `insufficient`, levels).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slo import mttr
from slo.alertmanager_body import rfc3339
from slo.evidence import Operated, evidence
from slo.lookback import Incidents
from slo.shown import SloShown, instant

LEVELS = {1: "manual", 2: "scripted", 3: "automated", 4: "fully managed"}
"""Names of the levels (seed S3)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentShown:
    """One incident.

    Attributes:
        endpoint: What it happened to: an endpoint, or a service where an alert names none.
        began_at: Its first bad minute.
        detected_at: When the first page fired.
        acknowledged_at: When the first person took it on; None if nobody did.
        ended_at: Its last bad minute; None while it is open.
    """

    endpoint: str
    began_at: str
    detected_at: str
    acknowledged_at: str | None
    ended_at: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TimesShown:
    """One kind of time over incidents, in minutes.

    Attributes:
        n: Incidents that have it.
        mean_min: Their mean; None without any.
        median_min: Their median.
        p90_min: Their nearest-rank P90.
        is_sufficient: Whether there are enough of them, five, to say anything.
    """

    n: int
    mean_min: float | None
    median_min: float | None
    p90_min: float | None
    is_sufficient: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FiguresShown:
    """Times of the incidents of one endpoint, or of all; open ones count up to now.

    Attributes:
        endpoint: Whose; empty for all.
        mttd: From the first bad minute to the page.
        mtta: From the page to a person.
        mttr: From the first to the last bad minute.
    """

    endpoint: str
    mttd: TimesShown
    mtta: TimesShown
    mttr: TimesShown


@dataclass(frozen=True, slots=True, kw_only=True)
class MttrShown:
    """Times of the incidents of the last 90 days.

    Attributes:
        as_of: Now.
        is_cut: Whether there were more pages than are looked at.
        total: Times of all of them.
        endpoints: Times by endpoint.
    """

    as_of: str
    is_cut: bool
    total: FiguresShown
    endpoints: tuple[FiguresShown, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentsShown(MttrShown):
    """Incidents of the last 90 days, and their times.

    Attributes:
        incidents: Newest first.
    """

    incidents: tuple[IncidentShown, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MaturityShown:
    """The level of operation, 1 manual to 4 fully managed.

    Attributes:
        as_of: Now.
        level: The least of `levels`; None while there are fewer than five incidents.
        name: Its name.
        limited_by: The dimensions that have this level.
        levels: Level of each dimension.
        naive_level: By the mean time to recover alone.
        volume_level: What the tokens of the last 30 days suggest.
        tokens_per_month: Output tokens of the last 30 days.
        mttr: What the level of recovery rests on.
    """

    as_of: str
    level: int | None
    name: str | None
    limited_by: tuple[str, ...]
    levels: Mapping[str, int | None]
    naive_level: int | None
    volume_level: int
    tokens_per_month: int
    mttr: TimesShown


def incidents_shown(of: Incidents, now_s: int) -> IncidentsShown:
    """Return incidents and their times."""
    return IncidentsShown(**_times_of(of, now_s), incidents=tuple(map(_incident, reversed(of.found))))


def mttr_shown(of: Incidents, now_s: int) -> MttrShown:
    """Return the times of incidents."""
    return MttrShown(**_times_of(of, now_s))


def maturity_shown(of: Incidents, operated: Operated, slos: Sequence[SloShown], now_s: int) -> MaturityShown:
    """Return the level that incidents, markers and objectives show."""
    recover = mttr.figures(of.found).recover
    found = mttr.maturity(recover, evidence(operated.markers, slos), operated.tokens_per_month)
    return MaturityShown(
        as_of=rfc3339(now_s),
        level=found.level,
        name=None if found.level is None else LEVELS[found.level],
        limited_by=tuple(one.value for one in found.limited_by),
        levels={name.value: level for name, level in found.levels.items()},
        naive_level=found.naive_level,
        volume_level=found.volume_level,
        tokens_per_month=operated.tokens_per_month,
        mttr=_times(recover),
    )


def _times_of(of: Incidents, now_s: int) -> dict[str, Any]:
    places = sorted({one.service for one in of.found})
    return {
        "as_of": rfc3339(now_s),
        "is_cut": of.is_cut,
        "total": _figures("", of.found),
        "endpoints": tuple(_figures(place, [one for one in of.found if one.service == place]) for place in places),
    }


def _figures(endpoint: str, of: Sequence[mttr.Incident]) -> FiguresShown:
    found = mttr.figures(of)
    return FiguresShown(
        endpoint=endpoint, mttd=_times(found.detect), mtta=_times(found.acknowledge), mttr=_times(found.recover)
    )


def _times(of: mttr.Times) -> TimesShown:
    return TimesShown(n=of.n, mean_min=of.mean, median_min=of.median, p90_min=of.p90, is_sufficient=of.is_enough)


def _incident(one: mttr.Incident) -> IncidentShown:
    return IncidentShown(
        endpoint=one.service,
        began_at=rfc3339(one.began_s),
        detected_at=rfc3339(one.detected_s),
        acknowledged_at=instant(one.acked_s),
        ended_at=None if one.is_open else rfc3339(one.ended_s),
    )
