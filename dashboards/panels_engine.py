"""Knows the panels about the engines and GPUs of one endpoint; refuses to know durations of requests.

Source: spec/ui.md 5 (ep.queue, ep.kv, ep.cache, ep.replicas, ep.gpu).
"""

from dashboards.asks import percentile_columns
from dashboards.asks_engine import HIT_RATIO, engine_rates, gpu_steps, grown, over_time
from dashboards.asks_engine import parameters as filters
from dashboards.asks_outcomes import replicas
from dashboards.columns import TIME, detail, instant, key, number, numbers, text
from telemetry.panel import Kind, Page, Panel, Reads, Unit
from telemetry.queries.asked import Asked, Pick
from telemetry.queries.question import Question, Select

METRICS = {"sglang": "--enable-metrics", "llamacpp": "--metrics"}
"""Switches by which an engine shows its metrics (spec/ui.md 1.3)."""
_UNNAMED = "greatest(queued - ifNull(queued_capacity, 0) - ifNull(queued_deferred, 0), 0)"


def _gpus(asked: Asked, _pick: Pick) -> Question:
    found = Select(
        columns=[
            *("toString(node) AS node", "toString(gpu_uuid) AS gpu_uuid", "toString(mig_uuid) AS mig"),
            *("toString(gpu) AS gpu", "sm_ratio AS sm_activity", "tensor_ratio AS tensor_activity"),
            *("gpu_util_ratio AS utilisation", "mem_used_bytes", "mem_total_bytes", "power_w AS power"),
            *("sm_mhz AS clock", "if(is_throttled, 'throttled', 'free') AS throttle", "xid"),
        ],
        source=gpu_steps(asked),
        order_by=["node", "gpu_uuid", "mig"],
    )
    return Question(sql=found.text(), parameters=filters(asked))


ENGINE = (
    Panel(
        id="ep.queue",
        title="Queue",
        page=Page.ENDPOINT,
        question="What waits, and for what?",
        unit=Unit.REQUESTS,
        kind=Kind.STACKED,
        columns=(
            TIME,
            *numbers(Unit.REQUESTS, "capacity", "deferred", "other", "running"),
            number("refused_per_s", Unit.PER_S),
        ),
        meaning="By the engines' own count, added up over replicas; other is what waits for no named reason.",
        action="Capacity: scale. Deferred: look at KV transfers and LoRA.",
        reads=Reads.ENGINE,
        ask=over_time(
            engine_rates,
            [
                "sum(queued_capacity) AS capacity",
                "sum(queued_deferred) AS deferred",
                f"sum(if(isNull(queued), NULL, {_UNNAMED})) AS other",
                "sum(running) AS running",
                f"{grown('rejections_total')} AS refused_per_s",
            ],
        ),
        has_steps=True,
        unlock=METRICS,
    ),
    Panel(
        id="ep.kv",
        title="KV cache",
        page=Page.ENDPOINT,
        question="Is there memory for more requests?",
        unit=Unit.RATIO,
        kind=Kind.LINE,
        columns=(TIME, *numbers(Unit.RATIO, "least", "mean", "most"), number("preemptions_per_s", Unit.PER_S)),
        meaning="Share in use, across replicas; a preempted request starts again and its user waits.",
        action="Above 0.9 and preempting: add replicas, or shorten contexts.",
        reads=Reads.ENGINE,
        ask=over_time(
            engine_rates,
            [
                "min(kv_used_ratio) AS least",
                "avg(kv_used_ratio) AS mean",
                "max(kv_max) AS most",
                f"{grown('preemptions_total')} AS preemptions_per_s",
            ],
        ),
        has_steps=True,
        unlock=METRICS,
    ),
    Panel(
        id="ep.cache",
        title="Prefix cache",
        page=Page.ENDPOINT,
        question="Are prompts found in the cache?",
        unit=Unit.RATIO,
        kind=Kind.LINE,
        columns=(TIME, number("hit_ratio", Unit.RATIO)),
        meaning="Share of prompt tokens that the engines found in their cache, of those that they looked up.",
        action="It collapsed after a deploy: look at the routing.",
        reads=Reads.ENGINE,
        ask=over_time(
            engine_rates,
            [f"{HIT_RATIO} AS hit_ratio"],
        ),
        has_steps=True,
        unlock=METRICS,
    ),
    Panel(
        id="ep.replicas",
        title="Replicas",
        page=Page.ENDPOINT,
        question="Is one of them worse than the others?",
        unit=Unit.RATIO,
        kind=Kind.TABLE,
        columns=(
            key("replica"),
            text("state"),
            *percentile_columns(Unit.SECONDS, prefix="ttft_", only=("p95",)),
            number("out_tokens_per_s", Unit.TOKENS_PER_S),
            number("running", Unit.REQUESTS),
            *numbers(Unit.RATIO, "kv_max", "bad_ratio"),
            instant("last_seen"),
        ),
        meaning="Every replica that answered in the time, the one with the largest share of bad requests first.",
        action="Drain the one that stands out.",
        reads=Reads.ROWS,
        ask=replicas,
    ),
    Panel(
        id="ep.gpu",
        title="GPUs",
        page=Page.ENDPOINT,
        question="Which GPU is slow, hot or broken?",
        unit=Unit.RATIO,
        kind=Kind.TABLE,
        columns=(
            key("node"),
            key("gpu_uuid"),
            detail("mig"),
            detail("gpu"),
            *numbers(Unit.RATIO, "sm_activity", "tensor_activity", "utilisation"),
            *numbers(Unit.BYTES, "mem_used_bytes", "mem_total_bytes"),
            number("power", Unit.WATTS),
            number("clock", Unit.MEGAHERTZ),
            text("throttle"),
            number("xid", Unit.COUNT),
        ),
        meaning="Means of the time; what could not be read is a gap, never 0. xid is the last error of the driver.",
        action="An XID: drain the node.",
        reads=Reads.GPU,
        ask=_gpus,
        unlock={"*": "inferometer up on the machine of the GPUs (NVML), or probe.gpu in its configuration"},
    ),
)
