"""Knows the questions of how answers look from outside, since nobody keeps their words; refuses to judge.

Source: spec/slo.md 14 (`quality_canary`); spec/measurement.md 9 (`bad_output`), 14 (`vllm:corrupted_requests`).
"""

from telemetry.queries.asked import ENDED_WITHIN
from telemetry.queries.question import PAGE_S, Question, Select

DAYS = 7
"""Days before, whose same time of day is what is usual."""
LOOK_BACK_MS = 3_600_000
"""An engine that was not scraped for so long is forgotten."""

_DAY_S = 86_400


def answers_now(since_ms: int, until_ms: int) -> Question:
    """Ask how the answers to users look.

    Rows: `endpoint`, `model`, `workload_class`, `n` (requests), `failed` (with a status of 500 or above),
    `answers` (`ok` and `bad_output`), `bad` (`bad_output`), of them `repeated` (the engine says so) and
    `empty` (streams without an output event), `lengths` (good answers whose tokens are known), `tokens` and
    `tokens_sd` (mean and standard deviation of those; NULL without any).

    Args:
        since_ms: Start of the window, unix milliseconds.
        until_ms: End, excluded.
    """
    return Question(sql=_NOW, parameters={"since": since_ms, "until": until_ms}, seconds_max=PAGE_S)


def answers_usual(since_ms: int, until_ms: int) -> Question:
    """Ask how they looked at the same time of the days before.

    Rows: `endpoint`, `model`, `workload_class`, `answers`, `bad`, `lengths`, `tokens` (mean; NULL without any).

    Args:
        since_ms: Start of the window that is compared, unix milliseconds, a whole minute.
        until_ms: Its end, excluded, a whole minute, less than a day later.
    """
    values = {
        "first": since_ms - DAYS * _DAY_S * 1000,
        "since": since_ms,
        "since_s": since_ms // 1000,
        "length_s": (until_ms - since_ms) // 1000,
    }
    return Question(sql=_USUAL, parameters=values, seconds_max=PAGE_S)


def corrupted(since_ms: int, until_ms: int) -> Question:
    """Ask which engines met numbers that are none in their outputs; those that do not look for them are absent.

    Rows: `endpoint`, `replica`, `heard_unix_ms`, `corrupted` (requests of the window).

    Args:
        since_ms: Start of the window, unix milliseconds, at most `LOOK_BACK_MS` before its end.
        until_ms: End, excluded.
    """
    values = {"since": since_ms, "until": until_ms, "first": until_ms - LOOK_BACK_MS}
    return Question(sql=_CORRUPTED, parameters=values, seconds_max=PAGE_S)


_BEFORE = "OVER (PARTITION BY e.endpoint, e.replica ORDER BY e.ts)"
_GROUP = ("endpoint", "model", "workload_class")
_KNOWN = "r.outcome = 'ok' AND isNotNull(r.tokens_out)"
_NOW = Select(
    columns=[
        *_GROUP,
        "count() AS n",
        "countIf(r.http_status >= 500) AS failed",
        "countIf(r.outcome IN ('ok', 'bad_output')) AS answers",
        "countIf(r.outcome = 'bad_output') AS bad",
        "countIf(r.outcome = 'bad_output' AND r.finish_reason = 'repetition') AS repeated",
        "countIf(r.outcome = 'bad_output' AND r.stream = 1 AND r.n_out_events = 0) AS empty",
        f"countIf({_KNOWN}) AS lengths",
        # Of sums of whole numbers, which do not depend on the order in which threads add them up.
        f"toUInt64(sumIf(assumeNotNull(r.tokens_out), {_KNOWN})) AS total",
        f"sumIf(toUInt64(assumeNotNull(r.tokens_out)) * assumeNotNull(r.tokens_out), {_KNOWN}) AS squares",
        "if(lengths = 0, NULL, total / lengths) AS tokens",
        "if(lengths = 0, NULL, sqrt(greatest(squares / lengths - pow(total / lengths, 2), 0))) AS tokens_sd",
    ],
    source="inferometer.requests AS r",
    where=[*ENDED_WITHIN, "traffic = 'user'"],
    group_by=_GROUP,
    order_by=_GROUP,
).text()
_USUAL = Select(
    columns=[
        *_GROUP,
        "sumMap(s.outcomes) AS ended",
        "ended['bad_output'] AS bad",
        "ended['ok'] + bad AS answers",
        "ended['ok'] - sum(s.n_tok_null) AS lengths",
        "if(lengths = 0, NULL, (sum(s.tokens_out) - sum(s.tokens_failed)) / lengths) AS tokens",
    ],
    source="inferometer.r_1m AS s",
    where=[
        "t >= fromUnixTimestamp64Milli({first:Int64})",
        "t < fromUnixTimestamp64Milli({since:Int64})",
        "positiveModulo(toInt64(toUnixTimestamp(t)) - {since_s:Int64}, 86400) < {length_s:Int64}",
        "traffic = 'user'",
    ],
    group_by=_GROUP,
    order_by=_GROUP,
).text()
_CORRUPTED = Select(
    columns=[
        *("endpoint", "replica", "max(ms) AS heard_unix_ms"),
        "toUInt64(ifNull(sumIf(grown, ms >= {since:Int64}), 0)) AS corrupted",
    ],
    source=Select(
        columns=[
            *("toString(e.endpoint) AS endpoint", "toString(e.replica) AS replica"),
            *("toUnixTimestamp64Milli(e.ts) AS ms", "toInt64(e.extra['corrupted_requests_total']) AS total"),
            f"lagInFrame(toNullable(total)) {_BEFORE} AS before",
            # A counter that fell began anew, whether the scrape says so or not.
            "if(e.reset = 1 OR total < before, total, total - before) AS grown",
        ],
        source="inferometer.engine_metrics AS e",
        where=[
            "ts >= fromUnixTimestamp64Milli({first:Int64})",
            "ts < fromUnixTimestamp64Milli({until:Int64})",
            "e.up = 1",
            "mapContains(e.extra, 'corrupted_requests_total')",
        ],
    ),
    group_by=["endpoint", "replica"],
    order_by=["endpoint", "replica"],
).text()
