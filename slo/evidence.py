"""Knows what markers and objectives show of how a service is operated; refuses to know levels.

Source: spec/slo.md 18 (evidence asked).
"""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slo.desk_records import MarkerKind
from slo.mttr import Evidence
from slo.shown import SloShown

REGIONS_TEMPLATE = "availability_multi_region"
ROLLBACK_WORD = "rollback"
"""A deployment whose text has this word takes a version back."""
CANARY_WORD = "canary"
"""A deployment whose text has this word went to some of the traffic first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operated:
    """What was written down of the last time.

    Attributes:
        markers: Rows of `queries.told.markers`.
        tokens_per_month: Output tokens of the last 30 days.
    """

    markers: Sequence[Mapping[str, Any]]
    tokens_per_month: int


def evidence(markers: Sequence[Mapping[str, Any]], slos: Iterable[SloShown]) -> Evidence:
    """Return what markers and objectives show; None is no evidence."""
    deploys = [row for row in markers if row["kind"] == MarkerKind.DEPLOY]
    ended = [_minutes(row) for row in deploys if row["end_unix_ms"] is not None]
    regional = [one for one in slos if one.definition.template == REGIONS_TEMPLATE]
    return Evidence(
        deploy_min=statistics.median(ended) if ended else None,
        canaries_seen=any(CANARY_WORD in str(row["text"]).lower() for row in deploys),
        scaling_automated_ratio=_automated([row for row in markers if row["kind"] == MarkerKind.SCALE]),
        rollback_automated_ratio=_automated([row for row in deploys if ROLLBACK_WORD in str(row["text"]).lower()]),
        regions_slo_met=all((one.remaining or 0.0) > 0 for one in regional) if regional else None,
    )


def _minutes(row: Mapping[str, Any]) -> float:
    return (int(row["end_unix_ms"]) - int(row["at_unix_ms"])) / 60_000


def _automated(rows: Sequence[Mapping[str, Any]]) -> float | None:
    return sum(int(row["automated"]) for row in rows) / len(rows) if rows else None
