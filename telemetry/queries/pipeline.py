"""Knows the questions about the way of the records themselves: what was lost, what waits, whose clock stepped.

Totals in heartbeats are cumulative per boot; of a window one boot counts from its first to its last heartbeat in it.
Heartbeats have a lane of their own, so they arrive while the store refuses requests.

Source: spec/slo.md 14 (`telemetry_self`); spec/store.md 3 (heartbeats), 12 (accounting).
"""

from telemetry.queries.question import PAGE_S, Question, Select

LOOK_BACK_MS = 3_600_000
"""A collector that was not heard for so long is forgotten."""


def collectors(since_ms: int, until_ms: int) -> Question:
    """Ask what became of the records of each collector that was heard in the last hour.

    Rows: `collector`, `heard_unix_ms`, `lag_ms` (how far the watermark of its last heartbeat is behind that heartbeat),
    `spooled` (records that wait, by that heartbeat), and of the window `accepted`, `dropped`, `frames_dropped`, `dlq`
    (records set aside), `step_us` (largest change of its clock between two heartbeats, forward or back; 0 if none).

    Args:
        since_ms: Start of the window, unix milliseconds, at most `LOOK_BACK_MS` before its end.
        until_ms: End, excluded.
    """
    values = {"since": since_ms, "until": until_ms, "first": until_ms - LOOK_BACK_MS}
    return Question(sql=_COLLECTORS, parameters=values, seconds_max=PAGE_S)


def unobserved(since_ms: int, until_ms: int) -> Question:
    """Ask how many of the users' requests to each endpoint have an ending that nobody knows.

    Rows: `endpoint`, `n`, `unobserved`.

    Args:
        since_ms: Start of the window, unix milliseconds, a whole minute.
        until_ms: End, excluded, a whole minute.
    """
    return Question(sql=_UNOBSERVED, parameters={"since": since_ms, "until": until_ms}, seconds_max=PAGE_S)


_INSIDE = "ms >= {since:Int64}"
_BOOT = "OVER (PARTITION BY h.collector, h.boot ORDER BY h.ts)"
_BEATS = Select(
    columns=[
        *("toString(h.collector) AS collector", "h.boot AS boot", "toUnixTimestamp64Milli(h.ts) AS ms"),
        "ms - toUnixTimestamp64Milli(h.watermark) AS lag_ms",
        "h.spooled AS spooled",
        *("h.accepted_total AS accepted", "h.dlq_total AS dlq", "h.tee_frames_dropped_total AS frames"),
        "arraySum(mapValues(h.dropped_total)) AS dropped",
        f"ifNull(abs(h.clock_offset_us - lagInFrame(toNullable(h.clock_offset_us)) {_BOOT}), 0) AS step_us",
    ],
    source="inferometer.heartbeats AS h",
    where=["ts >= fromUnixTimestamp64Milli({first:Int64})", "ts < fromUnixTimestamp64Milli({until:Int64})"],
)


def _grown(total: str) -> str:
    return f"if(n = 0, 0, maxIf(b.{total}, {_INSIDE}) - minIf(b.{total}, {_INSIDE})) AS {total}_in"


_TOTALS = ("accepted", "dropped", "frames", "dlq")
_COLLECTORS = Select(
    columns=[
        "collector",
        "max(heard) AS heard_unix_ms",
        *("argMax(lag, heard) AS lag_ms", "argMax(waiting, heard) AS spooled"),
        *(
            f"sum({total}_in) AS {name}"
            for total, name in zip(_TOTALS, ("accepted", "dropped", "frames_dropped", "dlq"), strict=True)
        ),
        "max(step) AS step_us",
    ],
    source=Select(
        columns=[
            *("collector", "boot", "max(ms) AS heard", f"countIf({_INSIDE}) AS n"),
            *("argMax(b.lag_ms, ms) AS lag", "argMax(b.spooled, ms) AS waiting"),
            *map(_grown, _TOTALS),
            f"maxIf(b.step_us, {_INSIDE}) AS step",
        ],
        source=f"(\n{_BEATS.text()}\n) AS b",
        group_by=["collector", "boot"],
    ),
    group_by=["collector"],
    order_by=["collector"],
).text()
_UNOBSERVED = Select(
    columns=["endpoint", "sum(s.n) AS n", "sumMap(s.outcomes)['unobserved'] AS unobserved"],
    source="inferometer.r_1m AS s",
    where=[
        "t >= fromUnixTimestamp64Milli({since:Int64})",
        "t < fromUnixTimestamp64Milli({until:Int64})",
        "traffic = 'user'",
    ],
    group_by=["endpoint"],
    having=["n > 0"],
    order_by=["endpoint"],
).text()
