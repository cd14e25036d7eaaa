"""Knows how hints turned out: what came, what it would have cost to follow them; refuses to ask, and to keep scores.

A hint is scored one lead after it was issued, when a replica asked for then is ready.

    held           what arrived then was at most the P95 forecast
    missed         minutes of the lead in which the objective was missed
    gpu_h_delta    (desired - replicas asked for, on average) * GPUs * lead

Over a day, minute by minute, so that no time counts twice: hours that following would have saved, and minutes in which
what came is more than the replicas carry that it asked for, though not more than those that were there.

Error: `gpu_h_delta` of hints whose leads overlap must not be added up.

Source: spec/scaling.md 1 (scored afterwards), 2 (calibration), 3 (held share of the last 100).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slo.hints_target import SCORED_LEAD_S_MAX
from slo.scaling.confidence import FORECASTS_MAX

LATE_S = 3_600
"""How late a hint may still be scored."""
_MINUTE_S = 60
_HOUR_S = 3_600
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How one hint turned out; None is unknown.

    Attributes:
        target: Whose.
        hint_id: Of the hint.
        at_s: When it was scored, unix time.
        applied: Replicas that somebody said were applied.
        demand_actual: Arrivals one lead later, requests a second.
        p95_held: Whether they stayed at or below the P95 forecast.
        slo_missed_minutes: Minutes of the lead in which the objective was missed.
        gpu_h_delta: GPU hours that following it would have cost, less what was spent.
    """

    target: str
    hint_id: str
    at_s: int
    applied: int | None
    demand_actual: float | None
    p95_held: bool | None
    slo_missed_minutes: float | None
    gpu_h_delta: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """How far hints of a target were right.

    Attributes:
        forecasts: Those of the last 100 that are known to have held or not.
        held: How many held.
        held_ratio: Their share; None without one.
        minutes: Minutes of the last day that were decided.
        gpu_h_saved: GPU hours that following would have saved in them; negative if it would have cost some.
        missed_minutes_more: Minutes in which it would have carried less than what came, though what was there did not;
            None where the goodput is unknown.
    """

    forecasts: int
    held: int
    held_ratio: float | None
    minutes: int
    gpu_h_saved: float
    missed_minutes_more: int | None


def due(rows: Sequence[Row], at_s: int) -> list[Row]:
    """Return the hints of one target that are to be scored at an instant, oldest first, each as it was first.

    Args:
        rows: Of `telemetry.queries.hint_records.minutes`, oldest first.
        at_s: The instant.
    """
    first: dict[str, Row] = {}
    for row in rows:
        first.setdefault(str(row["hint_id"]), row)
    return [row for row in first.values() if _lead_s(row) is not None and at_s - LATE_S < _due_s(row) <= at_s]


def score(
    of: Row, rows: Sequence[Row], at_s: int, gpus: int, applied: int | None, missed: Sequence[int] | None
) -> Score:
    """Return how a hint turned out.

    Args:
        of: The hint.
        rows: Minutes of its target, oldest first.
        at_s: When it is scored.
        gpus: Of one replica.
        applied: What somebody said was applied; None if nobody did.
        missed: Minutes in which the objective was missed, unix time; None without an objective.
    """
    issued_s, end_s = int(of["issued_unix_s"]), _due_s(of)
    within = [row for row in rows if issued_s <= int(row["t_unix_s"]) <= end_s]
    then = [row["demand_rps"] for row in rows if end_s <= int(row["t_unix_s"]) < end_s + 2 * _MINUTE_S]
    actual = None if not then or then[0] is None else float(then[0])
    there = sum(int(row["spec"]) for row in within) / len(within) if within else None
    p95 = of["p95_rps"]
    return Score(
        target=str(of["target"]),
        hint_id=str(of["hint_id"]),
        at_s=at_s,
        applied=applied,
        demand_actual=actual,
        p95_held=None if actual is None or p95 is None else actual <= float(p95),
        slo_missed_minutes=None if missed is None else float(sum(issued_s <= one < end_s for one in missed)),
        gpu_h_delta=None if there is None else (int(of["desired"]) - there) * gpus * (end_s - issued_s) / _HOUR_S,
    )


def calibration(scores: Iterable[Score], rows: Sequence[Row], gpus: int) -> Calibration:
    """Return how far hints of a target were right.

    Args:
        scores: Newest first.
        rows: Minutes of the last day.
        gpus: Of one replica.
    """
    known = [one.p95_held for one in scores if one.p95_held is not None][:FORECASTS_MAX]
    rated = [row for row in rows if row["goodput_rps"] is not None and row["demand_rps"] is not None]
    more = sum(
        int(row["desired"]) * row["goodput_rps"] < row["demand_rps"] <= int(row["spec"]) * row["goodput_rps"]
        for row in rated
    )
    return Calibration(
        forecasts=len(known),
        held=sum(known),
        held_ratio=sum(known) / len(known) if known else None,
        minutes=len(rows),
        gpu_h_saved=sum(int(row["spec"]) - int(row["desired"]) for row in rows) * gpus / _MINUTE_S,
        missed_minutes_more=more if rated else None,
    )


def missed_minutes(rows: Iterable[Row], slo: str, objective_ratio: float) -> list[int]:
    """Return the minutes, unix time, in which less than an objective's share of its requests was good.

    Args:
        rows: Of `telemetry.queries.sums_by`, by the minute.
        slo: Its name.
        objective_ratio: The share.
    """
    sums: dict[int, tuple[int, int]] = {}
    for row in rows:
        if row["slo"] == slo:
            eligible, good = sums.get(int(row["t_unix_s"]), (0, 0))
            sums[int(row["t_unix_s"])] = eligible + int(row["eligible"]), good + int(row["good"])
    return [at_s for at_s, (eligible, good) in sums.items() if eligible and good < objective_ratio * eligible]


def _lead_s(row: Row) -> float | None:
    found = row["lead_s"]
    return None if found is None else min(float(found), SCORED_LEAD_S_MAX)


def _due_s(row: Row) -> int:
    return int(row["issued_unix_s"]) + round(_lead_s(row) or 0.0)
