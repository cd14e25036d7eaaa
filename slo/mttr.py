"""Knows how fast incidents were found, acknowledged and ended, and what level of operation that shows.

An incident is made of the pages of one service that lie less than half an hour apart. It begins in the first minute
whose short-window burn exceeded the rule, not when the page fired, and ends in the last bad minute, not when the alert
was resolved, which comes later by the short window.

The level is the least of what the median time to recover, deployments, scaling and rollbacks show, and is named after
the dimension that limits it. Beside it stand the level that the mean alone would give, and the one that the volume of
tokens suggests. Times between the bands that the seed names fall to the lower level.

Error: below five incidents the times are insufficient, and no level is said.

Source: spec/slo.md 18 (seed S3).
"""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from telemetry.percentile import P90, rank

GAP_S = 1_800
"""Pages of one service that lie closer together are one incident."""
WINDOW_S = 90 * 86_400
"""How far back incidents count."""
ENOUGH = 5
"""Incidents below which figures are insufficient."""

_BUCKETS_MIN = ((1.0, 4), (5.0, 3), (15.0, 2))
_TOKENS = ((1_000_000_000, 4), (50_000_000, 3), (1_000_000, 2))
_AUTOMATED = 0.9
_DEPLOY_MIN = 10.0
_MINUTE_S = 60


class Dimension(StrEnum):
    """What a level is made of."""

    RECOVERY = "recovery"
    DEPLOY = "deploy"
    SCALING = "scaling"
    ROLLBACK = "rollback"
    REGIONS = "regions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One occurrence of a page.

    Attributes:
        service: Whose.
        began_s: First minute whose short-window burn exceeded the rule, unix time.
        fired_s: When it fired.
        acked_s: When a person took it on; None if nobody did.
        last_bad_s: The last bad minute; None while it is open.
    """

    service: str
    began_s: int
    fired_s: int
    acked_s: int | None
    last_bad_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """What one fault was, from its first to its last bad minute.

    Attributes:
        service: Whose.
        began_s: Its first bad minute, unix time.
        detected_s: When the first page fired.
        acked_s: When the first person took it on; None if nobody did.
        ended_s: Its last bad minute; of an open one, now.
        is_open: Whether it goes on.
    """

    service: str
    began_s: int
    detected_s: int
    acked_s: int | None
    ended_s: int
    is_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """One kind of time over incidents, in minutes; None without any.

    Attributes:
        n: Incidents that have it.
        mean: Their mean.
        median: Their median.
        p90: Their nearest-rank P90.
    """

    n: int
    mean: float | None
    median: float | None
    p90: float | None

    @property
    def is_enough(self) -> bool:
        """Whether there are enough incidents to say anything."""
        return self.n >= ENOUGH


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Times of the incidents of one service, or of several.

    Attributes:
        detect: From the first bad minute to the page.
        acknowledge: From the page to a person.
        recover: From the first to the last bad minute.
    """

    detect: Times
    acknowledge: Times
    recover: Times


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What markers and configuration show; None is no evidence.

    Attributes:
        deploy_min: Median length of deployments, from their markers.
        canaries_seen: Whether any deployment had a canary.
        scaling_automated_ratio: Share of scale events that nobody started by hand.
        rollback_automated_ratio: Share of rollbacks that nobody started by hand.
        regions_slo_met: Whether the objective over several regions is met.
    """

    deploy_min: float | None = None
    canaries_seen: bool = False
    scaling_automated_ratio: float | None = None
    rollback_automated_ratio: float | None = None
    regions_slo_met: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Maturity:
    """The level of operation, 1 manual, 2 scripted, 3 automated, 4 fully managed.

    Attributes:
        level: The least of `levels`; None while there are too few incidents.
        limited_by: The dimensions that have this level.
        levels: Level of each dimension.
        naive_level: By the mean time to recover alone; None without incidents.
        volume_level: What the tokens of a month suggest.
    """

    level: int | None
    limited_by: tuple[Dimension, ...]
    levels: dict[Dimension, int | None]
    naive_level: int | None
    volume_level: int


def incidents(pages: Iterable[Page], now_s: int) -> list[Incident]:
    """Return the incidents that pages make, oldest first, with those that ended within `WINDOW_S`."""
    found: list[Incident] = []
    for page in sorted(pages, key=lambda one: (one.service, one.began_s, one.fired_s)):
        last = found[-1] if found else None
        one = _incident(page, now_s)
        if last and last.service == one.service and one.began_s - last.ended_s <= GAP_S:
            found[-1] = _joined(last, one)
        else:
            found.append(one)
    recent = [one for one in found if one.ended_s >= now_s - WINDOW_S]
    return sorted(recent, key=lambda one: (one.began_s, one.service))


def figures(of: Sequence[Incident]) -> Figures:
    """Return the times of incidents; open ones count up to now."""
    return Figures(
        detect=_times([one.detected_s - one.began_s for one in of]),
        acknowledge=_times([one.acked_s - one.detected_s for one in of if one.acked_s is not None]),
        recover=_times([one.ended_s - one.began_s for one in of]),
    )


def maturity(recover: Times, evidence: Evidence, tokens_per_month: int) -> Maturity:
    """Return the level that times and evidence show."""
    levels = {
        Dimension.RECOVERY: _bucket(recover.median) if recover.is_enough else None,
        Dimension.DEPLOY: _deploy_level(evidence),
        Dimension.SCALING: _automated_level(evidence.scaling_automated_ratio),
        Dimension.ROLLBACK: _automated_level(evidence.rollback_automated_ratio),
        Dimension.REGIONS: 4 if evidence.regions_slo_met else 3,
    }
    known = [level for level in levels.values() if level is not None]
    level = min(known) if len(known) == len(levels) else None
    return Maturity(
        level=level,
        limited_by=tuple(dimension for dimension, one in levels.items() if one == level),
        levels=levels,
        naive_level=_bucket(recover.mean),
        volume_level=next((level for least, level in _TOKENS if tokens_per_month >= least), 1),
    )


def _incident(page: Page, now_s: int) -> Incident:
    return Incident(
        service=page.service,
        began_s=page.began_s,
        detected_s=page.fired_s,
        acked_s=page.acked_s,
        ended_s=now_s if page.last_bad_s is None else page.last_bad_s,
        is_open=page.last_bad_s is None,
    )


def _joined(first: Incident, second: Incident) -> Incident:
    acks = [acked for acked in (first.acked_s, second.acked_s) if acked is not None]
    return Incident(
        service=first.service,
        began_s=first.began_s,
        detected_s=min(first.detected_s, second.detected_s),
        acked_s=min(acks, default=None),
        ended_s=max(first.ended_s, second.ended_s),
        is_open=first.is_open or second.is_open,
    )


def _times(seconds: Sequence[int]) -> Times:
    if not seconds:
        return Times(n=0, mean=None, median=None, p90=None)
    minutes = sorted(one / _MINUTE_S for one in seconds)
    return Times(
        n=len(minutes),
        mean=statistics.fmean(minutes),
        median=statistics.median(minutes),
        p90=minutes[rank(P90, len(minutes)) - 1],
    )


def _bucket(minutes: float | None) -> int | None:
    """Return the level of a time to recover."""
    return None if minutes is None else next((level for most, level in _BUCKETS_MIN if minutes <= most), 1)


def _deploy_level(evidence: Evidence) -> int:
    if evidence.deploy_min is None or evidence.deploy_min > _DEPLOY_MIN:
        return 1
    return 4 if evidence.canaries_seen else 2


def _automated_level(ratio: float | None) -> int:
    return 4 if ratio is not None and ratio >= _AUTOMATED else 2
