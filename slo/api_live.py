"""Knows the stream of live panels: its events, its beat, its end; refuses to know how panels are answered.

| event | when | data |
|---|---|---|
| `panel` | a panel changed | what `/v1/panels/{id}.json` answers; the id is its watermark |
| `state` | at the start, when it changes, and every ten seconds | the engine's own state and the time |
| `alert` | alerts changed | those that are pending or fire |
| `bye` | the server ends | nothing |

Source: spec/ui.md 2 (live); WHATWG HTML, server-sent events; fastapi/sse.py (`format_sse_event`).
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from math import isfinite
from typing import Annotated

import msgspec
from fastapi import Query, Request, Response
from fastapi.sse import EventSourceResponse, format_sse_event
from pydantic import Field
from starlette.types import Receive, Scope, Send

from slo.api_parts import Parts, invalid
from slo.api_reply import ProblemError
from slo.live_hub import STREAMS_MAX, Hub, Written
from slo.panel_asked import PanelAsked
from slo.panel_shown import PanelState
from slo.panel_window import span
from slo.problem import ProblemCode
from slo.shown import hexadecimal, instant
from slo.shown_alerts import LIVE
from slo.view import EngineView
from telemetry.errors import StoreError
from telemetry.panel import Page, Panel, Reads

PANELS_MAX = 24
"""Panels of one stream."""
RETRY_MS = 2_000
"""When a browser connects again."""
BEAT_S = 10
"""Longest time without a word."""
_TICK_S = 1.0
_AT_LEAST_S = {Page.ENDPOINT: 5, Page.TELEMETRY: 5}
"""Least time between two answers to a panel of a page that has many: they could not all be answered each second."""
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


class LiveAsked(PanelAsked):
    """Which panels, which time and which requests."""

    panels: Annotated[str, Field(min_length=1, max_length=PANELS_MAX * 40)] = Field(
        description="Ids of panels, with commas between them."
    )


class LiveRoutes:
    """The route of live panels.

    Args:
        parts: What it speaks to.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def live(self, request: Request, asked: Annotated[LiveAsked, Query()]) -> Response:
        """Panels as they change, as a stream of events; 503 if too many look already."""
        panels = self._panels(asked)
        one = PanelAsked.model_validate(asked.model_dump(exclude={"panels"}))
        hub = self._parts.hub
        if not hub.enter():
            raise ProblemError(ProblemCode.CROWDED, f"{STREAMS_MAX} streams are open already; ask again, or poll")
        known = _watermark(request.headers.get("last-event-id", ""))
        return _Stream(_Events(self._parts, hub, panels, one, known), hub)

    def _panels(self, asked: LiveAsked) -> list[tuple[Panel, int]]:
        """Return the panels and how often each changes."""
        ids = list(dict.fromkeys(asked.panels.split(",")))
        if len(ids) > PANELS_MAX:
            raise invalid("query.panels", f"{len(ids)} panels; allowed are {PANELS_MAX}")
        found: list[tuple[Panel, int]] = []
        for panel_id in ids:
            panel = self._parts.panels.find(panel_id)
            if panel is None:
                raise ProblemError(ProblemCode.NOT_FOUND, f"there is no panel {panel_id}")
            try:
                is_quantile = panel.reads is not Reads.REQUESTS
                now_ms = self._parts.now_s() * 1000
                meant = span(asked.since, asked.until, asked.step, now_ms, is_quantile=is_quantile)
            except ValueError as error:
                raise invalid("query", str(error)) from None
            found.append((panel, max(meant.tick_s, _AT_LEAST_S.get(panel.page, 0))))
        return found


class _Stream(EventSourceResponse):
    """A stream that gives its place back, however it ends."""

    def __init__(self, events: "_Events", hub: Hub) -> None:
        super().__init__(events.written(), headers=_HEADERS)
        self._hub = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._hub.leave()


class _Events:
    """What one tab is told."""

    def __init__(
        self, parts: Parts, hub: Hub, panels: list[tuple[Panel, int]], asked: PanelAsked, known: float
    ) -> None:
        self._parts, self._hub, self._panels, self._asked, self._known = parts, hub, panels, asked, known
        self._ticks: dict[str, int] = {}
        self._told: dict[str, bytes] = {}

    async def written(self) -> AsyncIterator[bytes]:
        yield f"retry: {RETRY_MS}\n\n".encode()
        silent_s = float(BEAT_S)
        while not self._hub.is_closed:
            for event in self._engine(is_due=silent_s >= BEAT_S):
                yield event
            if silent_s >= BEAT_S:
                silent_s = 0.0
                yield format_sse_event(comment="ping")
            async for event in self._answers():
                yield event
            await self._hub.pause(_TICK_S)
            silent_s += _TICK_S
        yield format_sse_event(event="bye", data_str="{}")

    async def _answers(self) -> AsyncIterator[bytes]:
        """Give what is new of the panels, whichever is answered first; a slow one holds up no other."""
        waiting = self._due()
        while waiting:
            # Cut short, it leaves the answers alone: they are others' too.
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for future in done:
                if future.cancelled():
                    continue  # it was never asked, for this is the end, which is told instead
                with suppress(StoreError):  # the state says that nothing is seen; the tab's data grow old and say so
                    if event := self._event(future.result()):
                        yield event

    def _due(self) -> set[asyncio.Future[Written]]:
        """Return the answers of panels whose tick is a new one."""
        if self._hub.is_closed:
            return set()  # since the last event was taken: whoever asks now is refused, and the end is to be told
        found: set[asyncio.Future[Written]] = set()
        for panel, tick_s in self._panels:
            tick, future = self._hub.ask(panel, self._asked, tick_s)
            if self._ticks.get(panel.id) != tick:
                self._ticks[panel.id] = tick
                found.add(future)
        return found

    def _event(self, written: Written) -> bytes | None:
        answer = written.answer
        watermark = answer.provenance.watermark_unix_s
        if answer.state is PanelState.OK and watermark is not None and watermark <= self._known:
            return None  # the tab has it from before
        if self._told.get(answer.panel) == written.data:
            return None
        self._told[answer.panel] = written.data
        mark = None if watermark is None else f"{watermark:.3f}"
        return format_sse_event(event="panel", id=mark, data_str=written.data.decode())

    def _engine(self, *, is_due: bool) -> list[bytes]:
        view = self._parts.engine.view
        state, alerts = msgspec.json.encode(_state(view)), msgspec.json.encode(_alerts(view))
        found: list[bytes] = []
        if is_due or self._told.get("state") != state:
            now = {**_state(view), "now_unix_s": self._parts.now_s()}
            found.append(format_sse_event(event="state", data_str=msgspec.json.encode(now).decode()))
        if "alert" in self._told and self._told["alert"] != alerts:
            found.append(format_sse_event(event="alert", data_str=alerts.decode()))
        self._told |= {"state": state, "alert": alerts}
        return found


def _state(view: EngineView) -> dict[str, object]:
    return {"as_of": instant(view.at_s), "blind_cause": view.blind_cause or None, "problems": list(view.problems)}


def _alerts(view: EngineView) -> list[Mapping[str, object]]:
    return [
        {"fingerprint": hexadecimal(key), "alertname": one.labels.get("alertname", ""), "state": one.record.state.value}
        for key, one in sorted(view.alerts.items())
        if one.record.state in LIVE
    ]


def _watermark(text: str) -> float:
    """Return the watermark up to which a tab knows everything; 0 if it says none."""
    try:
        found = float(text)
    except ValueError:
        return 0.0
    return found if isfinite(found) else 0.0
