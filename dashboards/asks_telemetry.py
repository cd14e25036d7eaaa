"""Knows how the telemetry's own numbers become columns of panels; refuses to know whose requests they are of.

Source: spec/ui.md 5 (tel.*); spec/store.md 3 (heartbeats), 12 (accounting identity).
"""

from dashboards.asks import renamed
from dashboards.asks_engine import conditions, in_minutes
from dashboards.asks_engine import parameters as filters
from telemetry.queries.asked import ENDED_WITHIN, Asked, Pick
from telemetry.queries.health import telemetry_health
from telemetry.queries.question import Question, Select

_PAIR = "(word, n) -> concat(word, '=', toString(n))"
_SECONDS, _MINUTES = "inferometer.heartbeats AS s", "inferometer.r_heartbeats_1m AS s"
_TOTALS = {"tee_frames_dropped_total": "frames", "cpu_us_total": "cpu_us"}
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
    time, source, column = ("s.t", _MINUTES, "spooled_max") if in_minutes(asked) else ("s.ts", _SECONDS, "spooled")
    waiting = Select(
        columns=[
            _STEP.format(time).replace(" AS t", " AS step"),
            "s.collector AS collector",
            f"max(s.{column}) AS most",
        ],
        source=source,
        where=conditions(time, ("endpoint",)),
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
    each = Select(
        columns=[
            "step",
            "collector",
            "max(lag_us) AS lag_us",
            "max(rss) AS rss",
            "sum(frames) AS frames",
            "sum(cpu_us) AS cpu_us",
        ],
        source=_beats(is_rolled=in_minutes(asked)),
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
    kinds = (
        (
            "collector",
            ("collector",),
            "heartbeats",
            "NULL",
            "toFloat64(argMax(s.clock_offset_us, s.ts)) / 1000000",
        ),
        ("engine", ("endpoint", "replica"), "engine_metrics", "avg(s.up)", "NULL"),
        ("GPU", ("node", "gpu_uuid"), "gpu_samples", "NULL", "NULL"),
        ("probe", ("target", "probe"), "probe_results", "avg(s.ok)", "NULL"),
    )
    union = "\nUNION ALL\n".join(
        Select(
            columns=[
                f"'{kind}' AS kind",
                f"arrayStringConcat([{', '.join(f'toString(s.{name})' for name in names)}], ' ') AS source",
                "toUnixTimestamp(max(s.ts)) AS last_seen",
                "count() AS samples",
                f"CAST({up}, 'Nullable(Float64)') AS up",
                f"CAST({offset}, 'Nullable(Float64)') AS clock_offset",
            ],
            source=f"inferometer.{table} AS s",
            where=conditions("s.ts", () if table == "probe_results" else ("endpoint",)),
            # By the columns, not by the text that is made of them: that would be made of every row.
            group_by=[f"s.{name}" for name in names],
        ).text()
        for kind, names, table, up, offset in kinds
    )
    silent = "intDiv({until:Int64}, 1000) - last_seen AS silent"
    found = Select(columns=["*", silent], source=f"(\n{union}\n)", order_by=["silent DESC", "kind", "source"])
    return Question(sql=found.text(), parameters=filters(asked))


def _beats(*, is_rolled: bool) -> Select:
    """Return what each collector says of itself in a second or a minute, and what its totals grew by since the last.

    It stands in every row of that second, and the row of a minute may lie in several parts: the largest is told once.
    """
    time, source = ("s.t", _MINUTES) if is_rolled else ("s.ts", _SECONDS)
    high, low = ("_max", "_min") if is_rolled else ("", "")
    first = "min" if is_rolled else "max"  # what a first second grew by is not known; of a first minute it is
    said = Select(
        columns=[
            *("s.collector AS collector", "s.boot AS boot", f"{time} AS at"),
            *(f"max(s.{name}{high}) AS {name}" for name in _TOTALS),
            *(f"{first}(s.{name}{low}) AS {name}_least" for name in _TOTALS),
            *("max(s.loop_lag_us_max) AS lag_us", f"max(s.rss_bytes{high}) AS rss"),
        ],
        source=source,
        where=conditions(time, ("endpoint",)),
        group_by=["s.collector", "s.boot", time],
    )
    over = "OVER (PARTITION BY collector, boot ORDER BY at ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)"
    grew = [f"{name} - lagInFrame({name}, 1, {name}_least) {over} AS {alias}" for name, alias in _TOTALS.items()]
    return Select(
        columns=[_STEP.format("at").replace(" AS t", " AS step"), "collector", "lag_us", "rss", *grew], source=said
    )
