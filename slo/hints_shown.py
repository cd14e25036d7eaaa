"""Knows how hints, acts and scores look from outside; refuses to know routes.

Source: spec/scaling.md 1 (hint, score), 2 (routes).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from pydantic import RootModel

from slo.alertmanager_body import rfc3339
from slo.hints_acts import HintAct
from slo.hints_score import Calibration
from slo.hints_target import Hinted
from slo.scaling.cold_start import Phase, Told
from slo.scaling.proposal import DAYS_MIN, days_seen, proposals

Row = Mapping[str, Any]


class HintShown(RootModel[dict[str, Any]]):
    """A hint, `inferometer.hint/v1`: docs/hint.schema.json."""


class HintsShown(RootModel[dict[str, list[dict[str, Any]]]]):
    """`hints`: the last hint of every target that was seen, in the order of the configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreShown:
    """How a hint turned out, one lead later; None is unknown.

    Attributes:
        scored_at: When.
        applied: Replicas that somebody said were applied.
        demand_actual: Arrivals one lead later, requests a second.
        p95_held: Whether they stayed at or below the P95 forecast.
        slo_missed_minutes: Minutes of the lead in which the objective was missed.
        gpu_h_delta: GPU hours that following it would have cost, less what was spent.
    """

    scored_at: str
    applied: int | None
    demand_actual: float | None
    p95_held: bool | None
    slo_missed_minutes: float | None
    gpu_h_delta: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PastHintShown:
    """A hint as it was first, and how it turned out; the score is null until one lead later."""

    hint: dict[str, Any]
    score: ScoreShown | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HintHistoryShown:
    """Hints of a time, newest first, at most 1,000."""

    since: str
    until: str
    hints: tuple[PastHintShown, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationShown:
    """How far hints of a target were right.

    Attributes:
        target: Which.
        forecasts: P95 forecasts, of the last 100, that are known to have held or not.
        held: How many held.
        held_ratio: Their share; 0.95 is what they promise.
        minutes: Minutes of the last day that were decided.
        gpu_h_saved: GPU hours that following would have saved in them; negative if it would have cost some.
        missed_minutes_more: Minutes in which it would have carried less than what came, though what was there did not.
    """

    target: str
    forecasts: int
    held: int
    held_ratio: float | None
    minutes: int
    gpu_h_saved: float
    missed_minutes_more: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalShown:
    """A schedule that people may add.

    Attributes:
        text: What was seen.
        yaml: What to add below `schedules` of the target.
        cron: When it begins, in UTC.
        duration_s: How long it lasts.
        expected_rps: Rate to expect.
        rise_ratio: Mean rate in it over the level of such days, less 1; null where there is nothing else.
        held: Days that had it.
        days: Such days that were seen.
    """

    text: str
    yaml: str
    cron: str
    duration_s: int
    expected_rps: float
    rise_ratio: float | None
    held: int
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalsShown:
    """Schedules that the past days of a target suggest; none is ever applied.

    Attributes:
        target: Which.
        days: Days that had any traffic, of the last 14 and today.
        days_needed: So many are needed for a proposal.
        proposals: The one with the highest rate first, at most 8.
    """

    target: str
    days: int
    days_needed: int
    proposals: tuple[ProposalShown, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HintActShown:
    """Something that was done with a hint.

    Attributes:
        target: Of which target.
        kind: `ack`, `report`, `freeze` or `unfreeze`.
        at: When.
        actor: Who.
        hint_id: Of the hint; empty if it is about none.
        replicas: Replicas that are asked for since; null if it is not about any.
        until: Until when a freeze holds.
        reason: Why.
    """

    target: str
    kind: str
    at: str
    actor: str
    hint_id: str
    replicas: int | None
    until: str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HintStartShown:
    """What was told of the start of a replica; null was not told.

    Attributes:
        target: Of which target.
        replica: Which.
        at: When it was told.
        schedule_s: Asked for to placed on a node.
        image_s: Fetching the image.
        weights_s: Loading the weights.
        init_s: The engine's own start, without the weights.
    """

    target: str
    replica: str
    at: str
    schedule_s: float | None
    image_s: float | None
    weights_s: float | None
    init_s: float | None


def start_shown(target: str, one: Told) -> HintStartShown:
    """Return what was told of a start."""
    return HintStartShown(
        target=target,
        replica=one.replica,
        at=rfc3339(int(one.at_s)),
        schedule_s=one.took_s.get(Phase.SCHEDULE),
        image_s=one.took_s.get(Phase.IMAGE),
        weights_s=one.took_s.get(Phase.WEIGHTS),
        init_s=one.took_s.get(Phase.INIT),
    )


def past_shown(row: Row) -> PastHintShown:
    """Return a hint of the past."""
    scored_ms = int(row["scored_unix_ms"] or 0)
    score = ScoreShown(
        scored_at=rfc3339(scored_ms // 1000),
        applied=row["applied"],
        demand_actual=row["demand_per_s"],
        p95_held=None if row["held"] is None else bool(row["held"]),
        slo_missed_minutes=row["missed_minutes"],
        gpu_h_delta=row["gpu_h_delta"],
    )
    hint: dict[str, Any] = msgspec.json.decode(str(row["payload"]))
    return PastHintShown(hint=hint, score=score if scored_ms else None)


def history_shown(rows: Sequence[Row], since_s: int, until_s: int) -> HintHistoryShown:
    """Return the hints of a time."""
    return HintHistoryShown(since=rfc3339(since_s), until=rfc3339(until_s), hints=tuple(map(past_shown, rows)))


def calibration_shown(target: str, of: Calibration) -> CalibrationShown:
    """Return how far hints of a target were right."""
    return CalibrationShown(
        target=target,
        forecasts=of.forecasts,
        held=of.held,
        held_ratio=of.held_ratio,
        minutes=of.minutes,
        gpu_h_saved=of.gpu_h_saved,
        missed_minutes_more=of.missed_minutes_more,
    )


def proposals_shown(one: Hinted, history: Mapping[int, float]) -> ProposalsShown:
    """Return the schedules that the past days of a target suggest.

    Args:
        one: The target.
        history: Rate of each slot that had any, by its start.
    """
    found = proposals(history, one.settings.schedules)
    return ProposalsShown(
        target=one.name,
        days=days_seen(history),
        days_needed=DAYS_MIN,
        proposals=tuple(
            ProposalShown(
                text=each.text,
                yaml=each.yaml,
                cron=each.cron,
                duration_s=each.duration_s,
                expected_rps=each.expected_rps,
                rise_ratio=each.rise_ratio,
                held=each.held,
                days=each.days,
            )
            for each in found
        ),
    )


def act_shown(act: HintAct, *, replicas: bool) -> HintActShown:
    """Return something that was done; `replicas` says whether it is about their number."""
    return HintActShown(
        target=act.target,
        kind=act.kind.value,
        at=rfc3339(act.at_ms // 1000),
        actor=act.actor,
        hint_id=act.hint_id,
        replicas=act.applied if replicas else None,
        until=None if act.until_ms is None else rfc3339(act.until_ms // 1000),
        reason=act.reason,
    )
