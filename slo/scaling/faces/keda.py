"""Knows the body that KEDA's metrics-api scaler reads, and its published schema; refuses to know HTTP.

KEDA takes `valueLocation` for a GJSON path and wants a number or a Quantity there; null is an error to it, so a figure
that is not known makes it hold or fall back. Status must be 200; any other is an error too.

Source: kedacore/keda pkg/scalers/metrics_api_scaler.go (getMetricValueFromURL, getValueFromJSONResponse);
spec/scaling.md 4; JSON Schema 2020-12, as msgspec writes it.
"""

import json
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from slo.scaling.faces.moment import Moment, Policy
from slo.scaling.freshness import Transport

SCHEMA: Final = "inferometer.keda/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class KedaBody:
    """What KEDA reads of one target."""

    desired_replicas: Annotated[
        float, Meta(ge=0, description="Replicas that are asked for; whole unless the policy is raw.")
    ]
    active: Annotated[int, Meta(ge=0, le=1, description="1 if any are asked for, else 0.")]
    demand_rps: Annotated[
        float | None,
        Meta(description="Requests per second expected a cold start ahead, P95; null if unknown."),
    ]
    seq: Annotated[int, Meta(ge=0, description="Number of the hint.")]


def body(of: Moment, policy: Policy) -> KedaBody | None:
    """Return what KEDA reads; None if there is no number to tell."""
    hint, replicas = of.told(Transport.KEDA), of.replicas(Transport.KEDA, policy)
    if hint is None or replicas is None:
        return None
    return KedaBody(desired_replicas=replicas, active=int(replicas > 0), demand_rps=hint.forecast.p95_rps, seq=hint.seq)


def schema_text() -> str:
    """Return the published schema, `docs/keda.schema.json`."""
    found: dict[str, Any] = msgspec.json.schema(KedaBody)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": SCHEMA, **found}
    return json.dumps(head, indent=2) + "\n"
