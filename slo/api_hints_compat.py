"""Knows the routes that controllers ask for hints: KEDA's metrics-api, external metrics; refuses to know what they say.

They answer without looking at X-API-KEY, Authorization, X-Remote-User or a client certificate: who may ask is decided
by what stands before this port, as for every route here.

Source: spec/scaling.md 3, 4; kedacore/keda pkg/scalers/metrics_api_scaler.go; k8s.io/metrics
pkg/client/external_metrics/client.go; fluxcd/flagger pkg/metrics/providers/externalmetrics.go (asks the same routes).
"""

from collections.abc import Callable
from typing import Annotated, Protocol

from fastapi import Path, Query, Request, Response

from slo.api_parts import invalid
from slo.api_reply import ProblemError, reply
from slo.desk_records import NAME_CHARS_MAX
from slo.problem import ProblemCode
from slo.scaling.faces import external_metrics, keda
from slo.scaling.faces.moment import Policy, moment
from slo.scaling.faces.selector import SELECTOR_CHARS_MAX, SelectorError, parsed
from slo.scaling.freshness import Standing
from slo.scaling.served import HintDesk

Name = Annotated[str, Path(max_length=NAME_CHARS_MAX)]
NOT_ACCEPTABLE = 406
_CODES = {Standing.UNKNOWN: ProblemCode.NOT_FOUND, Standing.UNREACHABLE: ProblemCode.STORE_UNREACHABLE}


class Compatible(Protocol):
    """What the routes speak to."""

    @property
    def hints(self) -> HintDesk:
        """Where hints lie."""
        ...

    @property
    def now_s(self) -> Callable[[], int]:
        """Reads the wall clock, unix seconds."""
        ...


class CompatRoutes:
    """What controllers are answered.

    Args:
        parts: What they speak to.
    """

    def __init__(self, parts: Compatible) -> None:
        self._parts = parts

    def keda(
        self,
        request: Request,
        target: Name,
        policy: Annotated[Policy, Query(description="raw: the want before rounding and hysteresis.")] = Policy.DESIRED,
    ) -> Response:
        """Answer KEDA's metrics-api scaler; `valueLocation` is `desired_replicas`."""
        now = moment(self._parts.hints, target, self._parts.now_s())
        body = keda.body(now, policy)
        if body is None:
            code = _CODES.get(now.standing, ProblemCode.HINT_STALE)
            raise ProblemError(code, f"target {target}: no hint that may be acted upon ({now.standing})")
        return reply(request, body)

    def api_groups(self, request: Request) -> Response:
        """Answer discovery of Kubernetes: the groups; 406 to who takes aggregated discovery alone."""
        if external_metrics.wants_aggregated_alone(request.headers.get("accept", "")):
            return Response(status_code=NOT_ACCEPTABLE)
        return reply(request, external_metrics.groups())

    def api_group(self, request: Request) -> Response:
        """Answer discovery of Kubernetes: the versions of the group."""
        return reply(request, external_metrics.group())

    def api_resources(self, request: Request) -> Response:
        """Answer discovery of Kubernetes: the metrics of the version."""
        return reply(request, external_metrics.resources())

    def external_metric(
        self,
        request: Request,
        namespace: Name,
        metric: Name,
        selector: Annotated[str, Query(alias="labelSelector", max_length=SELECTOR_CHARS_MAX)] = "",
    ) -> Response:
        """Answer an autoscaler or Flagger: a list of one value, or of none."""
        try:
            requirements = parsed(selector)
        except SelectorError as error:
            raise invalid("query.labelSelector", str(error)) from None
        listed = external_metrics.values(self._parts.hints, self._parts.now_s(), namespace, metric, requirements)
        return reply(request, listed)
