"""Knows how to ask for the figures of a window, exactly, from raw rows; refuses to know who shows them.

Percentiles are nearest rank over raw rows, of two populations: `ok_only` (outcome ok, value known), `all` (judged
good or bad, a bad one counting as +inf). Each has its n beside it; `rank_floor` says from which n on it may be shown.

Subtle: `quantilesExact(p)` takes the value at floor(p * n), counted from 0; nearest rank is ceil(p * n) - 1. They are
equal at p - 1e-12 for every n below 1e9, because p * n has at most two decimals for our p. `quantilesExactWeighted(p)
(x, 1)` is nearest rank as well, and took 0.58 s for a report over 480,000 rows where this takes 0.30.

Source: spec/measurement.md 11 (populations, n); spec/store.md 13.
"""

from collections.abc import Mapping
from types import MappingProxyType

from telemetry.queries.question import LIVE_S, REPORT_S, Question

QUANTILES: tuple[float, ...] = (0.5, 0.95, 0.99)
"""Percentiles of every array in an answer, in order."""
METRICS: tuple[str, ...] = ("ttft", "tpot", "e2e", "icl_max")
"""Names M for which an answer has `M_n`, `M_us`, `M_us_max` (ok_only) and `M_all_n`, `M_all_us` (all)."""
TOKEN_BINS_S_MAX = 7_200
"""Longest tail of `tok_by_s`: a stream that ended this long after the window may still have tokens in it."""

_RANK_FLOORS: Mapping[float, int] = MappingProxyType({0.5: 1, 0.95: 20, 0.99: 100})


def rank_floor(quantile: float) -> int:
    """Return the least n at which a percentile may be shown: 1 / (1 - p), and 1 for the median."""
    return _RANK_FLOORS[quantile]


def report(since_unix_ms: int, until_unix_ms: int, *, traffic: str = "user") -> Question:
    """Ask for the figures of [since, until), one row per endpoint and model and one global row (`is_global` 1).

    Rows belong to the window by `ended_at`. `tokens_in_window` counts output tokens by the second in which they came
    (`tok_by_s`), and by row where only the total is known; divide it by the window for tokens/s.

    Args:
        since_unix_ms: Start of the window, unix milliseconds, included.
        until_unix_ms: End of the window, excluded.
        traffic: `user`, `probe` or `loadtest`.
    """
    values = {"since": since_unix_ms, "until": until_unix_ms, "traffic": traffic, "tail_ms": TOKEN_BINS_S_MAX * 1000}
    return Question(sql=_REPORT, parameters=values, seconds_max=REPORT_S)


def top(since_unix_ms: int, until_unix_ms: int, *, traffic: str = "user") -> Question:
    """Ask the same as `report` within the budget of a live view; take requests/s as n over the window."""
    asked = report(since_unix_ms, until_unix_ms, traffic=traffic)
    return Question(sql=asked.sql, parameters=asked.parameters, seconds_max=LIVE_S)


_REPORT = """\
SELECT
    grouping(endpoint) AS is_global,
    endpoint,
    model,
    countIf(inside) AS n,
    countIf(ok) AS n_ok,
    countIf(good OR bad) AS n_eligible,
    toUnixTimestamp64Milli(minIf(ended_at, inside)) AS first_unix_ms,
    toUnixTimestamp64Milli(maxIf(ended_at, inside)) AS last_unix_ms,
    countIf(ok AND isNotNull(source.ttft_us)) AS ttft_n,
    quantilesExactIf(0.499999999999, 0.949999999999, 0.989999999999)(
        assumeNotNull(source.ttft_us), ok AND isNotNull(source.ttft_us)
    ) AS ttft_us,
    maxIf(source.ttft_us, ok) AS ttft_us_max,
    countIf(bad OR (good AND isNotNull(source.ttft_us))) AS ttft_all_n,
    quantilesExactIf(0.499999999999, 0.949999999999, 0.989999999999)(
        if(bad, inf, toFloat64(assumeNotNull(source.ttft_us))), bad OR (good AND isNotNull(source.ttft_us))
    ) AS ttft_all_us,
    countIf(ok AND isNotNull(source.tpot_us)) AS tpot_n,
    quantilesExactIf(0.499999999999, 0.949999999999, 0.989999999999)(
        assumeNotNull(source.tpot_us), ok AND isNotNull(source.tpot_us)
    ) AS tpot_us,
    maxIf(source.tpot_us, ok) AS tpot_us_max,
    countIf(bad OR (good AND isNotNull(source.tpot_us))) AS tpot_all_n,
    quantilesExactIf(0.499999999999, 0.949999999999, 0.989999999999)(
        if(bad, inf, toFloat64(assumeNotNull(source.tpot_us))), bad OR (good AND isNotNull(source.tpot_us))
    ) AS tpot_all_us,
    countIf(ok AND isNotNull(source.e2e_us)) AS e2e_n,
    quantilesExactIf(0.499999999999, 0.949999999999, 0.989999999999)(
        assumeNotNull(source.e2e_us), ok AND isNotNull(source.e2e_us)
    ) AS e2e_us,
    maxIf(source.e2e_us, ok) AS e2e_us_max,
    countIf(bad OR (good AND isNotNull(source.e2e_us))) AS e2e_all_n,
    quantilesExactIf(0.499999999999, 0.949999999999, 0.989999999999)(
        if(bad, inf, toFloat64(assumeNotNull(source.e2e_us))), bad OR (good AND isNotNull(source.e2e_us))
    ) AS e2e_all_us,
    countIf(ok AND isNotNull(source.icl_max_us)) AS icl_max_n,
    quantilesExactIf(0.499999999999, 0.949999999999, 0.989999999999)(
        assumeNotNull(source.icl_max_us), ok AND isNotNull(source.icl_max_us)
    ) AS icl_max_us,
    maxIf(source.icl_max_us, ok) AS icl_max_us_max,
    countIf(bad OR (good AND isNotNull(source.icl_max_us))) AS icl_max_all_n,
    quantilesExactIf(0.499999999999, 0.949999999999, 0.989999999999)(
        if(bad, inf, toFloat64(assumeNotNull(source.icl_max_us))), bad OR (good AND isNotNull(source.icl_max_us))
    ) AS icl_max_all_us,
    sumIf(source.tokens_in, inside) AS tokens_in,
    sumIf(source.tokens_out, inside) AS tokens_out,
    sum(tokens_at_time) AS tokens_in_window,
    sumIf(source.stall_n, inside) AS stall_n,
    countIf(inside AND source.in_stream = 1) AS n_in_stream,
    countIf(ok AND isNull(source.tokens_out)) AS n_tok_null,
    countIf(ok AND isNull(source.tpot_us)) AS n_tpot_null,
    sumMapIf(map(toString(outcome), toUInt64(1)), inside) AS outcomes,
    sumMapIf(map(toString(ttft_source), toUInt64(1)), inside AND isNotNull(source.ttft_us)) AS ttft_sources,
    sumMapIf(map(toString(ttft_quality), toUInt64(1)), inside AND isNotNull(source.ttft_us)) AS ttft_qualities,
    sumMapIf(map(toString(tok_source), toUInt64(1)), inside) AS tok_sources,
    sumMapIf(map(toString(tok_time_quality), toUInt64(1)), inside) AS tok_time_qualities
FROM
(
    SELECT
        *,
        ended_at < fromUnixTimestamp64Milli({until:Int64}) AS inside,
        inside AND outcome = 'ok' AS ok,
        inside AND eligible = 'good' AS good,
        inside AND eligible = 'bad' AS bad,
        toUnixTimestamp64Milli(ended_at) + intDiv(toInt64(ifNull(ttft_us, 0)) - toInt64(elapsed_us), 1000) AS first_ms,
        intDiv(first_ms, 1000) AS first_s,
        if(
            notEmpty(tok_by_s) AND isNotNull(ttft_us),
            arraySum(
                (n, k) -> if((first_s + k) * 1000 >= {since:Int64} AND (first_s + k) * 1000 < {until:Int64}, n, 0),
                tok_by_s,
                range(length(tok_by_s))
            ),
            if(inside, ifNull(tokens_out, 0), 0)
        ) AS tokens_at_time
    FROM inferometer.requests
    WHERE ended_at >= fromUnixTimestamp64Milli({since:Int64})
      AND ended_at < fromUnixTimestamp64Milli({until:Int64} + {tail_ms:Int64})
      AND traffic = {traffic:String}
) AS source
GROUP BY GROUPING SETS ((endpoint, model), ())
HAVING n > 0 OR is_global = 1
ORDER BY is_global, endpoint, model"""
