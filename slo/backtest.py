"""Knows which alerts a policy would have raised over a history; refuses to know where the history is kept.

The evaluator and the states are those of the engine, at the same instants. An instant at which no rule of an objective
can be true and none of its alerts stands is passed over: it would change nothing.

Error: none against an engine that saw the same counts; see `slo.past` for what the store does not remember. Objectives
that are watched with unknown states at the start begin as an engine does that has forgotten them.

Source: spec/slo.md 15; A18 (identical bytes; live run and backtest agree on every transition).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from slo import budget
from slo.alarms import Judged, Moved, advance
from slo.alert import Alert
from slo.alert_moves import AlertState
from slo.alert_states import Transition
from slo.burn_catalogue import Severity
from slo.errors import CountsError
from slo.evaluation import Reading, evaluate
from slo.gates import Gate
from slo.identity import IDENTITY
from slo.instants import STEP_S
from slo.notice import Status
from slo.past import Past, Replay
from slo.score import Incident, Score, score
from slo.watched import HOUR_S

WEEK_S = 604_800
_LIVE = frozenset({AlertState.PENDING, AlertState.FIRING, AlertState.RESOLVED})
_GROUP = tuple(name for name in IDENTITY if name not in {"alertname", "slo", "service", "severity"})

Series = tuple[str, ...]
"""An objective and group, as the labels of its alerts say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One page or ticket, as it would have been told.

    Attributes:
        slo: The objective.
        service: Of the objective.
        group: Values that it is grouped by.
        alertname: Name of the alert.
        severity: Page or ticket.
        start_s: The instant at which it was told, unix time.
        end_s: The instant at which it ended; None if it still stood.
        rule: The rule that spoke.
        burn: Burn rate of the last hour at the start; None for an alert without any.
        gates: Gates that kept its rule silent up to its start.
    """

    slo: str
    service: str
    group: Mapping[str, str]
    alertname: str
    severity: Severity
    start_s: int
    end_s: int | None
    rule: str
    burn: float | None
    gates: tuple[Gate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Silenced:
    """What one gate kept silent.

    Attributes:
        times: Spans in which a rule was true and this gate failed.
        seconds: Their length in all.
    """

    times: int
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """What was left of a budget.

    Attributes:
        slo: The objective.
        group: Values that it is grouped by.
        points: Unix time and share that was left, hour by hour; None where nothing was counted.
    """

    slo: str
    group: Mapping[str, str]
    points: tuple[tuple[int, float | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Backtest:
    """What a policy would have done.

    Attributes:
        since_s: The first instant, unix time.
        until_s: The last one.
        alarms: In the order of their start.
        transitions: Changes of state, oldest first.
        pages_per_week: Of all objectives together.
        silenced: By gate.
        curves: Of each objective and group.
        score: Against the incidents.
    """

    since_s: int
    until_s: int
    alarms: tuple[Alarm, ...]
    transitions: tuple[tuple[Alert, Transition], ...]
    pages_per_week: float
    silenced: Mapping[Gate, Silenced]
    curves: tuple[Curve, ...]
    score: Score


def backtest(pasts: Sequence[Past], since_s: int, until_s: int, incidents: Sequence[Incident] = ()) -> Backtest:
    """Return what would have been told.

    Args:
        pasts: Each objective and group once.
        since_s: Start, unix time; the first instant is the first aligned one from here on.
        until_s: End, excluded.
        incidents: What people marked.
    """
    first_s = -(-since_s // STEP_S) * STEP_S
    replays = [Replay(past, first_s) for past in pasts]
    told, curves = _Told(), [list[tuple[int, float | None]]() for _ in pasts]
    alerts: Mapping[int, Alert] = {}
    live = _live(())
    for at_s in range(first_s, until_s, STEP_S):
        judged: list[Judged] = []
        for replay, curve in zip(replays, curves, strict=True):
            replay.advance()
            if at_s % HOUR_S == 0:
                curve.append((at_s, _left(replay)))
            if not replay.is_calm or _series(replay.past) in live:
                judged.append(_judged(replay))
        if judged:
            moved = advance(judged, alerts, at_s)
            told.keep(at_s, judged, moved)
            alerts, live = moved.alerts, _live(moved.alerts.values())
    last_s = max(first_s, first_s + (until_s - 1 - first_s) // STEP_S * STEP_S)
    pages = [(alarm.start_s, alarm.service) for alarm in told.alarms if alarm.severity is Severity.PAGE]
    return Backtest(
        since_s=first_s,
        until_s=last_s,
        alarms=tuple(told.alarms),
        transitions=tuple(told.transitions),
        pages_per_week=len(pages) * WEEK_S / (last_s + STEP_S - first_s),
        silenced={gate: Silenced(times=n, seconds=s) for gate, (n, s) in sorted(told.silenced.items())},
        curves=tuple(
            Curve(slo=past.watched.objective.name, group=past.group, points=tuple(curve))
            for past, curve in zip(pasts, curves, strict=True)
        ),
        score=score(pages, incidents),
    )


@dataclass
class _Spell:
    """A span in which a rule is true and silent."""

    last_s: int
    gates: set[Gate] = field(default_factory=set[Gate])


class _Told:
    """What was told so far."""

    def __init__(self) -> None:
        self.alarms: list[Alarm] = []
        self.transitions: list[tuple[Alert, Transition]] = []
        self.silenced: dict[Gate, tuple[int, int]] = {}
        self._open: dict[int, int] = {}
        self._spells: dict[tuple[Series, str], _Spell] = {}

    def keep(self, at_s: int, judged: Sequence[Judged], moved: Moved) -> None:
        """Take note of one instant."""
        of = {_of_labels(one.watched.objective.name, one.group): one for one in judged}
        for notice in moved.notices:
            if notice.status is Status.FIRING and notice.fingerprint not in self._open:
                alert = moved.alerts[notice.fingerprint]
                self._open[notice.fingerprint] = len(self.alarms)
                self.alarms.append(self._alarm(at_s, alert, of[_of_labels(alert.labels["slo"], alert.labels)]))
        for alert, transition in moved.transitions:
            self.transitions.append((alert, transition))
            if transition.ends and (place := self._open.pop(alert.fingerprint, None)) is not None:
                self.alarms[place] = replace(self.alarms[place], end_s=at_s)
        self._keep_silent(at_s, of)

    def _keep_silent(self, at_s: int, of: Mapping[Series, Judged]) -> None:
        for series, one in of.items():
            for reading in one.found.readings if one.found else ():
                if reading.silenced_by:
                    self._silent(at_s, (series, reading.rule.name), reading)

    def _silent(self, at_s: int, key: tuple[Series, str], reading: Reading) -> None:
        spell = self._spells.get(key)
        if spell is None or spell.last_s < at_s - STEP_S:
            spell = self._spells[key] = _Spell(last_s=at_s)
        spell.last_s = at_s
        for gate in sorted({silence.gate for silence in reading.silenced_by}):
            times, seconds = self.silenced.get(gate, (0, 0))
            self.silenced[gate] = (times + (gate not in spell.gates), seconds + STEP_S)
            spell.gates.add(gate)

    def _alarm(self, at_s: int, alert: Alert, one: Judged) -> Alarm:
        severity, name = Severity(alert.labels["severity"]), alert.labels["alertname"]
        own = name == one.watched.objective.name
        spoken = one.found.speaking.get(severity, ()) if own and one.found else ()
        rule = spoken[0].rule.name if spoken else alert.annotations.get("rule", name)
        spell = self._spells.get((_of_labels(one.watched.objective.name, one.group), rule))
        return Alarm(
            slo=one.watched.objective.name,
            service=one.watched.objective.service,
            group=one.group,
            alertname=name,
            severity=severity,
            start_s=at_s,
            end_s=None,
            rule=rule,
            burn=one.found.burn[HOUR_S] if own and one.found else None,
            gates=tuple(sorted(spell.gates)) if spell and spell.last_s == at_s - STEP_S else (),
        )


def _judged(replay: Replay) -> Judged:
    past = replay.past
    try:
        found = evaluate(past.watched, replay.facts())
    except CountsError:
        found = None
    return Judged(watched=past.watched, group=past.group, found=found)


def _left(replay: Replay) -> float | None:
    try:
        counts = replay.period()
    except CountsError:
        return None
    return budget.occurrences(counts.eligible, counts.bad, replay.past.watched.objective.target).remaining


def _live(alerts: Iterable[Alert]) -> frozenset[Series]:
    """Return the series that have an alert which is not at rest."""
    return frozenset(_of_labels(a.labels["slo"], a.labels) for a in alerts if a.record.state in _LIVE)


def _series(past: Past) -> Series:
    return _of_labels(past.watched.objective.name, past.group)


def _of_labels(slo: str, labels: Mapping[str, str]) -> Series:
    return (slo, *(labels.get(name, "") for name in _GROUP))
