"""Knows what a panel may be asked: a time, a step, filters; refuses whatever else a question holds.

Source: spec/ui.md 3 (an unknown parameter is 400).
"""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from slo.api_asked import GroupAsked
from slo.desk_records import NAME_CHARS_MAX
from slo.panel_window import STEP_S_MAX, TIME_CHARS_MAX
from telemetry.panel import Panel, Reads
from telemetry.queries.asked import Dim

FILTERS_MAX = 50
"""Values of one filter."""

DIMS: Mapping[Reads, frozenset[Dim]] = {
    Reads.REQUESTS: frozenset(Dim),
    Reads.QUANTILES: frozenset(Dim),
    Reads.ROWS: frozenset(Dim),
    Reads.ENGINE: frozenset({Dim.ENDPOINT, Dim.MODEL, Dim.REPLICA}),
    Reads.GPU: frozenset({Dim.ENDPOINT, Dim.REPLICA}),
    Reads.HEARTBEATS: frozenset({Dim.ENDPOINT}),
    Reads.LOADS: frozenset({Dim.ENDPOINT, Dim.MODEL, Dim.RUN_ID}),
    Reads.HINTS: frozenset({Dim.ENDPOINT}),
    Reads.COUNTS: frozenset({Dim.ENDPOINT, Dim.MODEL, Dim.REGION, Dim.WORKLOAD_CLASS}),
}
"""Dimensions of the rows that panels read."""

Value = Annotated[str, Field(max_length=NAME_CHARS_MAX)]
Values = Annotated[list[Value], Field(max_length=FILTERS_MAX)]
At = Annotated[str, Field(max_length=TIME_CHARS_MAX)]


def _values(description: str, alias: str | None = None) -> list[str]:
    found: list[str] = Field(default_factory=list[str], alias=alias, description=description)
    return found


class PanelAsked(GroupAsked):
    """Which time, which requests, and of which objective or alert."""

    since: At = Field(default="", alias="from", description="Start: RFC 3339, unix seconds, or now-15m.")
    until: At = Field(default="", alias="to", description="End, excluded; now.")
    step: int | None = Field(default=None, ge=1, le=STEP_S_MAX, description="Seconds of a step; by the length.")
    endpoint: Values = _values("Only these endpoints.")
    model: Values = _values("Only these models.")
    region: Values = _values("Only these regions.")
    workload_class: Values = _values("Only these workload classes.", alias="class")
    variant: Values = _values("Only these variants.")
    replica: Values = _values("Only these replicas; known of raw rows and engines.")
    tenant: Values = _values("Only these tenants; known of raw rows.")
    run_id: Values = _values("Only these load tests; known of raw rows.", alias="run")
    slo: Value = Field(default="", description="Of this objective, and of one `group` of it.")
    alert: str = Field(default="", pattern="^([0-9a-f]{16})?$", description="Of this alert, by its fingerprint.")
    traffic: Literal["user", "probe", "loadtest"] = Field(default="user", description="Whose requests.")

    def filters(self) -> Mapping[Dim, tuple[str, ...]]:
        """Return the values that each dimension may have, of those that are filtered."""
        found = {dim: tuple(getattr(self, dim.value)) for dim in _FILTERED}
        return {dim: values for dim, values in found.items() if values}


def filters_of(panel: Panel) -> tuple[str, ...]:
    """Return the parameters that narrow a panel's rows down; none of what the engine itself tells."""
    known = DIMS[panel.reads] if panel.reads else frozenset[Dim]()
    fields = PanelAsked.model_fields
    return tuple(fields[dim.value].alias or dim.value for dim in (*_FILTERED, Dim.TRAFFIC) if dim in known)


_FILTERED = (
    *(Dim.ENDPOINT, Dim.MODEL, Dim.REGION, Dim.WORKLOAD_CLASS),
    *(Dim.VARIANT, Dim.REPLICA, Dim.TENANT, Dim.RUN_ID),
)
