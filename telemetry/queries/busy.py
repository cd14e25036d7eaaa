"""Knows how to count the requests of busy minutes alone; refuses to know targets.

A minute of an endpoint and model is busy if as many requests ended in it as in the busiest tenth of those minutes that
had any, of the seven days before its hour. Before an endpoint's first whole hour none is. A minute is known to be busy
when it is over, so all its requests count in its last bucket.

Error: none, of the rows that are there. Those that come late may make their minute busy, and others of the week less.

Source: spec/slo.md 2 (production_error_peak); `telemetry.queries.peaks` for the rule that looks at the same minutes.
"""

from telemetry.queries.asked import ENDED_WITHIN
from telemetry.queries.counted import BUCKET_S, Counted, judged, tallied
from telemetry.queries.peaks import least_busy
from telemetry.queries.question import PAGE_S, Question, Select
from telemetry.queries.steps import group_key

MINUTE_S, HOUR_S, WEEK_S = 60, 3_600, 604_800


def busy_counts(one: Counted, since_ms: int, until_ms: int) -> Question | None:
    """Ask for the counts of an objective of busy minutes in the buckets [since, until).

    Rows: as `counted.counts` gives them.

    Returns:
        None if no minute ends there, so that nothing is counted.
    """
    minute_ms = MINUTE_S * 1000
    first_ms, end_ms = since_ms // minute_ms * minute_ms, until_ms // minute_ms * minute_ms
    if first_ms >= end_ms:
        return None
    rows, values = judged(
        one,
        [
            *("toString(endpoint) AS in_endpoint", "toString(model) AS in_model"),
            *("toStartOfMinute(ended_at) AS minute", "toString(outcome) AS ending"),
            *(f"toString({dim.value}) AS of_{dim.value}" for dim in one.group_by),
        ],
        ENDED_WITHIN,
    )
    events = Select(
        columns=[
            *("{slo:String} AS slo", group_key(one)),
            f"toUnixTimestamp(minute) + {MINUTE_S - BUCKET_S} AS t_unix_s",
            *("ending AS outcome", "class", "verdict", "toUInt64(1) AS rows"),
            "CAST(map(), 'Map(String, UInt64)') AS n_null",
        ],
        source=rows,
        where=[f"(in_endpoint, in_model, minute) IN (\n{_BUSY}\n)"],
    )
    hours = [*range(first_ms // 1000 // HOUR_S * HOUR_S, end_ms // 1000, HOUR_S)]
    values |= {"since": first_ms, "until": end_ms, "slo": one.name, "traffic": one.traffic, "hours": hours}
    return Question(sql=tallied(events.text()), parameters=values, seconds_max=PAGE_S)


def _minutes(*where: str) -> Select:
    return Select(
        columns=["toString(endpoint) AS endpoint", "toString(model) AS model", "t", "sum(n) AS load"],
        source="inferometer.r_1m",
        where=["traffic = {traffic:String}", *where],
        group_by=["endpoint", "model", "t"],
        having=["load > 0"],
    )


_LEAST = Select(
    columns=[
        *("endpoint", "model", "hour"),
        f"{least_busy('load')} AS least",
    ],
    source=Select(
        columns=["*", "toDateTime(arrayJoin({hours:Array(Int64)}), 'UTC') AS hour"],
        source=_minutes(
            f"t >= toDateTime({{hours:Array(Int64)}}[1] - {WEEK_S}, 'UTC')",
            "t < toDateTime({hours:Array(Int64)}[-1], 'UTC')",
        ),
    ),
    where=[f"t >= hour - {WEEK_S}", "t < hour"],
    group_by=["endpoint", "model", "hour"],
)
_NOW = Select(
    columns=["*", "toStartOfHour(t) AS hour"],
    source=_minutes(
        "t >= fromUnixTimestamp64Milli({since:Int64})",
        "t < fromUnixTimestamp64Milli({until:Int64})",
    ),
)
_BUSY = Select(
    columns=["endpoint", "model", "t"],
    source=f"(\n{_NOW.text()}\n) AS now\nINNER JOIN (\n{_LEAST.text()}\n) AS past USING (endpoint, model, hour)",
    where=["now.load >= past.least"],
).text()
