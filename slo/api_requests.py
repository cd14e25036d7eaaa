"""Knows the routes about single requests: a list, what the bad ones share, one whole; refuses to show any content.

Source: spec/ui.md 5 (req.*).
"""

from collections.abc import Callable
from typing import Annotated
from uuid import UUID

from fastapi import Path, Query, Request, Response
from pydantic import Field

from slo.alertmanager_body import rfc3339
from slo.api_asked import Nothing
from slo.api_parts import Parts, invalid
from slo.api_reply import ProblemError, reply
from slo.panel_asked import PanelAsked
from slo.panel_window import span
from slo.problem import ProblemCode
from slo.request_shown import (
    FacetsShown,
    RequestsShown,
    cursor,
    facets_shown,
    read_cursor,
    rows_shown,
    whole,
)
from telemetry.outcome import Outcome
from telemetry.queries import request
from telemetry.queries.asked import Asked, Metric
from telemetry.queries.request_rows import COLUMNS, REQUEST_ROWS_MAX, Box, request_facets, request_rows

LIST_S_MAX = 14 * 86_400
"""Longest window: raw rows are kept that long."""
_ENDED = "toUnixTimestamp64Milli(s.ended_at) AS ended_ms"

RequestId = Annotated[UUID, Path(description="Id of the request, a UUIDv7.")]


class BoxAsked(PanelAsked):
    """Which requests."""

    outcome: list[Outcome] = Field(default_factory=list[Outcome], max_length=len(Outcome), description="Only these.")
    metric: Metric = Field(default=Metric.TTFT, description="The duration that the bounds are of.")
    low_s: float | None = Field(default=None, ge=0, allow_inf_nan=False, description="Least duration, included.")
    high_s: float | None = Field(default=None, ge=0, allow_inf_nan=False, description="Largest duration, excluded.")

    def box(self, after: str = "") -> Box:
        """Return the same for the store."""
        try:
            before = read_cursor(after) if after else None
        except ValueError as error:
            raise invalid("query.after", str(error)) from None
        outcomes = tuple(one.value for one in self.outcome)
        return Box(outcomes=outcomes, metric=self.metric, low_s=self.low_s, high_s=self.high_s, before=before)


class RowsAsked(BoxAsked):
    """Which requests, and how many."""

    limit: int = Field(default=100, ge=1, le=REQUEST_ROWS_MAX, description="So many, newest first.")
    after: str = Field(default="", max_length=60, description="Where to go on, as the answer before said.")


class RequestRoutes:
    """Routes about single requests.

    Args:
        parts: What they speak to.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def requests(self, req: Request, asked: Annotated[RowsAsked, Query()]) -> Response:
        """Requests of a window, newest first, so many at a time."""
        window, told = self._window(asked)
        question = request_rows(window, asked.box(asked.after), asked.limit, [*COLUMNS, _ENDED])
        rows = [dict(row) for row in self._parts.panels.rows(question)]
        ended = [int(str(row.pop("ended_ms"))) for row in rows]
        shown = rows_shown(rows)
        is_more = len(shown) == asked.limit
        return reply(
            req, told(requests=shown, after=cursor(shown[-1], ended[-1]) if is_more else None, of=RequestsShown)
        )

    def facets(self, req: Request, asked: Annotated[BoxAsked, Query()]) -> Response:
        """What the bad requests of a window share: the values that are more common among them than among all."""
        window, told = self._window(asked)
        rows = self._parts.panels.rows(request_facets(window, asked.box()))
        return reply(req, told(facets=facets_shown(rows), of=FacetsShown))

    def one_request(self, req: Request, request_id: RequestId, _asked: Annotated[Nothing, Query()]) -> Response:
        """One request: the parts of its time, its tokens second by second, everything that is stored of it."""
        try:
            question = request(request_id)
        except ValueError as error:
            raise invalid("path.request_id", str(error)) from None
        rows = self._parts.panels.rows(question)
        if not rows:
            raise ProblemError(ProblemCode.NOT_FOUND, "there is no such request, or it is not kept any more")
        return reply(req, whole(request_id, rows[0]))

    def _window(self, asked: PanelAsked) -> "tuple[Asked, Callable[..., object]]":
        now_ms = self._parts.now_s() * 1000
        try:
            meant = span(asked.since, asked.until, asked.step or 3_600, now_ms, is_quantile=False)
            window = Asked(
                since_ms=meant.since_ms, until_ms=meant.until_ms, where=asked.filters(), traffic=asked.traffic
            )
        except ValueError as error:
            raise invalid("query", str(error)) from None
        if meant.until_ms - meant.since_ms > LIST_S_MAX * 1000:
            raise invalid("query.from", f"at most {LIST_S_MAX // 86_400} days; requests are kept no longer")
        since, until = (rfc3339(at_ms // 1000) for at_ms in (meant.since_ms, meant.until_ms))

        def told(*, of: Callable[..., object], **found: object) -> object:
            return of(since=since, until=until, **found)

        return window, told
