"""Knows the routes of the HTTP API, as a table, and what each error becomes; refuses to know what they answer.

One application; whoever serves it decides where. Every route has the scope that a token will need for it.

Source: spec/slo.md 17 (routes, scopes); spec/reliability.md 10 (scopes), 13 (hosts, origins); RFC 9457.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from slo.api_adjustments import AdjustmentRoutes
from slo.api_alerts import AlertRoutes, HistoryShown, MarkersShown, SilencesShown
from slo.api_document import document
from slo.api_gate import GateRoutes, OverridesShown
from slo.api_guard import Guard
from slo.api_hints import HintRoutes
from slo.api_hints_compat import CompatRoutes
from slo.api_live import LiveRoutes
from slo.api_panels import PanelRoutes
from slo.api_parts import Parts
from slo.api_reply import ProblemError, refused
from slo.api_requests import RequestRoutes
from slo.api_rules import BuiltInsShown, RuleRoutes
from slo.api_slos import SeriesShown, SloRoutes, SloWhole
from slo.api_static import serve_pages
from slo.api_trials import TargetTestShown, TrialRoutes, WhatIfShown
from slo.errors import DeskFullError, LedgerError, ObjectiveError
from slo.gate import Gate, OverrideShown
from slo.hints_replayed import ReplayShown
from slo.hints_shown import (
    CalibrationShown,
    HintActShown,
    HintHistoryShown,
    HintShown,
    HintsShown,
    HintStartShown,
    ProposalsShown,
)
from slo.panel_shown import Answer, PanelsShown
from slo.problem import Mistake, ProblemCode
from slo.request_shown import FacetsShown, RequestsShown, RequestWhole
from slo.scaling.faces.external_metrics import GROUP, GROUP_VERSION
from slo.scaling.faces.keda import KedaBody
from slo.shown import SlosShown
from slo.shown_adjustments import AdjustmentShown, AdjustmentsShown, AuditShown
from slo.shown_alerts import AckShown, AlertShown, AlertsShown, MarkerShown, SilenceShown
from slo.shown_backtest import BacktestShown
from slo.shown_incidents import IncidentsShown, MaturityShown, MttrShown
from slo.shown_rules import RulesShown
from telemetry.errors import StoreError


class Scope(StrEnum):
    """What a token must allow."""

    READ = "read:dash"
    HINTS = "read:hints"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One route.

    Attributes:
        method: HTTP method.
        path: Its path.
        of: What answers, a method of one of the classes of routes.
        model: What it answers.
        scope: What a token must allow.
        status: Status of its good answer.
    """

    method: str
    path: str
    of: Callable[..., Response | Awaitable[Response]]
    model: type
    scope: Scope = Scope.READ
    status: int = 200


ROUTES: tuple[Route, ...] = (
    Route(method="GET", path="/v1/slos", of=SloRoutes.slos, model=SlosShown),
    Route(method="GET", path="/v1/slos/{name:path}/rules", of=SloRoutes.rules, model=RulesShown),
    Route(method="GET", path="/v1/slos/{name:path}/series", of=SloRoutes.series, model=SeriesShown),
    Route(method="POST", path="/v1/slos/{name:path}/whatif", of=TrialRoutes.what_if, model=WhatIfShown),
    Route(method="GET", path="/v1/slos/{name:path}", of=SloRoutes.slo, model=SloWhole),
    Route(method="GET", path="/v1/rules", of=RuleRoutes.built_in, model=BuiltInsShown),
    Route(method="GET", path="/v1/alerts", of=AlertRoutes.alerts, model=AlertsShown),
    Route(method="GET", path="/v1/alerts/history", of=AlertRoutes.history, model=HistoryShown),
    Route(method="GET", path="/v1/alerts/{fingerprint}", of=AlertRoutes.alert, model=AlertShown),
    Route(
        method="POST",
        path="/v1/alerts/{fingerprint}/ack",
        of=AlertRoutes.acknowledge,
        model=AckShown,
        scope=Scope.ADMIN,
        status=201,
    ),
    Route(method="GET", path="/v1/silences", of=AlertRoutes.silences, model=SilencesShown),
    Route(
        method="POST", path="/v1/silences", of=AlertRoutes.silence, model=SilenceShown, scope=Scope.ADMIN, status=201
    ),
    Route(
        method="DELETE",
        path="/v1/silences/{silence_id}",
        of=AlertRoutes.end_silence,
        model=SilenceShown,
        scope=Scope.ADMIN,
    ),
    Route(method="GET", path="/v1/adjustments", of=AdjustmentRoutes.adjustments, model=AdjustmentsShown),
    Route(
        method="POST",
        path="/v1/adjustments",
        of=AdjustmentRoutes.agree,
        model=AdjustmentShown,
        scope=Scope.ADMIN,
        status=201,
    ),
    Route(
        method="DELETE",
        path="/v1/adjustments/{adjustment_id}",
        of=AdjustmentRoutes.withdraw,
        model=AdjustmentShown,
        scope=Scope.ADMIN,
    ),
    Route(method="GET", path="/v1/audit", of=AdjustmentRoutes.audit, model=AuditShown, scope=Scope.ADMIN),
    Route(method="GET", path="/v1/markers", of=AlertRoutes.markers, model=MarkersShown),
    Route(method="POST", path="/v1/markers", of=AlertRoutes.mark, model=MarkerShown, scope=Scope.ADMIN, status=201),
    Route(
        method="DELETE",
        path="/v1/markers/{marker_id}",
        of=AlertRoutes.withdraw_marker,
        model=MarkerShown,
        scope=Scope.ADMIN,
    ),
    Route(method="GET", path="/v1/gate", of=GateRoutes.gate, model=Gate),
    Route(method="GET", path="/v1/gate/overrides", of=GateRoutes.overrides, model=OverridesShown),
    Route(
        method="POST",
        path="/v1/gate/overrides",
        of=GateRoutes.override,
        model=OverrideShown,
        scope=Scope.ADMIN,
        status=201,
    ),
    Route(method="POST", path="/v1/backtest", of=TrialRoutes.backtest, model=BacktestShown),
    Route(
        method="POST",
        path="/v1/targets/{name}/test",
        of=TrialRoutes.test_target,
        model=TargetTestShown,
        scope=Scope.ADMIN,
        status=201,
    ),
    Route(method="GET", path="/v1/incidents", of=GateRoutes.incidents, model=IncidentsShown),
    Route(method="GET", path="/v1/mttr", of=GateRoutes.mttr, model=MttrShown),
    Route(method="GET", path="/v1/maturity", of=GateRoutes.maturity, model=MaturityShown),
    Route(method="GET", path="/v1/panels", of=PanelRoutes.panels, model=PanelsShown),
    Route(method="GET", path="/v1/panels/{panel}.json", of=PanelRoutes.panel_json, model=Answer),
    Route(method="GET", path="/v1/panels/{panel}.csv", of=PanelRoutes.panel_csv, model=str),
    Route(method="GET", path="/v1/panels/{panel}.sql", of=PanelRoutes.panel_sql, model=str),
    Route(method="GET", path="/v1/live", of=LiveRoutes.live, model=str),
    Route(method="GET", path="/v1/requests", of=RequestRoutes.requests, model=RequestsShown),
    Route(method="GET", path="/v1/requests/facets", of=RequestRoutes.facets, model=FacetsShown),
    Route(method="GET", path="/v1/requests/{request_id}", of=RequestRoutes.one_request, model=RequestWhole),
    Route(method="GET", path="/v1/hints", of=HintRoutes.hints, model=HintsShown, scope=Scope.HINTS),
    Route(method="GET", path="/v1/hints/{name}", of=HintRoutes.hint, model=HintShown, scope=Scope.HINTS),
    Route(
        method="GET",
        path="/v1/hints/{name}/history",
        of=HintRoutes.hint_history,
        model=HintHistoryShown,
        scope=Scope.HINTS,
    ),
    Route(
        method="GET",
        path="/v1/hints/{name}/calibration",
        of=HintRoutes.calibration,
        model=CalibrationShown,
        scope=Scope.HINTS,
    ),
    Route(
        method="GET",
        path="/v1/hints/{name}/proposals",
        of=HintRoutes.schedule_proposals,
        model=ProposalsShown,
        scope=Scope.HINTS,
    ),
    *(
        Route(method="POST", path=f"/v1/hints/{{name}}/{end}", of=of, model=HintActShown, scope=Scope.ADMIN, status=201)
        for end, of in (
            ("ack", HintRoutes.acknowledge_hint),
            ("replicas", HintRoutes.report_replicas),
            ("freeze", HintRoutes.freeze),
        )
    ),
    Route(
        method="POST",
        path="/v1/hints/{name}/starts",
        of=HintRoutes.tell_start,
        model=HintStartShown,
        scope=Scope.ADMIN,
        status=201,
    ),
    Route(method="POST", path="/v1/hints/{name}/whatif", of=HintRoutes.replay, model=ReplayShown, scope=Scope.ADMIN),
    Route(
        method="DELETE",
        path="/v1/hints/{name}/freeze",
        of=HintRoutes.unfreeze,
        model=HintActShown,
        scope=Scope.ADMIN,
    ),
    Route(method="GET", path="/compat/keda/{target}", of=CompatRoutes.keda, model=KedaBody, scope=Scope.HINTS),
    Route(method="GET", path="/apis", of=CompatRoutes.api_groups, model=dict, scope=Scope.HINTS),
    Route(method="GET", path=f"/apis/{GROUP}", of=CompatRoutes.api_group, model=dict, scope=Scope.HINTS),
    Route(method="GET", path=f"/apis/{GROUP_VERSION}", of=CompatRoutes.api_resources, model=dict, scope=Scope.HINTS),
    Route(
        method="GET",
        path=f"/apis/{GROUP_VERSION}/namespaces/{{namespace}}/{{metric}}",
        of=CompatRoutes.external_metric,
        model=dict,
        scope=Scope.HINTS,
    ),
)
"""Every route; what takes anything stands behind what takes one thing. A part of a composite has `/` in its name."""
_STATUS_CODES = {404: ProblemCode.NOT_FOUND, 405: ProblemCode.METHOD_NOT_ALLOWED}
_CODES: tuple[tuple[type[Exception], ProblemCode], ...] = (
    (StoreError, ProblemCode.STORE_UNREACHABLE),
    (LedgerError, ProblemCode.NOT_KEPT),
    (DeskFullError, ProblemCode.CONFLICT),
)
_HANDLERS: tuple[Callable[[Parts], object], ...] = (
    *(SloRoutes, RuleRoutes, AlertRoutes, AdjustmentRoutes),
    *(TrialRoutes, GateRoutes, PanelRoutes, LiveRoutes, HintRoutes, CompatRoutes),
    *(RequestRoutes,),
)
_PART_CHARS, _PARTS, _TEXT_CHARS = 100, 8, 200
"""How much of a mistake is told: what was asked may be anything."""


def application(parts: Parts, hosts: frozenset[str], version: str, pages: Path | None = None) -> FastAPI:
    """Return the API.

    Args:
        parts: What the routes speak to.
        hosts: Values of Host that it goes by (`slo.api_guard.hosts_of`).
        version: Of the program.
        pages: Folder of the web pages; None serves none.

    Raises:
        ValueError: The pages break their own policy.
    """
    app = FastAPI(title="inferometer", version=version, docs_url=None, redoc_url=None, redirect_slashes=False)
    handlers: Sequence[object] = tuple(of(parts) for of in _HANDLERS)
    for route in ROUTES:
        _add(app, route, handlers)
    kinds = (ProblemError, ObjectiveError, RequestValidationError, HTTPException, *(kind for kind, _ in _CODES))
    for kind in (*kinds, Exception):
        app.add_exception_handler(kind, _answer)
    app.add_middleware(Guard, hosts=hosts)
    if pages is not None:
        serve_pages(app, pages)
    app.openapi = lambda: document(app)  # type: ignore[method-assign]  # the way that FastAPI documents
    return app


def description(version: str) -> dict[str, Any]:
    """Return what the API says of itself, as OpenAPI 3.1."""
    routes_alone = cast("Parts", None)  # nothing is asked
    return document(application(routes_alone, frozenset(), version))


def _add(app: FastAPI, route: Route, handlers: Sequence[object]) -> None:
    name = route.of.__name__
    (of,) = (one for one in handlers if getattr(type(one), name, None) is route.of)
    app.add_api_route(
        route.path,
        getattr(of, name),
        methods=[route.method],
        response_model=route.model,
        status_code=route.status,
        name=name,
        operation_id=name,
        openapi_extra={"x-scope": route.scope.value},
    )


def _answer(request: Request, error: Exception) -> Response:
    match error:
        case ProblemError():
            return refused(request, error.code, error.detail, error.mistakes)
        case ObjectiveError():
            mistakes = [Mistake(where=f"body.{error.key}", text=f"found {error.found}, allowed {error.allowed}")]
            return _invalid(request, mistakes)
        case RequestValidationError():
            return _invalid(request, [_mistake(one) for one in error.errors()])
        case HTTPException():
            return _of_http(request, error)
        case _:
            code = next((code for kind, code in _CODES if isinstance(error, kind)), ProblemCode.INTERNAL)
            return refused(request, code, str(error) if code is not ProblemCode.INTERNAL else "the log says more")


def _invalid(request: Request, mistakes: Sequence[Mistake]) -> Response:
    first = mistakes[0]
    return refused(request, ProblemCode.INVALID_REQUEST, f"{first.where}: {first.text}", tuple(mistakes))


def _mistake(one: Mapping[str, Any]) -> Mistake:
    where = ".".join(str(part)[:_PART_CHARS] for part in one["loc"][:_PARTS])
    return Mistake(where=where, text=str(one["msg"])[:_TEXT_CHARS])


def _of_http(request: Request, error: HTTPException) -> Response:
    code = _STATUS_CODES.get(error.status_code, ProblemCode.INVALID_REQUEST)
    words = {ProblemCode.NOT_FOUND: "there is nothing here", ProblemCode.METHOD_NOT_ALLOWED: "not with this method"}
    answer = refused(request, code, words.get(code, "the request cannot be read"))
    for name, value in (error.headers or {}).items():
        answer.headers[name] = value
    return answer
