"""Knows how to ask for a report from a roll-up, where raw rows are too many or gone; refuses to know who shows it.

The figures are those of `telemetry.queries.report_exact`; a percentile has its largest error beside it, and what only
raw rows know (sources, qualities) is missing.

Source: spec/store.md 4.3, 4.6; spec/ui.md 3.
"""

from telemetry.queries import buckets
from telemetry.queries.asked import Asked, Dim, Pick, conditions, parameters, table
from telemetry.queries.question import LIVE_S, REPORT_S, Question, Select
from telemetry.queries.report_exact import METRICS

REPORT_EXACT_ROWS_MAX = 1_000_000
"""Rows of an exact report: its percentiles hold about 350 bytes of each, and a reader has 1 GiB."""


def row_count(since_ms: int, until_ms: int, *, traffic: str = "user") -> Question:
    """Ask how many requests ended in a window, rounded outward to minutes: column `n`."""
    values = {"since": since_ms // 60_000 * 60_000, "until": -(-until_ms // 60_000) * 60_000, "traffic": traffic}
    return Question(sql=_ROW_COUNT, parameters=values, seconds_max=LIVE_S)


def report_rolled(asked: Asked, pick: Pick, *, live: bool = False) -> Question:
    """Ask for a report's figures, one row per endpoint, model and metric, and one per metric of everything.

    Rows: `is_global`, `endpoint`, `model`, the counts and sums of `telemetry.queries.report_exact`; `metric` (of
    `METRICS`), `us_max` (largest value of a successful request: within its bucket, and exact if it is the slowest of
    all), `n_ok_metric`, `n_all_metric`, and of both populations the arrays of `buckets.quantile_columns`.

    Args:
        asked: The window and the filters; `by` and `step_s` do not matter.
        pick: The roll-up.
        live: Whether a live view asks, which waits less.
    """
    grouped = Asked(
        since_ms=asked.since_ms,
        until_ms=asked.until_ms,
        by=(Dim.ENDPOINT, Dim.MODEL),
        where=asked.where,
        traffic=asked.traffic,
    )
    seconds_max = LIVE_S if live else REPORT_S
    return Question(sql=_statement(grouped, pick).text(), parameters=parameters(grouped, pick), seconds_max=seconds_max)


_ROW_COUNT = Select(
    columns=["sum(s.n) AS n"],
    source="inferometer.r_1m AS s",
    where=[
        "t >= fromUnixTimestamp64Milli({since:Int64})",
        "t < fromUnixTimestamp64Milli({until:Int64})",
        "traffic = {traffic:String}",
    ],
).text()
_SUMS = {
    "n": "n",
    "n_good": "good",
    "n_bad": "bad",
    "n_in_stream": "in_stream",
    "tokens_in": "tokens_in",
    "tokens_out": "tokens_out",
    "tokens_in_window": "tokens_by_event",
    "stall_n": "stall_n",
    "n_tok_null": "n_tok_null",
    "n_tpot_null": "n_tpot_null",
}
_WORST = {"ttft": "max(s.ttft_worst).1", "tpot": "0", "e2e": "max(s.e2e_worst).1", "icl_max": "max(s.stall_worst).1"}
_KEPT = (
    *("is_global", "endpoint", "model", "n_good", "n_bad", "first_unix_ms", "last_unix_ms"),
    *("n_in_stream", "tokens_in", "tokens_out", "tokens_in_window", "stall_n", "n_tok_null", "n_tpot_null", "outcomes"),
)


def _statement(asked: Asked, pick: Pick) -> Select:
    groups = Select(
        columns=[
            "grouping(endpoint) AS is_global",
            *("endpoint", "model"),
            *(f"sum(s.{column}) AS {name}" for name, column in _SUMS.items()),
            "toInt64(toUnixTimestamp(minIf(s.t, s.n > 0))) * 1000 AS first_unix_ms",
            "toInt64(toUnixTimestamp(maxIf(s.t, s.n > 0))) * 1000 AS last_unix_ms",
            "sumMap(s.outcomes) AS outcomes",
            *(f"sumMap(s.{metric}_h) AS {metric}_h" for metric in METRICS),
            *(f"toUInt64({worst}) AS {metric}_worst_us" for metric, worst in _WORST.items()),
        ],
        source=table(pick),
        where=conditions(asked, pick),
        tail="GROUP BY GROUPING SETS ((endpoint, model), ())",
    )
    metrics = ", ".join(f"('{metric}', {metric}_h, {metric}_worst_us)" for metric in METRICS)
    by_metric = Select(
        columns=["*", f"arrayJoin([{metrics}]) AS one", "one.2 AS one_h", "one.3 AS worst_us"],
        source=groups,
        where=["n > 0 OR is_global = 1"],
    )
    top, low_us, high_us = "ks[-1]", "exp2(ks[-1] / 16) * 1000000", "exp2((ks[-1] + 1) / 16) * 1000000"
    largest = f"multiIf(n_ok = 0, NULL, {top} = -32768, 0, worst_us > {low_us} AND worst_us <= {high_us}, worst_us"
    return Select(
        given=buckets.given("one_h", "n_bad"),
        columns=[
            *_KEPT,
            "n",
            "one.1 AS metric",
            "n_ok AS n_ok_metric",
            "n_all AS n_all_metric",
            *(column for population in buckets.POPULATIONS for column in buckets.quantile_columns(population)),
            f"{largest}, {high_us}) AS us_max",
        ],
        source=by_metric,
        order_by=["is_global", "endpoint", "model", "metric"],
    )
