"""Knows the questions about what engines did by their own counters; refuses to judge, and to look at a request.

A counter is compared with the scrape before it that was answered, and never across a reset. An engine that was scraped
within the last hour has a row, so that one that is not scraped any more is seen to be missing.

Source: spec/slo.md 14 (`stalled_engine`, `kv_thrash`); spec/measurement.md 14, 15 (T3, T5).
"""

from telemetry.queries.asked import ENDED_WITHIN
from telemetry.queries.question import PAGE_S, Question, Select

LOOK_BACK_MS = 3_600_000
"""An engine that was not scraped for so long is forgotten."""


def still(until_ms: int) -> Question:
    """Ask since when each engine works and does not move: neither its counters of tokens nor the use of its cache.

    Rows: `endpoint`, `replica`, `engine`, `model` (of the last answered scrape), `up` (of the last scrape),
    `heard_unix_ms` (last answered scrape; NULL if none was), `n_still` (answered scrapes, up to the last one, at which
    it worked on requests and nothing moved; 0 if the last one shows no work), `since_unix_ms` (the first of them;
    NULL if there is none), `running` (of the last one; NULL if untold), `is_counted` (whether output tokens are told).

    Args:
        until_ms: The instant, unix milliseconds; scrapes before it count.
    """
    return Question(sql=_STILL, parameters=_hour(until_ms), seconds_max=PAGE_S)


def last_answers(since_ms: int, until_ms: int) -> Question:
    """Ask when each replica last ended an answer with an output well, whatever the traffic.

    Rows: `endpoint`, `replica`, `answered_unix_ms`.
    """
    return Question(sql=_LAST_ANSWERS, parameters={"since": since_ms, "until": until_ms}, seconds_max=PAGE_S)


def increases(since_ms: int, middle_ms: int, until_ms: int) -> Question:
    """Ask by how much the counters of each engine grew in both halves of a window.

    Rows: `endpoint`, `replica`, `model`, `heard_unix_ms`, `kv_used_ratio` (mean of the window; NULL if unread), and of
    each half (`_old`, `_new`): `seconds` (between scrapes that can be compared), `preemptions`, `tokens` (prompt and
    output); of the window `prompt` and `output` (tokens), `finished` (requests). A counter that is not told is NULL.

    Args:
        since_ms: Start of the window, unix milliseconds.
        middle_ms: Where the newer half begins.
        until_ms: End, excluded.
    """
    values = {"since": since_ms, "middle": middle_ms, **_hour(until_ms)}
    return Question(sql=_INCREASES, parameters=values, seconds_max=PAGE_S)


def queues(since_ms: int, until_ms: int) -> Question:
    """Ask how many requests wait in each engine, and how fast it ends them.

    Rows: `endpoint`, `replica`, `model`, `heard_unix_ms`, `queued` (mean of the window; NULL if unread), `queued_last`
    (of the last scrape that tells it), `seconds` (between scrapes of the window that can be compared), `finished`
    (requests that ended in them; NULL if endings are not told).

    Args:
        since_ms: Start of the window, unix milliseconds.
        until_ms: End, excluded.
    """
    return Question(sql=_QUEUES, parameters={"since": since_ms, **_hour(until_ms)}, seconds_max=PAGE_S)


def good_answers(since_ms: int, until_ms: int) -> Question:
    """Ask how many answers with an output each replica ended well, whatever the traffic.

    Rows: `endpoint`, `replica`, `good`.
    """
    return Question(sql=_GOOD, parameters={"since": since_ms, "until": until_ms}, seconds_max=PAGE_S)


def _hour(until_ms: int) -> dict[str, object]:
    return {"first": until_ms - LOOK_BACK_MS, "until": until_ms}


_SCRAPED = (
    "ts >= fromUnixTimestamp64Milli({first:Int64})",
    "ts < fromUnixTimestamp64Milli({until:Int64})",
)
_MS = "toUnixTimestamp64Milli(e.ts)"
_TOKENS = "ifNull(e.prompt_tokens_total, 0) + ifNull(e.generation_tokens_total, 0)"
_SCRAPE = (
    f"({_MS}, e.running, {_TOKENS}, e.reset, isNotNull(e.generation_tokens_total),"
    " toString(e.engine), toString(e.model), ifNull(e.kv_used_ratio, 0))"
)
_MOVED = "one.3 != before.3 OR one.8 != before.8 OR one.4"
_LAST = "scrapes[n]"
_STILL = Select(
    given=[
        "length(scrapes) AS n",
        "arrayLastIndex(one -> NOT ifNull(one.2 > 0, 0), scrapes) AS idle_at",
        # What moved, or began anew, stands since the scrape that shows it.
        f"arrayLastIndex((one, before) -> {_MOVED}, scrapes, arrayShiftRight(scrapes, 1)) AS moved_at",
        "greatest(idle_at + 1, moved_at, 1) AS since",
    ],
    columns=[
        *("endpoint", "replica", f"{_LAST}.6 AS engine", f"{_LAST}.7 AS model", "up"),
        f"if(n = 0, NULL, {_LAST}.1) AS heard_unix_ms",
        "toUInt32(n + 1 - least(since, n + 1)) AS n_still",
        "if(since > n, NULL, scrapes[since].1) AS since_unix_ms",
        f"{_LAST}.2 AS running",
        f"{_LAST}.5 AS is_counted",
    ],
    source=Select(
        columns=[
            *("toString(e.endpoint) AS endpoint", "toString(e.replica) AS replica", "argMax(e.up, e.ts) AS up"),
            f"arraySort(groupArrayIf({_SCRAPE}, e.up = 1)) AS scrapes",
        ],
        source="inferometer.engine_metrics AS e",
        where=_SCRAPED,
        group_by=["endpoint", "replica"],
    ),
    order_by=["endpoint", "replica"],
).text()

_ANSWERED = "outcome = 'ok' AND (tokens_out > 0 OR n_out_events > 0)"
"""Requests with an output; questions for a model's name or for its health have none."""
_GOOD = Select(
    columns=["endpoint", "replica", "count() AS good"],
    source="inferometer.requests",
    where=[*ENDED_WITHIN, _ANSWERED],
    group_by=["endpoint", "replica"],
    order_by=["endpoint", "replica"],
).text()
_LAST_ANSWERS = Select(
    columns=["endpoint", "replica", "toUnixTimestamp64Milli(max(ended_at)) AS answered_unix_ms"],
    source="inferometer.requests",
    where=[*ENDED_WITHIN, _ANSWERED],
    group_by=["endpoint", "replica"],
    order_by=["endpoint", "replica"],
).text()

_COUNTERS = {
    "prompt": "e.prompt_tokens_total",
    "output": "e.generation_tokens_total",
    "preemptions": "e.preemptions_total",
    "finished": "if(empty(e.success_total), NULL, arraySum(mapValues(e.success_total)))",
}
_BEFORE = "OVER (PARTITION BY e.endpoint, e.replica ORDER BY e.ts)"
_OLD, _NEW = "ms >= {since:Int64} AND ms < {middle:Int64}", "ms >= {middle:Int64}"


_READ = Select(
    columns=[
        *("toString(e.endpoint) AS endpoint", "toString(e.replica) AS replica", "toString(e.model) AS model"),
        *("e.reset AS reset", "e.queued AS queued"),
        # Over millionths as integers: a sum of floats depends on the order in which threads add them up.
        "toInt64(round(e.kv_used_ratio * 1000000)) AS kv_ppm",
        *(
            column
            for name, value in {"ms": _MS, **_COUNTERS}.items()
            for column in (
                f"toInt64({value}) AS {name}",
                f"lagInFrame(toNullable(toInt64({value}))) {_BEFORE} AS {name}_before",
            )
        ),
    ],
    source="inferometer.engine_metrics AS e",
    where=[*_SCRAPED, "e.up = 1"],
)
# An engine that began anew shows it by any counter that fell, also to a scraper that has just begun itself.
_GOES_ON = " AND ".join(["reset = 0", *(f"ifNull({name} >= {name}_before, 1)" for name in _COUNTERS)])
_STEPS = Select(
    columns=[
        *("endpoint", "replica", "model", "ms", "queued", "kv_ppm", f"{_GOES_ON} AS goes_on"),
        "if(goes_on, ms - ms_before, NULL) AS step_ms",
        *(f"if(goes_on, {name} - {name}_before, NULL) AS {name}_in" for name in _COUNTERS),
    ],
    source=_READ,
)
_INCREASES = Select(
    columns=[
        *("endpoint", "replica", "argMax(model, ms) AS model", "max(ms) AS heard_unix_ms"),
        "avgIf(kv_ppm, ms >= {since:Int64}) / 1000000 AS kv_used_ratio",
        *(
            column
            for half, when in (("old", _OLD), ("new", _NEW))
            for column in (
                f"ifNull(sumIf(step_ms, {when}), 0) / 1000 AS seconds_{half}",
                f"sumIf(preemptions_in, {when}) AS preemptions_{half}",
                f"sumIf(prompt_in + output_in, {when}) AS tokens_{half}",
            )
        ),
        *(f"sumIf({name}_in, ms >= {{since:Int64}}) AS {name}" for name in ("prompt", "output", "finished")),
    ],
    source=_STEPS,
    group_by=["endpoint", "replica"],
    order_by=["endpoint", "replica"],
).text()
_QUEUES = Select(
    columns=[
        *("endpoint", "replica", "argMax(model, ms) AS model", "max(ms) AS heard_unix_ms"),
        "avgIf(s.queued, ms >= {since:Int64}) AS queued",
        "argMax(s.queued, ms) AS queued_last",
        "ifNull(sumIf(step_ms, ms >= {since:Int64}), 0) / 1000 AS seconds",
        "sumIf(finished_in, ms >= {since:Int64}) AS finished",
    ],
    source=f"(\n{_STEPS.text()}\n) AS s",
    group_by=["endpoint", "replica"],
    order_by=["endpoint", "replica"],
).text()
