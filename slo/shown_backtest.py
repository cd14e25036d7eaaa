"""Knows how a backtest looks from outside; refuses to run one.

Source: spec/slo.md 15 (output: pages and tickets, per week, precision, recall, time to detect, silenced, budget).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from slo.alertmanager_body import rfc3339
from slo.backtest import Alarm, Backtest, Curve
from slo.burn_catalogue import Severity
from slo.shown import instant


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmShown:
    """One page or ticket, as it would have been told.

    Attributes:
        start: When.
        end: When it ended; None if it still stood.
        severity: `page` or `ticket`.
        slo: The objective.
        group: Values that it is grouped by.
        alert: Name of the alert.
        rule: The rule that spoke.
        burn: Burn rate of the last hour; None of an alert without any.
        gates: Gates that kept the rule silent up to then.
    """

    start: str
    end: str | None
    severity: str
    slo: str
    group: Mapping[str, str]
    alert: str
    rule: str
    burn: float | None
    gates: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SilencedShown:
    """How often and for how long one gate kept a rule silent that was true."""

    times: int
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PointShown:
    """What was left of a budget at an instant; None where nothing was counted."""

    t: str
    remaining: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveShown:
    """What was left of a budget, hour by hour."""

    slo: str
    group: Mapping[str, str]
    points: tuple[PointShown, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestShown:
    """What policies would have done.

    Attributes:
        since: The first instant.
        until: The last one.
        pages: How many pages.
        tickets: How many tickets.
        pages_per_week: Of all objectives together.
        precision_ratio: Share of the pages that meet an incident; None without incidents.
        recall_ratio: Share of the incidents that a page meets; None without incidents.
        detect_s: Median seconds from the start of an incident to its first page.
        incident_detect_s: The same incident by incident; None of one that no page met.
        silenced: By gate.
        alarms: In the order of their start.
        budget: Of each objective and group.
        notes: What is odd about the history: counts of another definition, objectives without any.
    """

    since: str
    until: str
    pages: int
    tickets: int
    pages_per_week: float
    precision_ratio: float | None
    recall_ratio: float | None
    detect_s: float | None
    incident_detect_s: tuple[int | None, ...]
    silenced: Mapping[str, SilencedShown]
    alarms: tuple[AlarmShown, ...]
    budget: tuple[CurveShown, ...]
    notes: tuple[str, ...]


def backtest_shown(found: Backtest, notes: Sequence[str]) -> BacktestShown:
    """Return a backtest."""
    pages = sum(alarm.severity is Severity.PAGE for alarm in found.alarms)
    return BacktestShown(
        since=rfc3339(found.since_s),
        until=rfc3339(found.until_s),
        pages=pages,
        tickets=len(found.alarms) - pages,
        pages_per_week=found.pages_per_week,
        precision_ratio=found.score.precision_ratio,
        recall_ratio=found.score.recall_ratio,
        detect_s=found.score.detect_s,
        incident_detect_s=found.score.found,
        silenced={
            gate.value: SilencedShown(times=one.times, seconds=one.seconds) for gate, one in found.silenced.items()
        },
        alarms=tuple(map(_alarm, found.alarms)),
        budget=tuple(map(_curve, found.curves)),
        notes=tuple(notes),
    )


def _alarm(one: Alarm) -> AlarmShown:
    return AlarmShown(
        start=rfc3339(one.start_s),
        end=instant(one.end_s),
        severity=one.severity.value,
        slo=one.slo,
        group=dict(one.group),
        alert=one.alertname,
        rule=one.rule,
        burn=one.burn,
        gates=tuple(gate.value for gate in one.gates),
    )


def _curve(one: Curve) -> CurveShown:
    points = tuple(PointShown(t=rfc3339(at_s), remaining=left) for at_s, left in one.points)
    return CurveShown(slo=one.slo, group=dict(one.group), points=points)
