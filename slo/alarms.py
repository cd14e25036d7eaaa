"""Knows how one instant's evaluations move the alerts, and what follows to be said; refuses to send it.

A fold like the states themselves: the alerts before, what was evaluated, and the instant give the alerts after, the
changes and the notices. A notice is made when an alert that fires is not held back and has not been told of, when it
is told again after a while, and when an alert that was told of ends. An alert that flaps is told once.

Source: spec/slo.md 7 (`EndpointDown`, `SLOBlind`, `TelemetryGap`), 9, 10, 11 (renotify: page 1 h, ticket 24 h).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from slo.alert import Alert
from slo.alert_moves import AlertEvent, AlertState
from slo.alert_states import Record, Timers, Transition, default_timers, resumed, step
from slo.burn_catalogue import Severity
from slo.evaluation import Evaluated, holding
from slo.identity import IDENTITY, fingerprint, identity_labels
from slo.inhibit import Firing, Kind, inhibited
from slo.notice import Notice
from slo.rules.rule import RuleId
from slo.silence import Silence, silenced_by
from slo.telemetry_state import BLIND_PAGE_S, BLIND_TICKET_S
from slo.watch import Watch
from slo.watched import HOUR_S, Watched
from slo.words import burn_words, with_state

RENOTIFY_S = {Severity.PAGE: 3_600, Severity.TICKET: 86_400}
"""How long after it was told an alert that still fires is told again."""
TOLD_S = 300
"""What has fired for this long has been told by whoever found it, or is told again soon."""
_GAP_S = 120
_RULES = frozenset[str](RuleId)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One objective and group at one instant.

    Attributes:
        watched: The objective.
        group: Values that it is grouped by.
        found: What was evaluated; None if the counts cannot be.
        is_wider: Whether it is judged only because groups of it have too few requests: it has the objective's own
            alerts, and those of telemetry and probes are its groups'.
        identities: Fingerprint and labels of its alerts, as far as somebody asked; `replace` hands them on.
    """

    watched: Watched
    group: Mapping[str, str] = field(default_factory=dict[str, str])
    found: Evaluated | None = None
    is_wider: bool = False
    identities: dict[tuple[str, Severity], tuple[int, Mapping[str, str]]] = field(
        default_factory=dict[tuple[str, Severity], tuple[int, Mapping[str, str]]], repr=False, compare=False
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """What keeps notices back.

    Attributes:
        silences: Those that somebody made.
        acknowledged: Fingerprints that somebody took on; they are not told again.
    """

    silences: Sequence[Silence] = ()
    acknowledged: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """The alerts after an instant.

    Attributes:
        alerts: All of which something is remembered, by fingerprint.
        changed: Those whose record is to be kept now.
        transitions: Changes of state.
        notices: What is to be said now.
        standing: What a receiver that wants states has to hear: what fires and what has just ended, not held back.
        held: Fingerprint of what is held back to the reason.
    """

    alerts: Mapping[int, Alert]
    changed: tuple[Alert, ...]
    transitions: tuple[tuple[Alert, Transition], ...]
    notices: tuple[Notice, ...]
    standing: tuple[Alert, ...]
    held: Mapping[int, str]


def advance(
    judged: Sequence[Judged | Watch],
    before: Mapping[int, Alert],
    at_s: int,
    *,
    may_start: bool = True,
    complete: bool = True,
    quiet: Quiet = Quiet(),
) -> Moved:
    """Return the alerts after an instant.

    Args:
        judged: Every objective and group that is evaluated, and what is said of alerts that no objective makes. One
            that is remembered and that nobody speaks for has no cause any more, and ends.
        before: The alerts of the last instant, by fingerprint.
        at_s: The instant.
        may_start: Whether alerts may begin to fire; not for a while after a step of the clock.
        complete: Whether everything there is was evaluated: only then an alert that was not has no cause any more.
        quiet: What keeps notices back.
    """
    alerts = dict(before)
    changed: dict[int, Alert] = {}
    transitions: list[tuple[Alert, Transition]] = []
    watches = [watch for one in judged for watch in _watches(one, before)]
    spoken = {watch.fingerprint: watch for watch in watches}
    moves = [_moved(watch, before, at_s, may_start=may_start) for watch in watches]
    for alert, transition in moves:
        if transition is not None and not _is_beginning(transition):
            transitions.append((alert, transition))
        if _is_kept(alert, before.get(alert.fingerprint)):
            alerts[alert.fingerprint] = changed[alert.fingerprint] = alert
    for alert, transition in _gone([alert for key, alert in before.items() if complete and key not in spoken], at_s):
        alerts[alert.fingerprint] = changed[alert.fingerprint] = alert
        transitions.append((alert, transition))
    firing = [_firing(one, spoken.get(key)) for key, one in alerts.items() if one.record.state is AlertState.FIRING]
    held = _held(alerts, firing, at_s, quiet.silences)
    ended = {alert.fingerprint for alert, transition in transitions if transition.ends}
    notices: list[Notice] = []
    for alert in changed.values():
        if notice := _notice(alert, at_s, ended, held, quiet.acknowledged):
            notices.append(notice)
            told = replace(alert, record=replace(alert.record, last_sent_at_s=at_s))
            alerts[alert.fingerprint] = changed[alert.fingerprint] = told
    return Moved(
        alerts=alerts,
        changed=tuple(changed.values()),
        transitions=tuple(transitions),
        notices=tuple(notices),
        standing=tuple(alert for alert in alerts.values() if alert.is_told and alert.fingerprint not in held),
        held=held,
    )


def restored(alerts: Mapping[int, Alert], now_s: int, hashes: Mapping[str, int]) -> dict[int, Alert]:
    """Return what an engine that starts may trust, given the definition hash of each objective."""
    return {
        key: replace(alert, record=resumed(alert.record, now_s, hashes.get(alert.labels.get("slo", ""), 0)))
        for key, alert in alerts.items()
    }


def taken_over(told: Mapping[int, Alert], now_s: int, hashes: Mapping[str, int]) -> dict[int, Alert]:
    """Return what an engine without a memory may trust of the alerts that the store knows.

    These are those of its own objectives, given their definition hashes, and of built-in rules.
    """

    def is_own(labels: Mapping[str, str]) -> bool:
        name = labels.get("slo")
        return name in hashes if name else labels["alertname"] in _RULES

    own = {key: as_told(alert, now_s) for key, alert in told.items() if is_own(alert.labels)}
    return restored(own, now_s, hashes)


def as_told(alert: Alert, now_s: int) -> Alert:
    """Return an alert of which only the store remembers, so that nobody knows when it was told.

    A page that has fired for five minutes has been told: it is not told again before its time, and its end is. One that
    began since may not have been, and a ticket may have been held back by a page: they are told, under their own key.
    """
    record, is_page = alert.record, alert.labels["severity"] == Severity.PAGE
    if not is_page or record.fired_at_s is None or now_s - record.fired_at_s < TOLD_S:
        return alert
    return replace(alert, record=replace(record, last_sent_at_s=record.fired_at_s))


def identity_of(one: Judged, name: str, severity: Severity) -> dict[str, str]:
    """Return the labels that an alert of an objective and group is known by."""
    objective = one.watched.objective
    known = {"alertname": name, "slo": objective.name, "service": objective.service, **one.group, "severity": severity}
    static = {label: values[0] for label, values in objective.labels.items() if len(values) == 1}
    finer = {dim: value for dim, value in one.group.items() if dim not in IDENTITY}
    return identity_labels(known, static | finer)


def _watches(one: Judged | Watch, before: Mapping[int, Alert]) -> Iterator[Watch]:
    """Yield the alerts of an objective and group with what this instant says of them.

    One of which nothing is remembered moves only if this instant is bad; of most alerts, most of the time, that is all.
    """
    if isinstance(one, Watch):
        if _is_of_interest(one.fingerprint, one.event, before):
            yield one
        return
    for name, severity, event, for_s in _events(one):
        key, labels = _identity(one, name, severity)
        if _is_of_interest(key, event, before):
            of = (one, severity, event, key, labels)
            yield _own(*of, before.get(key)) if for_s is None else _meta(*of, for_s)


def _is_of_interest(key: int, event: AlertEvent, before: Mapping[int, Alert]) -> bool:
    return event is AlertEvent.BAD or key in before


def _events(one: Judged) -> Iterator[tuple[str, Severity, AlertEvent, int | None]]:
    """Yield name, severity, event and waiting time of every alert; None waits as long as its rule says."""
    found, own = one.found, one.watched.objective.name
    if found is None:
        yield "SLIInvalid", Severity.PAGE, AlertEvent.BAD, 0
        for severity in Severity:
            yield own, severity, AlertEvent.BLIND, None
        return
    known = found.known
    for severity in Severity:
        yield own, severity, found.events[severity], None
    if one.is_wider:
        return
    blind = AlertEvent.BAD if known.is_blind else AlertEvent.OK
    down = AlertEvent.BAD if known.endpoint_down else AlertEvent.BLIND if known.is_blind else AlertEvent.OK
    gap = AlertEvent.BAD if known.has_gap else AlertEvent.BLIND if known.is_blind else AlertEvent.OK
    yield "EndpointDown", Severity.PAGE, down, 0
    yield "SLOBlind", Severity.TICKET, blind, BLIND_TICKET_S
    yield "SLOBlind", Severity.PAGE, blind, BLIND_PAGE_S
    yield "TelemetryGap", Severity.TICKET, gap, _GAP_S
    yield "SLIInvalid", Severity.PAGE, AlertEvent.BLIND if known.is_blind else AlertEvent.OK, 0


def _own(
    one: Judged, severity: Severity, event: AlertEvent, key: int, labels: Mapping[str, str], known: Alert | None
) -> Watch:
    found, rules = one.found, known.rules if known else ()
    calm = one.watched.calm(severity, rules)
    if found:
        rules = holding(found, severity, rules)
        event = AlertEvent.OK if event is AlertEvent.NEAR and not rules else event
    spoken = found.speaking.get(severity, ()) if found else ()
    return Watch(
        fingerprint=key,
        labels=labels,
        event=event,
        timers=spoken[0].rule.timers if spoken else calm,
        words=lambda: burn_words(one.watched, found, severity, one.group) if found else {},
        kind=Kind.BURN,
        definition_hash=one.watched.definition_hash,
        bad=found.facts.over(HOUR_S).bad if found else None,
        rules=rules,
    )


_KINDS = {"EndpointDown": Kind.DOWN, "SLOBlind": Kind.BLIND, "TelemetryGap": Kind.BLIND, "SLIInvalid": Kind.INVALID}
_SENTENCES = {
    "EndpointDown": "probes find nobody at {where}",
    "SLOBlind": "nobody looks at {where}: its alerts stand as they were seen last",
    "TelemetryGap": "too few collectors of {where} are heard to say that all is well",
    "SLIInvalid": "the counts of {where} cannot be: its value is withheld",
}


def _meta(one: Judged, severity: Severity, event: AlertEvent, key: int, labels: Mapping[str, str], for_s: int) -> Watch:
    where = f"{one.watched.objective.name} ({' '.join(one.group.values()) or one.watched.objective.service})"
    sentence = _SENTENCES[labels["alertname"]].format(where=where)
    return Watch(
        fingerprint=key,
        labels=labels,
        event=event,
        timers=Timers(for_s=for_s, keep_firing_s=default_timers(severity, is_burn_rule=False).keep_firing_s),
        words=lambda: {"summary": sentence},
        kind=_KINDS[labels["alertname"]],
        definition_hash=one.watched.definition_hash,
    )


def _identity(one: Judged, name: str, severity: Severity) -> tuple[int, Mapping[str, str]]:
    """Return the fingerprint and the labels of an alert."""
    if (known := one.identities.get((name, severity))) is None:
        labels = identity_of(one, name, severity)
        known = one.identities[name, severity] = (fingerprint(labels), labels)
    return known


def _moved(watch: Watch, before: Mapping[int, Alert], at_s: int, *, may_start: bool) -> tuple[Alert, Transition | None]:
    key = watch.fingerprint
    known = before.get(key)
    record = known.record if known else Record(fingerprint=key, definition_hash=watch.definition_hash)
    after, transition = step(record, watch.event, at_s, watch.timers, may_start=may_start)
    words: Mapping[str, str] = {} if known is None else known.annotations
    if watch.event is AlertEvent.BAD:
        words = watch.words()
    if after.state is AlertState.FIRING:
        words = with_state(words, after)
    same = known is not None and after.occurrence == known.record.occurrence
    explanation: Mapping[str, str] = known.explanation if known is not None and same else {}
    alert = Alert(record=after, labels=watch.labels, annotations=words, explanation=explanation, rules=watch.rules)
    return alert, transition


def _gone(alerts: Sequence[Alert], at_s: int) -> Iterator[tuple[Alert, Transition]]:
    """End the alerts of objectives and groups that are not evaluated any more."""
    for alert in alerts:
        before = alert.record
        if before.state is not AlertState.INACTIVE:
            after = replace(before, state=AlertState.INACTIVE, at_s=at_s, active_at_s=None, clear_since_s=None)
            yield (
                replace(alert, record=after),
                Transition(
                    at_s=at_s,
                    before=before.state,
                    after=after.state,
                    occurrence=after.occurrence,
                    ends=before.state is AlertState.FIRING,
                    begins_to_flap=False,
                ),
            )


def _is_beginning(transition: Transition) -> bool:
    """Say whether an alert of which nothing is remembered was found calm: that is so at every instant, and no news."""
    return transition.before is AlertState.UNKNOWN and transition.after is AlertState.INACTIVE and not transition.ends


def _is_kept(alert: Alert, before: Alert | None) -> bool:
    """Say whether an alert is to be remembered: not one of which there is nothing to say, and not twice the same."""
    live = alert.record.state in {AlertState.PENDING, AlertState.FIRING, AlertState.RESOLVED}
    moved = before is not None and before.record.state is not alert.record.state
    return live or moved or (before is None and alert.record.occurrence > 0)


def _firing(alert: Alert, watch: Watch | None) -> Firing:
    labels = alert.labels
    known = Kind.BURN if labels.get("slo") else Kind.OTHER
    return Firing(
        fingerprint=alert.fingerprint,
        labels=labels,
        severity=Severity(labels["severity"]),
        kind=watch.kind if watch else _KINDS.get(labels["alertname"], known),
        bad=watch.bad if watch else None,
    )


def _held(
    alerts: Mapping[int, Alert], firing: Sequence[Firing], at_s: int, silences: Sequence[Silence]
) -> dict[int, str]:
    by_others = inhibited(firing)
    held = {key: f"{name}: {alerts[by].labels.get('alertname', '')}" for key, (by, name) in by_others.items()}
    for key, alert in alerts.items():
        if alert.is_told and (ids := silenced_by(alert.labels, at_s, silences)):
            held[key] = f"silenced by {', '.join(ids)}"
    return held


def _notice(
    alert: Alert, at_s: int, ended: set[int], held: Mapping[int, str], acknowledged: frozenset[int]
) -> Notice | None:
    record = alert.record
    told_s = record.last_sent_at_s
    was_told = told_s is not None and record.fired_at_s is not None and told_s >= record.fired_at_s
    if alert.fingerprint in ended:
        return alert.notice() if was_told and not record.is_flapping else None
    if alert.fingerprint in held:
        return None
    if record.state is not AlertState.FIRING or (record.is_flapping and was_told):
        return None
    every_s = RENOTIFY_S[Severity(alert.labels["severity"])]
    since_s = at_s - (record.fired_at_s or at_s)
    if not was_told:  # what is calm and only kept firing is no news
        return alert.notice(since_s // every_s) if record.clear_since_s is None else None
    due = at_s - (told_s or 0) >= every_s and alert.fingerprint not in acknowledged
    return alert.notice(max(1, since_s // every_s)) if due else None
