"""Knows the panels about single requests: which requests exactly; refuses to know other pages.

Source: spec/ui.md 5 (req.*).
"""

from dashboards.asks import heat_of
from dashboards.asks_latency import PHASES
from dashboards.asks_rows import details, facets, rows
from dashboards.columns import TIME, detail, instant, key, number, numbers, text
from telemetry.panel import Column, Kind, Page, Panel, Reads, Role, Unit
from telemetry.queries.asked import Metric

_OF_ONE: tuple[Column, ...] = (
    instant("t"),
    key("id"),
    *(text(name) for name in ("endpoint", "model", "outcome", "phase")),
    number("ttft", Unit.SECONDS),
    number("tpot", Unit.PER_TOKEN),
    *numbers(Unit.SECONDS, "icl_max", "e2e"),
    *numbers(Unit.TOKENS, "tokens_in", "tokens_out"),
    *(detail(name) for name in ("replica", "trace")),
)

REQUESTS = (
    Panel(
        id="req.heat",
        title="Requests by time to first token",
        page=Page.REQUESTS,
        question="Which requests do I want to see?",
        unit=Unit.SECONDS,
        kind=Kind.HEATMAP,
        columns=(
            TIME,
            Column(name="low", unit=Unit.SECONDS, role=Role.DETAIL),
            Column(name="high", unit=Unit.SECONDS, role=Role.DETAIL),
            number("count", Unit.REQUESTS),
        ),
        meaning="Successful requests by when they ended and how long their first token took.",
        action="Drag a box: the rows below are those requests.",
        reads=Reads.QUANTILES,
        ask=heat_of(Metric.TTFT),
        has_steps=True,
        population="ok_only",
    ),
    Panel(
        id="req.rows",
        title="Requests",
        page=Page.REQUESTS,
        question="Which requests exactly?",
        unit=Unit.SECONDS,
        kind=Kind.TABLE,
        columns=_OF_ONE,
        meaning="Newest first, a thousand at most; no prompt and no answer is stored.",
        action="Open one, or copy its trace.",
        reads=Reads.ROWS,
        ask=rows,
    ),
    Panel(
        id="req.facets",
        title="What the bad ones have in common",
        page=Page.REQUESTS,
        question="What do bad requests share?",
        unit=Unit.RATIO,
        kind=Kind.TABLE,
        columns=(key("facet"), key("value"), *numbers(Unit.RATIO, "share_of_bad", "share_of_all", "lift")),
        meaning="Share of the bad requests against the share of all, the largest difference first.",
        action="Filter by the first value.",
        reads=Reads.ROWS,
        ask=facets,
    ),
    Panel(
        id="req.detail",
        title="One request",
        page=Page.REQUESTS,
        question="Where did its time go?",
        unit=Unit.SECONDS,
        kind=Kind.TABLE,
        columns=(
            *_OF_ONE,
            *numbers(Unit.SECONDS, *PHASES, "rest"),
            *(detail(name) for name in ("origin", "finish")),
            number("http_status", Unit.COUNT),
        ),
        meaning="Client's clock for the whole, the engine's for queue and prefill; the parts add up to the whole.",
        action="The biggest part names its panel on the endpoint's page.",
        reads=Reads.ROWS,
        ask=details,
    ),
)
