"""Knows the routes that pipelines and reviews ask: the gate, incidents, the level of operation; refuses to judge.

Source: spec/slo.md 16, 17, 18.
"""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Body, Query, Request, Response

from slo.api_asked import GateAsked, Nothing, OverrideBody
from slo.api_parts import Parts, by, seconds
from slo.api_reply import ProblemError, reply
from slo.composites import slo_of
from slo.desk_records import Override
from slo.freeze import Action
from slo.gate import Asked, OverrideShown, gate, override_shown
from slo.problem import ProblemCode
from slo.shown import SloShown, seen_at_s, slos_shown
from slo.shown_alerts import AlertShown, alerts_shown
from slo.shown_incidents import incidents_shown, maturity_shown, mttr_shown
from slo.telemetry_state import BlindCause
from slo.view import EngineView


@dataclass(frozen=True, slots=True, kw_only=True)
class OverridesShown:
    """Overrides that hold, newest first."""

    overrides: tuple[OverrideShown, ...]


class GateRoutes:
    """Routes about the gate, incidents and the level of operation.

    Args:
        parts: What they speak to.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def gate(self, request: Request, asked: Annotated[GateAsked, Query()]) -> Response:
        """Whether a release may go on; 200 for every verdict, 503 while the store does not answer."""
        view, now_s = self._parts.engine.view, self._parts.now_s()
        if view.blind_cause == BlindCause.STORE:
            raise ProblemError(ProblemCode.STORE_UNREACHABLE, "the store does not answer, so nothing is evaluated")
        slos = _chosen(view, asked)
        desk = self._parts.desk
        found = Asked(
            slos=slos,
            alerts=_alerts(view, slos),
            frozen=desk.frozen(),
            unapproved=desk.frozen(Action.REQUIRE_APPROVAL),
            override=desk.override(now_s, asked.service, asked.slo),
            min_remaining=asked.min_remaining,
            version=asked.version,
            at_s=seen_at_s(view),
            now_s=now_s,
        )
        return reply(request, gate(found))

    def overrides(self, request: Request, _asked: Annotated[Nothing, Query()]) -> Response:
        """Overrides of the gate that hold."""
        found = self._parts.desk.overrides(self._parts.now_s())
        return reply(request, OverridesShown(overrides=tuple(map(override_shown, found))))

    def override(self, request: Request, body: Annotated[OverrideBody, Body()]) -> Response:
        """Let releases pass the gate for a while."""
        made = Override(
            service=body.service,
            slo=body.slo,
            who=body.who,
            reason=body.reason,
            at_s=self._parts.now_s(),
            until_s=seconds(body.until),
        )
        self._parts.desk.let_pass(self._parts.new_id(), made, by(request, self._parts, body.who))
        return reply(request, override_shown(made), 201)

    def incidents(self, request: Request, _asked: Annotated[Nothing, Query()]) -> Response:
        """Incidents of the last 90 days, and how fast they were found and ended, by endpoint."""
        now_s = self._parts.now_s()
        return reply(
            request, incidents_shown(self._parts.lookback.incidents(self._parts.engine.view.watched, now_s), now_s)
        )

    def mttr(self, request: Request, _asked: Annotated[Nothing, Query()]) -> Response:
        """How fast incidents of the last 90 days were found, taken on and ended, of all and by endpoint."""
        now_s = self._parts.now_s()
        found = self._parts.lookback.incidents(self._parts.engine.view.watched, now_s)
        return reply(request, mttr_shown(found, now_s))

    def maturity(self, request: Request, _asked: Annotated[Nothing, Query()]) -> Response:
        """The level of operation that incidents and markers show."""
        view, now_s = self._parts.engine.view, self._parts.now_s()
        found = self._parts.lookback.incidents(view.watched, now_s)
        operated = self._parts.lookback.operated(now_s)
        return reply(request, maturity_shown(found, operated, slos_shown(view).slos, now_s))


def _chosen(view: EngineView, asked: GateAsked) -> list[SloShown]:
    known = slos_shown(view).slos
    slos = [one for one in known if asked.slo in {"", one.name, slo_of(one.name)}]
    slos = [one for one in slos if asked.service in {"", one.service}]
    if not slos and (asked.slo or asked.service):
        raise ProblemError(ProblemCode.NOT_FOUND, "there is no objective of that name and service")
    return slos


def _alerts(view: EngineView, slos: list[SloShown]) -> list[AlertShown]:
    """Return the alerts of objectives, whatever group they are of, and those of their services that are of none."""
    names, services = {one.name for one in slos}, {one.service for one in slos}
    return [
        one
        for one in alerts_shown(view, {}).alerts
        if one.slo in names or (not one.slo and one.labels.get("service") in services)
    ]
