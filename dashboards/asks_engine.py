"""Knows how samples of engines and GPUs become columns of panels; refuses to know requests.

A gauge of several replicas is added up, or its least and largest are told; a rate of a counter is taken between two
steps of one replica, and is NULL where the counter fell, because the engine began again.

Source: spec/store.md 3 (engine_metrics, gpu_samples, their minutes); spec/ui.md 5.
"""

from collections.abc import Callable, Sequence

from telemetry.panel import Ask
from telemetry.queries.asked import Asked, Dim, Pick
from telemetry.queries.question import Question, Select

MINUTE_S = 60
"""Step from which on minutes are read in place of samples."""
ENGINE_GAUGES = ("running", "queued", "queued_capacity", "queued_deferred", "kv_used_ratio")
ENGINE_COUNTERS = (
    *("prompt_tokens_total", "generation_tokens_total", "preemptions_total"),
    *("prefix_hits_total", "prefix_queries_total", "rejections_total"),
)
GPU_GAUGES = ("sm_ratio", "tensor_ratio", "gpu_util_ratio", "power_w", "power_limit_w", "temp_c", "sm_mhz")


HIT_RATIO = "if(sum(prefix_queries_total_grew) > 0, sum(prefix_hits_total_grew) / sum(prefix_queries_total_grew), NULL)"
"""Share of the prompt tokens looked up that were found, over the rows of `engine_rates`."""


def parameters(asked: Asked) -> dict[str, object]:
    """Return the values that the conditions below name; an empty filter is none."""
    named = {dim: list(asked.where.get(dim, ())) for dim in (Dim.ENDPOINT, Dim.MODEL, Dim.REPLICA)}
    values: dict[str, object] = {f"only_{dim.value}": found for dim, found in named.items()}
    step = {} if asked.step_s is None else {"step_s": asked.step_s}
    return values | {"since": asked.since_ms, "until": asked.until_ms} | step


def conditions(time: str, dims: Sequence[str], *, lead_ms: int = 0) -> list[str]:
    """Return which rows are meant.

    Args:
        time: Column of their time.
        dims: Dimensions that they have.
        lead_ms: How long before the window they begin, milliseconds: what counts up is known by the row before.
    """
    start = "{since:Int64}" if lead_ms == 0 else f"{{since:Int64}} - {lead_ms}"
    return [
        f"{time} >= fromUnixTimestamp64Milli({start})",
        f"{time} < fromUnixTimestamp64Milli({{until:Int64}})",
        *(f"(empty({{only_{dim}:Array(String)}}) OR s.{dim} IN {{only_{dim}:Array(String)}})" for dim in dims),
    ]


def engine_steps(asked: Asked) -> Select:
    """Return what each replica said in each step: gauges as means, `kv_used_ratio_max`, counters as their largest."""
    is_rolled = in_minutes(asked)
    time = "s.t" if is_rolled else "s.ts"
    gauges = [f"{_mean(name, rolled=is_rolled)} AS {name}" for name in ENGINE_GAUGES]
    largest = "max(s.kv_used_ratio_max_max)" if is_rolled else "max(s.kv_used_ratio_max)"
    up = "sum(s.n_up)" if is_rolled else "sum(s.up)"
    return Select(
        columns=[
            *(_step(asked, time), "s.endpoint AS endpoint", "s.replica AS replica", f"{up} AS n_up"),
            *gauges,
            f"{largest} AS kv_max",
            *(f"max(s.{name}) AS {name}" for name in ENGINE_COUNTERS),
        ],
        source="inferometer.r_engine_1m AS s" if is_rolled else "inferometer.engine_metrics AS s",
        where=conditions(time, ("endpoint", "model", "replica")),
        group_by=["t_unix_s", "s.endpoint", "s.replica"],
    )


def engine_rates(asked: Asked) -> Select:
    """Return the same with `<counter>_grew`, since the step before, and `seconds` between them; NULL if unknown."""
    over = "OVER (PARTITION BY endpoint, replica ORDER BY t_unix_s ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)"
    earlier = [f"lagInFrame({name}, 1) {over} AS {name}_before" for name in ENGINE_COUNTERS]
    steps = Select(
        columns=["*", f"lagInFrame(t_unix_s, 1) {over} AS t_before", *earlier],
        source=engine_steps(asked),
    )
    grew = [
        f"if(t_before = 0 OR {name} < {name}_before, NULL, {name} - {name}_before) AS {name}_grew"
        for name in ENGINE_COUNTERS
    ]
    return Select(columns=["*", "if(t_before = 0, NULL, t_unix_s - t_before) AS seconds", *grew], source=steps)


def gpu_steps(asked: Asked) -> Select:
    """Return what each GPU did in each step: gauges as means, memory, reasons for a lowered clock, the last XID."""
    is_rolled = in_minutes(asked)
    time = "s.t" if is_rolled else "s.ts"
    used, total = ("mem_used_bytes_max", "mem_total_bytes_max") if is_rolled else ("mem_used_bytes", "mem_total_bytes")
    throttled = "groupBitOr(s.throttle_bits)" if is_rolled else "groupBitOr(ifNull(s.throttle_bits, 0))"
    # Bits 0 and 1 say that the GPU rests or that its clock was set: no trouble (NVML, clocks event reasons).
    return Select(
        columns=[
            _step(asked, time),
            *("s.endpoint AS endpoint", "s.replica AS replica", "s.node AS node", "s.gpu_name AS gpu"),
            "s.gpu_uuid AS gpu_uuid, s.mig_uuid AS mig_uuid",
            *(f"{_mean(name, rolled=is_rolled)} AS {name}" for name in GPU_GAUGES),
            *(f"max(s.{used}) AS mem_used_bytes", f"max(s.{total}) AS mem_total_bytes"),
            f"bitAnd({throttled}, bitNot(toUInt64(3))) != 0 AS is_throttled",
            "max(s.xid) AS xid",
        ],
        source="inferometer.r_gpu_1m AS s" if is_rolled else "inferometer.gpu_samples AS s",
        where=conditions(time, ("endpoint", "replica")),
        group_by=["t_unix_s", *(f"s.{name}" for name in _GPU_KEYS)],
    )


def over_time(rows: Callable[[Asked], Select], columns: Sequence[str], *, by: Sequence[str] = ()) -> Ask:
    """Return how sums over replicas are asked for by step, and by keys."""

    def ask(asked: Asked, _pick: Pick) -> Question:
        found = Select(
            columns=["t_unix_s AS t", *by, *columns],
            source=rows(asked),
            group_by=["t_unix_s", *by],
            order_by=["t", *by],
        )
        return Question(sql=found.text(), parameters=parameters(asked))

    return ask


def grown(name: str) -> str:
    """Return the rate of a counter over all replicas, per second; NULL while none is known."""
    return f"sumOrNullIf({name}_grew / seconds, isNotNull({name}_grew) AND seconds > 0)"


def in_minutes(asked: Asked) -> bool:
    """Return whether the steps of a series are whole minutes."""
    return asked.step_s is not None and asked.step_s % MINUTE_S == 0


_GPU_KEYS = ("endpoint", "replica", "node", "gpu_name", "gpu_uuid", "mig_uuid")


def _step(asked: Asked, time: str) -> str:
    if asked.step_s is None:
        return "toUInt32(0) AS t_unix_s"
    return f"intDiv(toUnixTimestamp({time}), {{step_s:UInt32}}) * {{step_s:UInt32}} AS t_unix_s"


def _mean(name: str, *, rolled: bool) -> str:
    return f"if(sum(s.{name}_n) = 0, NULL, sum(s.{name}_sum) / sum(s.{name}_n))" if rolled else f"avg(s.{name})"
