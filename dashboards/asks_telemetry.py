"""Knows how the telemetry's own numbers become columns of panels; refuses to know whose requests they are of.

Source: spec/ui.md 5 (tel.*); spec/store.md 3 (heartbeats), 12 (accounting identity).
"""

from dashboards.asks import renamed
from dashboards.asks_demand import OF_BOOT
from dashboards.asks_engine import conditions
from dashboards.asks_engine import parameters as filters
from telemetry.queries.asked import ENDED_WITHIN, Asked, Pick
from telemetry.queries.health import telemetry_health
from telemetry.queries.question import Question, Select

_PAIR = "(word, n) -> concat(word, '=', toString(n))"
_STEP = "intDiv(toUnixTimestamp({0}), {{step_s:UInt32}}) * {{step_s:UInt32}} AS t"


def conservation(asked: Asked, _pick: Pick) -> Question:
    """Ask where the records of each collector are."""
    columns = [
        *("toString(collector) AS collector", "accepted", "stored", "spooled", "dlq"),
        "arraySum(mapValues(q.dropped)) AS dropped",
        f"arrayStringConcat(arrayMap({_PAIR}, mapKeys(q.dropped), mapValues(q.dropped)), ', ') AS why",
        *("frames_dropped", "unparsed_conns", "residue"),
    ]
    return renamed(telemetry_health(asked.since_ms, asked.until_ms), columns, ["abs(residue) DESC", "collector"])


def lag(asked: Asked, _pick: Pick) -> Question:
    """Ask how long requests of each step took from their end until they could be asked for, and what waits."""
    lags = "quantilesExactWeighted(0.5, 0.99)(greatest(0, dateDiff('millisecond', s.ended_at, s.ingested_at)), 1) AS q"
    ended = Select(
        columns=[
            _STEP.format("s.ended_at").replace(" AS t", " AS step"),
            "count() AS n",
            lags,
            "max(dateDiff('millisecond', s.ended_at, s.ingested_at)) AS worst",
        ],
        source="inferometer.requests AS s",
        where=[*ENDED_WITHIN, "(empty({only_endpoint:Array(String)}) OR s.endpoint IN {only_endpoint:Array(String)})"],
        group_by=["step"],
    )
    waiting = Select(
        columns=[
            _STEP.format("s.ts").replace(" AS t", " AS step"),
            "s.collector AS collector",
            "max(s.spooled) AS most",
        ],
        source="inferometer.heartbeats AS s",
        where=conditions("s.ts", ("endpoint",)),
        group_by=["step", "s.collector"],
    )
    spooled = Select(columns=["step", "sum(most) AS spooled"], source=waiting, group_by=["step"])
    found = Select(
        columns=[
            *("step AS t", "e.n AS n", "e.worst / 1000 AS max", "w.spooled AS spooled"),
            *(f"if(e.n = 0, NULL, e.q[{at}] / 1000) AS {name}" for at, name in ((1, "p50"), (2, "p99"))),
        ],
        source=f"(\n{spooled.text()}\n) AS w\nLEFT JOIN (\n{ended.text()}\n) AS e USING (step)",
        order_by=["t"],
    )
    return Question(sql=found.text(), parameters=filters(asked))


def overhead(asked: Asked, _pick: Pick) -> Question:
    """Ask what the measuring costs: delay added to requests, lost frames, loop lag, processor and memory."""
    added = Select(
        columns=[
            _STEP.format("s.ended_at").replace(" AS t", " AS step"),
            "countIf(isNotNull(s.tee_us)) AS n",
            "quantilesExactWeightedIf(0.5, 0.99)(assumeNotNull(s.tee_us), 1, isNotNull(s.tee_us)) AS q",
        ],
        source="inferometer.requests AS s",
        where=[*ENDED_WITHIN, "(empty({only_endpoint:Array(String)}) OR s.endpoint IN {only_endpoint:Array(String)})"],
        group_by=["step"],
    )
    grew = ", ".join(
        f"s.{name} - lagInFrame(s.{name}, 1, s.{name}) {OF_BOOT} AS {alias}"
        for name, alias in (("tee_frames_dropped_total", "frames"), ("cpu_us_total", "cpu_us"))
    )
    # What a collector says of itself stands in every row of its second: the largest of a step is told once.
    beats = Select(
        columns=[
            _STEP.format("s.ts").replace(" AS t", " AS step"),
            "s.collector AS collector",
            "s.ts AS ts",
            f"s.loop_lag_us_max AS lag_us, s.rss_bytes AS rss, {grew}",
        ],
        source="inferometer.heartbeats AS s",
        where=conditions("s.ts", ("endpoint",)),
    )
    seconds = Select(
        columns=[
            "step",
            "collector",
            "ts",
            "max(lag_us) AS lag_us",
            "max(rss) AS rss",
            "max(frames) AS frames",
            "max(cpu_us) AS cpu_us",
        ],
        source=beats,
        group_by=["step", "collector", "ts"],
    )
    each = Select(
        columns=[
            "step",
            "collector",
            "max(lag_us) AS lag_us",
            "max(rss) AS rss",
            "sum(frames) AS frames",
            "sum(cpu_us) AS cpu_us",
        ],
        source=seconds,
        group_by=["step", "collector"],
    )
    whole = Select(
        columns=[
            "step",
            "max(lag_us) / 1000000 AS loop_lag",
            "sum(rss) AS rss",
            "sum(frames) / {step_s:UInt32} AS frames_dropped_per_s",
            "sum(cpu_us) / 1000000 / {step_s:UInt32} AS cpu",
        ],
        source=each,
        group_by=["step"],
    )
    found = Select(
        columns=[
            *("step AS t", "a.n AS n", "w.loop_lag AS loop_lag", "w.frames_dropped_per_s AS frames_dropped_per_s"),
            *("w.cpu AS cpu", "w.rss AS rss"),
            *(f"if(a.n = 0, NULL, a.q[{at}] / 1000000) AS {name}" for at, name in ((1, "added_p50"), (2, "added_p99"))),
        ],
        source=f"(\n{whole.text()}\n) AS w\nLEFT JOIN (\n{added.text()}\n) AS a USING (step)",
        order_by=["t"],
    )
    return Question(sql=found.text(), parameters=filters(asked))


def sources(asked: Asked, _pick: Pick) -> Question:
    """Ask who was heard in the window: collectors, engines, GPUs, probes; the longest silent first."""
    when = "toUnixTimestamp(max({0})) AS last_seen"
    kinds = (
        (
            "collector",
            "s.collector",
            "heartbeats",
            "s.ts",
            "NULL",
            "toFloat64(argMax(s.clock_offset_us, s.ts)) / 1000000",
        ),
        ("engine", "concat(s.endpoint, ' ', s.replica)", "engine_metrics", "s.ts", "avg(s.up)", "NULL"),
        ("GPU", "concat(s.node, ' ', s.gpu_uuid)", "gpu_samples", "s.ts", "NULL", "NULL"),
        ("probe", "concat(s.target, ' ', s.probe)", "probe_results", "s.ts", "avg(s.ok)", "NULL"),
    )
    union = "\nUNION ALL\n".join(
        Select(
            columns=[
                f"'{kind}' AS kind",
                f"toString({name}) AS source",
                when.format(time),
                "count() AS samples",
                f"CAST({up}, 'Nullable(Float64)') AS up",
                f"CAST({offset}, 'Nullable(Float64)') AS clock_offset",
            ],
            source=f"inferometer.{table} AS s",
            where=conditions(time, () if table == "probe_results" else ("endpoint",)),
            group_by=["source"],
        ).text()
        for kind, name, table, time, up, offset in kinds
    )
    silent = "intDiv({until:Int64}, 1000) - last_seen AS silent"
    found = Select(columns=["*", silent], source=f"(\n{union}\n)", order_by=["silent DESC", "kind", "source"])
    return Question(sql=found.text(), parameters=filters(asked))
