"""Knows how alerts look from outside: who they are, where they stand, what holds them back; refuses to know routes.

Source: spec/slo.md 12 (objects of `/v1/alerts`), 10 (silences, acknowledgements).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from slo.alert import Alert
from slo.alert_moves import AlertState
from slo.desk_records import Ack, Marker
from slo.shown import hexadecimal, instant, seen_at_s
from slo.silence import Silence
from slo.view import EngineView

LIVE = frozenset({AlertState.PENDING, AlertState.FIRING, AlertState.RESOLVED})
"""States of an alert that somebody may want to hear of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AckShown:
    """Who took an alert on.

    Attributes:
        who: Who.
        at: When.
        until: Until when it is not told again; None: as long as it fires.
    """

    who: str
    at: str
    until: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertShown:
    """One alert.

    Attributes:
        fingerprint: Hash of its labels.
        alertname: What it is about.
        slo: The objective behind it; empty if there is none.
        severity: `page` or `ticket`.
        state: Where it stands.
        labels: Its identity.
        annotations: What is said of it.
        active_at: Since when its condition has been true.
        fired_at: When this occurrence fired.
        clear_since: Since when it has been calm while firing.
        resolved_at: When this occurrence ended.
        occurrence: How many times it has fired.
        is_flapping: Whether it fires and resolves all the time.
        is_blind: Whether it fires and nobody looks.
        held_back_by: Why nobody is told; None if somebody is.
        acknowledged: Who took it on; None if nobody did.
    """

    fingerprint: str
    alertname: str
    slo: str
    severity: str
    state: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    active_at: str | None
    fired_at: str | None
    clear_since: str | None
    resolved_at: str | None
    occurrence: int
    is_flapping: bool
    is_blind: bool
    held_back_by: str | None
    acknowledged: AckShown | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertsShown:
    """Alerts at the last instant.

    Attributes:
        as_of: The instant; None before the first.
        alerts: Pages first, then by name.
    """

    as_of: str | None
    alerts: tuple[AlertShown, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeShown:
    """One change of state.

    Attributes:
        at: The instant.
        fingerprint: Whose.
        alertname: What it is about.
        slo: The objective behind it.
        severity: `page` or `ticket`.
        before: The state that was left.
        after: The state that was entered.
        occurrence: How many times it had fired.
        labels: Its identity.
        annotations: What was said of it then.
    """

    at: str
    fingerprint: str
    alertname: str
    slo: str
    severity: str
    before: str
    after: str
    occurrence: int
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class MatcherShown:
    """One condition on a label."""

    name: str
    op: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceShown:
    """One silence.

    Attributes:
        id: Its name.
        matchers: All must match.
        starts_at: From here on.
        ends_at: Until here.
        author: Who asked for it.
        comment: Why.
        state: `pending`, `active` or `expired`.
        holds: Fingerprints of the alerts that it holds back now.
    """

    id: str
    matchers: tuple[MatcherShown, ...]
    starts_at: str
    ends_at: str
    author: str
    comment: str
    state: str
    holds: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkerShown:
    """Something that happened and may explain a change."""

    id: str
    at: str
    end: str | None
    kind: str
    service: str
    endpoint: str
    version: str
    actor: str
    automated: bool
    text: str


def alerts_shown(
    view: EngineView, acks: Mapping[int, Ack], states: frozenset[AlertState] = LIVE, **labels: str
) -> AlertsShown:
    """Return alerts in some states, with some labels; an empty value asks for none."""
    wanted = {name: value for name, value in labels.items() if value}
    found = [
        alert_shown(alert, view, acks)
        for alert in view.alerts.values()
        if alert.record.state in states and wanted.items() <= alert.labels.items()
    ]
    found.sort(key=lambda one: (one.severity != "page", one.alertname, one.fingerprint))
    return AlertsShown(as_of=instant(seen_at_s(view)), alerts=tuple(found))


def alert_shown(alert: Alert, view: EngineView, acks: Mapping[int, Ack]) -> AlertShown:
    """Return one alert."""
    record = alert.record
    ack = acks.get(alert.fingerprint)
    return AlertShown(
        fingerprint=hexadecimal(alert.fingerprint),
        alertname=alert.labels.get("alertname", ""),
        slo=alert.labels.get("slo", ""),
        severity=alert.labels.get("severity", ""),
        state=record.state.value,
        labels=dict(alert.labels),
        annotations=dict(alert.notice().annotations),
        active_at=instant(record.active_at_s),
        fired_at=instant(record.fired_at_s),
        clear_since=instant(record.clear_since_s),
        resolved_at=instant(record.resolved_at_s),
        occurrence=record.occurrence,
        is_flapping=record.is_flapping,
        is_blind=record.is_blind,
        held_back_by=view.held.get(alert.fingerprint),
        acknowledged=None if ack is None else ack_shown(ack),
    )


def ack_shown(ack: Ack) -> AckShown:
    """Return who took an alert on."""
    return AckShown(who=ack.who, at=instant(ack.at_s) or "", until=instant(ack.until_s))


def change_shown(row: Mapping[str, Any]) -> ChangeShown:
    """Return one row of `queries.told.alert_changes`."""
    return ChangeShown(
        at=instant(int(row["at_unix_ms"]) // 1000) or "",
        fingerprint=hexadecimal(int(row["fingerprint"])),
        alertname=str(row["alertname"]),
        slo=str(row["slo"]),
        severity=str(row["severity"]),
        before=str(row["from_state"]),
        after=str(row["to_state"]),
        occurrence=int(row["occurrence"]),
        labels=dict(row["labels"]),
        annotations=dict(row["annotations"]),
    )


def silence_shown(silence: Silence, at_s: int, view: EngineView) -> SilenceShown:
    """Return one silence."""
    held = [key for key, why in view.held.items() if silence.id in why.removeprefix("silenced by ").split(", ")]
    return SilenceShown(
        id=silence.id,
        matchers=tuple(MatcherShown(name=one.name, op=one.op.value, value=one.value) for one in silence.matchers),
        starts_at=instant(silence.starts_at_s) or "",
        ends_at=instant(silence.ends_at_s) or "",
        author=silence.author,
        comment=silence.comment,
        state=state_of(silence, at_s),
        holds=tuple(map(hexadecimal, held)),
    )


def state_of(silence: Silence, at_s: int) -> str:
    """Return whether a silence is to come, holds, or is over."""
    if at_s >= silence.ends_at_s:
        return "expired"
    return "active" if at_s >= silence.starts_at_s else "pending"


def markers_shown(markers: Iterable[Marker]) -> list[MarkerShown]:
    """Return markers, newest first."""
    return [
        MarkerShown(
            id=one.id,
            at=instant(one.at_s) or "",
            end=instant(one.end_s),
            kind=one.kind.value,
            service=one.service,
            endpoint=one.endpoint,
            version=one.version,
            actor=one.actor,
            automated=one.automated,
            text=one.text,
        )
        for one in sorted(markers, key=lambda one: (-one.at_s, one.id))
    ]
