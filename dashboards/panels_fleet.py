"""Knows the panels of the first page: is anything hurting users now; refuses to know other pages.

Source: spec/ui.md 5 (fleet.*).
"""

from dashboards.asks import GROUPS, counted, of_group, percentile_columns, percentiles_of
from dashboards.asks_demand import demand
from dashboards.asks_endpoints import endpoints
from dashboards.asks_engine import engine_steps, gpu_steps, over_time
from dashboards.asks_latency import WAIT_NAMES, gave_up
from dashboards.asks_point import with_tested
from dashboards.columns import TIME, bounded, key, number, numbers, text
from telemetry.panel import Column, Document, Kind, Page, Panel, Reads, Role, Type, Unit
from telemetry.queries.asked import Asked, Metric, Pick, Source
from telemetry.queries.question import Question


def _bad(source: Source) -> list[str]:
    n = "count()" if source is Source.RAW else "sum(s.n)"
    groups = [f"({of_group(name, source)}) / {{seconds:Float64}} AS {name}" for name in GROUPS]
    return [*groups, f"{n} AS n"]


def _first_token(asked: Asked, pick: Pick) -> Question:
    return with_tested(percentiles_of(Metric.TTFT, "all", "ok")(asked, pick), asked)


FLEET = (
    Panel(
        id="fleet.numbers",
        title="Three numbers",
        page=Page.FLEET,
        question="Is anything hurting users now?",
        unit=Unit.RATIO,
        kind=Kind.STAT,
        columns=(
            *numbers(Unit.RATIO, "good_ratio", "objective", "budget_left"),
            number("budget_left_time", Unit.SECONDS),
            number("burn_1h", Unit.BURN),
            text("slo"),
            *numbers(Unit.COUNT, "pages", "tickets"),
        ),
        meaning="Over all objectives: the least share that is good now, the least budget left, what fires.",
        action="Open the objective with the least budget left.",
        document=Document.NUMBERS,
    ),
    Panel(
        id="fleet.endpoints",
        title="Endpoints",
        page=Page.FLEET,
        question="Which endpoint hurts its users most?",
        unit=Unit.RATIO,
        kind=Kind.HEARTBEAT,
        columns=(
            key("endpoint"),
            Column(name="heartbeat", unit=Unit.COUNT, type=Type.NUMBERS),
            number("in_per_s", Unit.PER_S),
            number("out_tokens_per_s", Unit.TOKENS_PER_S),
            *percentile_columns(Unit.SECONDS, prefix="ttft_", only=("p95",)),
            *percentile_columns(Unit.PER_TOKEN, prefix="tpot_", only=("p95",)),
            number("bad_ratio", Unit.RATIO),
            number("waiting", Unit.REQUESTS),
            number("kv_max", Unit.RATIO),
            number("budget_left", Unit.RATIO),
            text("hint"),
        ),
        meaning="Least budget left first. The strip shows the worst outcome group of each slot of the time.",
        action="Open the first endpoint.",
        reads=Reads.QUANTILES,
        ask=endpoints,
        beside=Document.BUDGETS,
        heard=("in_per_s",),
    ),
    Panel(
        id="fleet.demand",
        title="Demand",
        page=Page.FLEET,
        question="Does work pile up, or is it wasted?",
        unit=Unit.PER_S,
        kind=Kind.LINE,
        columns=(TIME, *numbers(Unit.PER_S, "arrived", "finished", "good")),
        meaning="What arrives and does not finish waits; what finishes and is not good was wasted.",
        action="If the gap widens: see the scaling hints.",
        reads=Reads.REQUESTS,
        ask=demand,
        has_steps=True,
        heard=("arrived",),
    ),
    Panel(
        id="fleet.bad",
        title="Bad requests",
        page=Page.FLEET,
        question="What goes wrong, and how often?",
        unit=Unit.PER_S,
        kind=Kind.STACKED,
        columns=(TIME, *numbers(Unit.PER_S, *GROUPS)),
        meaning="Requests by how they ended; errors inside a 200 stream are among them.",
        action="Open those requests, or the endpoint that has most of them.",
        reads=Reads.REQUESTS,
        ask=counted(_bad),
        has_steps=True,
    ),
    Panel(
        id="fleet.ttft",
        title="Time to first token",
        page=Page.FLEET,
        question="How long do users wait for the first token?",
        unit=Unit.SECONDS,
        kind=Kind.LINE,
        columns=(
            TIME,
            *percentile_columns(Unit.SECONDS),
            *percentile_columns(Unit.SECONDS, prefix="ok_", ok_only=True),
            *bounded("tested_p95", Unit.SECONDS, Role.LEVEL),
        ),
        meaning="By the client's clock; failures are infinite, dashed without them; tested: p95 up to the proven rate.",
        action="Above the objective or the band of the load test: open the endpoint.",
        reads=Reads.QUANTILES,
        ask=_first_token,
        has_steps=True,
    ),
    Panel(
        id="fleet.gave_up",
        title="Gave up",
        page=Page.FLEET,
        question="How many users leave, and after which wait?",
        unit=Unit.PER_S,
        kind=Kind.STACKED,
        columns=(
            TIME,
            *numbers(Unit.PER_S, *WAIT_NAMES),
            *percentile_columns(Unit.SECONDS, prefix="ttft_", only=("p95",)),
        ),
        meaning="Clients that left before any output, by how long they had waited, beside the wait of all.",
        action="Add capacity, or match the client's time-out to what is promised.",
        reads=Reads.QUANTILES,
        ask=gave_up,
        has_steps=True,
    ),
    Panel(
        id="fleet.saturation",
        title="Saturation",
        page=Page.FLEET,
        question="Is there room for more?",
        unit=Unit.REQUESTS,
        kind=Kind.LINE,
        columns=(TIME, number("waiting", Unit.REQUESTS), number("kv_max", Unit.RATIO)),
        meaning="Requests that wait in engines, and the fullest KV cache: they lead what users feel.",
        action="Waiting for two minutes: see the scaling hints.",
        reads=Reads.ENGINE,
        ask=over_time(engine_steps, ["sum(queued) AS waiting", "max(kv_max) AS kv_max"]),
        has_steps=True,
        unlock={"sglang": "--enable-metrics", "llamacpp": "--metrics"},
    ),
    Panel(
        id="fleet.gpu",
        title="GPUs",
        page=Page.FLEET,
        question="Do the GPUs work, and may they?",
        unit=Unit.RATIO,
        kind=Kind.LINE,
        columns=(
            TIME,
            *numbers(Unit.RATIO, "sm_activity", "tensor_activity", "utilisation"),
            number("throttled", Unit.COUNT),
        ),
        meaning="Activity is work; utilisation is high at any load and is told where activity is not measured.",
        action="Throttled: look at power and heat of that node.",
        reads=Reads.GPU,
        ask=over_time(
            gpu_steps,
            [
                "avg(sm_ratio) AS sm_activity",
                "avg(tensor_ratio) AS tensor_activity",
                "avg(gpu_util_ratio) AS utilisation",
                "uniqExactIf((gpu_uuid, mig_uuid), is_throttled) AS throttled",
            ],
        ),
        has_steps=True,
        unlock={"*": "inferometer up on the machine of the GPUs (NVML), or probe.gpu in its configuration"},
        proof=("sm_activity", "tensor_activity", "utilisation"),
    ),
)
