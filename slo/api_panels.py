"""Knows the routes about panels: the list, and each answer as JSON, CSV and SQL; refuses to answer by itself.

What was told well has an entity tag; a failure has none, for it may pass while nothing else changes.

    requests until now          the watermark with what was asked: while nothing new is stored, and no step ended, the
                                store is not asked again
    a past time, and the rest   what is told, but for its age: rows may come late, and no watermark tells of samples

Source: spec/ui.md 3.
"""

import hashlib
from dataclasses import replace
from typing import Annotated

import msgspec
from fastapi import Path, Query, Request, Response

from slo.api_asked import Nothing
from slo.api_parts import Parts, invalid
from slo.api_reply import ProblemError, known_tags, reply
from slo.panel_asked import PanelAsked, filters_of
from slo.panel_csv import panel_csv
from slo.panel_desk import Aim, PanelDesk
from slo.panel_shown import Answer, Fault, PanelState, panels_shown, told
from slo.problem import ProblemCode
from telemetry.panel import OF_REQUESTS, Panel

PanelId = Annotated[str, Path(pattern=r"^[a-z0-9_.]{1,64}$", description="Id of the panel.")]
AskedOf = Annotated[PanelAsked, Query()]
_NOW = frozenset({"", "now"})
_TOLD_WELL = frozenset({PanelState.OK, PanelState.PARTIAL, PanelState.NO_TRAFFIC})


class PanelRoutes:
    """Routes about panels.

    Args:
        parts: What they speak to.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def panels(self, request: Request, _asked: Annotated[Nothing, Query()]) -> Response:
        """Every panel: what it shows, in which units, what to do about it."""
        return reply(request, panels_shown(self._desk.panels, filters_of, self._parts.grafana_url))

    def panel_json(self, request: Request, panel: PanelId, asked: AskedOf) -> Response:
        """The answer of a panel: rows, how they were measured, and what was not said and why."""
        aim, known = self._aim(panel, asked), known_tags(request)
        tag = _mark(aim)
        if tag is None or tag not in known:
            written = self._parts.hub.answer(aim.panel, asked)
            tag = _tag(written.aim, written.answer)
            if tag is None or tag not in known:
                return Response(content=written.data, media_type="application/json", headers=_headers(tag))
        return Response(status_code=304, headers=_headers(tag))

    def panel_csv(self, panel: PanelId, asked: AskedOf) -> Response:
        """The same rows as CSV, units in the headings."""
        aim = self._aim(panel, asked)
        answer = self._desk.answer(aim)
        if answer.error is not None:
            raise _problem(answer.state, answer.error)
        name = {"Content-Disposition": f'attachment; filename="{aim.panel.id}.csv"'}
        headers = {**_headers(_tag(aim, answer)), **name}
        return Response(content=panel_csv(answer), media_type="text/csv; charset=utf-8", headers=headers)

    def panel_sql(self, panel: PanelId, asked: AskedOf) -> Response:
        """The statement, with its values as settings that a client of the store takes."""
        found = self._found(panel)
        if found.ask is None:
            raise ProblemError(ProblemCode.NOT_FOUND, f"panel {panel} is answered by the engine, not by the store")
        answer = self._desk.answer(self._aim(panel, asked))
        if answer.error is not None and not answer.sql:
            raise _problem(answer.state, answer.error)
        return Response(content=f"{answer.sql}\n", media_type="text/plain; charset=utf-8")

    @property
    def _desk(self) -> PanelDesk:
        return self._parts.panels

    def _found(self, panel_id: str) -> Panel:
        panel = self._desk.find(panel_id)
        if panel is None:
            raise ProblemError(ProblemCode.NOT_FOUND, f"there is no panel {panel_id}")
        return panel

    def _aim(self, panel_id: str, asked: PanelAsked) -> Aim:
        panel = self._found(panel_id)
        try:
            return self._desk.aim(panel, asked)
        except ValueError as error:
            raise invalid("query", str(error)) from None


def _mark(aim: Aim) -> str | None:
    """Return the tag of an answer that is known before the store is asked; None if only the answer shows it."""
    is_seen = aim.seen.watermark_ms is not None and aim.seen.coverage == 1
    is_now = aim.asked.until in _NOW and aim.panel.reads in OF_REQUESTS and aim.panel.beside is None
    if not (is_seen and is_now):
        return None
    asked = aim.asked.model_dump_json(exclude={"since", "until"})
    return f'"{aim.seen.watermark_ms}-{_digest(f"{aim.panel.id} {aim.span} {aim.seen} {aim.about} {asked}".encode())}"'


def _tag(aim: Aim, answer: Answer) -> str | None:
    """Return the tag of an answer; None if it is not to be held on to."""
    if answer.state not in _TOLD_WELL:
        return None
    if mark := _mark(aim):
        return mark
    ageless = replace(answer, provenance=replace(answer.provenance, age_s=None))
    return f'"{_digest(msgspec.json.encode(told(ageless)))}"'


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _headers(tag: str | None) -> dict[str, str]:
    return {"Cache-Control": "no-cache", **({} if tag is None else {"ETag": tag})}


def _problem(stands: PanelState, fault: Fault) -> ProblemError:
    """Return why there is nothing to hand over where an answer cannot say so itself."""
    if stands is PanelState.REFUSED:
        return invalid("query", f"{fault.title}: {fault.detail}")
    return ProblemError(ProblemCode.STORE_UNREACHABLE, f"{fault.title}: {fault.detail}")
