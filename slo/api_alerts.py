"""Knows the routes about alerts and what people decide of them; refuses to judge.

Source: spec/slo.md 10, 12, 17.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Body, Path, Query, Request, Response

from slo.alert import Alert
from slo.alert_moves import AlertState
from slo.alertmanager_body import rfc3339
from slo.api_asked import (
    AckBody,
    AlertsAsked,
    EndAsked,
    HistoryAsked,
    MarkerBody,
    Nothing,
    SilenceBody,
    TimesAsked,
    WithdrawAsked,
)
from slo.api_parts import DAY_S, Parts, by, identity, invalid, seconds, span_s
from slo.api_reply import ProblemError, reply
from slo.desk_records import Ack, Marker
from slo.problem import ProblemCode
from slo.shown_alerts import (
    LIVE,
    ChangeShown,
    MarkerShown,
    SilenceShown,
    ack_shown,
    alert_shown,
    alerts_shown,
    change_shown,
    markers_shown,
    silence_shown,
)
from slo.silence import Matcher, Silence
from slo.view import EngineView

_WEEK_S, _QUARTER_S, _YEAR_S = 7 * DAY_S, 90 * DAY_S, 366 * DAY_S
FingerprintPath = Annotated[str, Path(max_length=64, description="Of the alert: 16 hexadecimal digits.")]
MarkerPath = Annotated[str, Path(max_length=64, description="Of the marker: 16 hexadecimal digits.")]
SilencePath = Annotated[str, Path(max_length=64, description="Of the silence.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryShown:
    """Changes of alerts.

    Attributes:
        since: Start.
        until: End, excluded.
        changes: Newest first, at most 1,000.
    """

    since: str
    until: str
    changes: tuple[ChangeShown, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SilencesShown:
    """Silences that are not forgotten: those that ended more than a week ago are."""

    silences: tuple[SilenceShown, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkersShown:
    """Markers, newest first, at most 1,000."""

    markers: tuple[MarkerShown, ...]


class AlertRoutes:
    """Routes about alerts, silences and markers.

    Args:
        parts: What they speak to.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def alerts(self, request: Request, asked: Annotated[AlertsAsked, Query()]) -> Response:
        """The alerts at the last instant, pages first."""
        states = frozenset(asked.state) or LIVE
        acks = self._parts.desk.acks(self._parts.now_s())
        labels = {"severity": asked.severity, "slo": asked.slo, "service": asked.service}
        return reply(request, alerts_shown(self._parts.engine.view, acks, states, **labels))

    def alert(self, request: Request, fingerprint: FingerprintPath, _asked: Annotated[Nothing, Query()]) -> Response:
        """One alert with everything that is said of it."""
        view = self._parts.engine.view
        alert = _alert_of(view, fingerprint)
        return reply(request, alert_shown(alert, view, self._parts.desk.acks(self._parts.now_s())))

    def history(self, request: Request, asked: Annotated[HistoryAsked, Query()]) -> Response:
        """Changes of alerts, newest first."""
        since_s, until_s = span_s(asked.since, asked.until, self._parts.now_s() + 1, _WEEK_S)
        fingerprint = int(asked.fingerprint or "0", 16)
        rows = self._parts.lookback.changes(
            since_s, until_s, slo=asked.slo, severity=asked.severity, fingerprint=fingerprint
        )
        times = [rfc3339(since_s), rfc3339(until_s)]
        return reply(request, HistoryShown(since=times[0], until=times[1], changes=tuple(map(change_shown, rows))))

    def acknowledge(self, request: Request, fingerprint: FingerprintPath, body: Annotated[AckBody, Body()]) -> Response:
        """Take an alert on: it is not told again while this occurrence of it fires."""
        alert = _alert_of(self._parts.engine.view, fingerprint)
        if alert.record.state is not AlertState.FIRING:
            state = alert.record.state.value
            raise ProblemError(ProblemCode.CONFLICT, f"only an alert that fires can be taken on; this one is {state}")
        now_s = self._parts.now_s()
        until_s = None if body.until is None else seconds(body.until)
        if until_s is not None and until_s <= now_s:
            raise invalid("body.until", "must be later than now")
        at_s = max(now_s, alert.record.fired_at_s or 0)
        ack = Ack(fingerprint=alert.fingerprint, who=body.who, at_s=at_s, until_s=until_s)
        self._parts.desk.acknowledge(ack, by(request, self._parts, body.who))
        return reply(request, ack_shown(ack), 201)

    def silences(self, request: Request, _asked: Annotated[Nothing, Query()]) -> Response:
        """Every silence, those that end last first."""
        found = sorted(self._parts.desk.silences().values(), key=lambda one: (-one.ends_at_s, one.id))
        return reply(request, SilencesShown(silences=tuple(self._shown(found))))

    def silence(self, request: Request, body: Annotated[SilenceBody, Body()]) -> Response:
        """Hold notices back for a while; evaluation, budgets and the gate go on."""
        starts_at_s = self._parts.now_s() if body.starts_at is None else seconds(body.starts_at)
        made = Silence(
            id=self._parts.new_id(),
            matchers=tuple(Matcher(name=one.name, op=one.op, value=one.value) for one in body.matchers),
            starts_at_s=starts_at_s,
            ends_at_s=seconds(body.ends_at),
            author=body.author,
            comment=body.comment,
        )
        if made.ends_at_s <= self._parts.now_s():
            raise invalid("body.ends_at", "must be later than now")
        self._parts.desk.silence(made, by(request, self._parts, body.author))
        (shown,) = self._shown([made])
        return reply(request, shown, 201)

    def end_silence(self, request: Request, silence_id: SilencePath, asked: Annotated[EndAsked, Query()]) -> Response:
        """End a silence now."""
        silence = self._parts.desk.silences().get(silence_id)
        if silence is None:
            raise ProblemError(ProblemCode.NOT_FOUND, "there is no such silence")
        now_s = self._parts.now_s()
        if silence.ends_at_s > now_s:
            silence = replace(silence, ends_at_s=now_s, starts_at_s=min(silence.starts_at_s, now_s))
            self._parts.desk.end_silence(silence, by(request, self._parts, asked.who, asked.reason))
        (shown,) = self._shown([silence])
        return reply(request, shown)

    def markers(self, request: Request, asked: Annotated[TimesAsked, Query()]) -> Response:
        """What happened, newest first."""
        since_s, until_s = span_s(asked.since, asked.until, self._parts.now_s() + 1, _WEEK_S)
        return reply(request, MarkersShown(markers=tuple(markers_shown(self._markers(since_s, until_s)))))

    def mark(self, request: Request, body: Annotated[MarkerBody, Body()]) -> Response:
        """Write down that something happened."""
        at_s = self._parts.now_s() if body.at is None else seconds(body.at)
        end_s = None if body.end is None else seconds(body.end)
        if end_s is not None and end_s < at_s:
            raise invalid("body.end", "must not be before `at`")
        made = Marker(
            at_s=at_s,
            end_s=end_s,
            kind=body.kind,
            service=body.service,
            endpoint=body.endpoint,
            version=body.version,
            actor=body.actor,
            automated=body.automated,
            text=body.text,
        )
        self._parts.desk.mark(self._parts.new_id(), made, by(request, self._parts, body.actor))
        return reply(request, markers_shown([made])[0], 201)

    def withdraw_marker(
        self, request: Request, marker_id: MarkerPath, asked: Annotated[WithdrawAsked, Query()]
    ) -> Response:
        """Take a marker of the last 90 days, or of the time to come, back; what says the same is taken back with it."""
        now_s = self._parts.now_s()
        found = [one for one in self._markers(now_s - _QUARTER_S, now_s + _YEAR_S) if one.id == marker_id]
        if not found:
            raise ProblemError(ProblemCode.NOT_FOUND, "there is no such marker")
        self._parts.desk.withdraw_marker(found[0], by(request, self._parts, asked.who, asked.reason))
        return reply(request, markers_shown(found)[0])

    def _markers(self, since_s: int, until_s: int) -> list[Marker]:
        """Return the markers of [since, until) that stand."""
        standing = self._parts.desk.standing_markers(self._parts.shared.markers(since_s, until_s))
        return [one for one in standing if since_s <= one.at_s < until_s]

    def _shown(self, silences: Sequence[Silence]) -> list[SilenceShown]:
        now_s, view = self._parts.now_s(), self._parts.engine.view
        return [silence_shown(one, now_s, view) for one in silences]


def _alert_of(view: EngineView, fingerprint: str) -> Alert:
    alert = view.alerts.get(identity(fingerprint))
    if alert is None:
        raise ProblemError(ProblemCode.NOT_FOUND, "there is no such alert")
    return alert
