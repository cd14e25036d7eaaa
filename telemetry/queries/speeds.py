"""Knows the questions of how fast an endpoint was, and under which load; refuses to know how fast it should be.

Source: spec/slo.md 13 (`throughput_below_expected`: speed at the same load point; raw tokens/s only while requests
wait); spec/measurement.md 6 (TPOT from 16 output tokens on).
"""

from telemetry.queries.asked import ENDED_WITHIN
from telemetry.queries.bounds import TPOT_TOKENS_MIN
from telemetry.queries.question import PAGE_S, Question, Select


def paces(since_ms: int, until_ms: int) -> Question:
    """Ask how fast each endpoint answered its users.

    Rows: `endpoint`, `n` (good answers with a time per output token), `tpot_us` (their median, nearest rank), and the
    means `tokens_in` and `tokens_out` (NULL if unknown), `prefill_tokens_per_s` (prompt tokens that no cache had, over
    the time in which the engine says that it read them; NULL if it does not).

    Args:
        since_ms: Start of the window, unix milliseconds.
        until_ms: End, excluded.
    """
    return Question(sql=_PACES, parameters={"since": since_ms, "until": until_ms}, seconds_max=PAGE_S)


def load_points(since_ms: int, until_ms: int) -> Question:
    """Ask how many requests the engines of each endpoint worked on at once, as a request meets it.

    Rows: `endpoint`, `replicas`, `scrapes` (at which one worked), `running` (mean over what ran, not over time: an
    engine that works on 32 requests half of the time has a running of 32), `starts` (scrapes of an engine that began
    within the window).

    Args:
        since_ms: Start of the window, unix milliseconds.
        until_ms: End, excluded.
    """
    return Question(sql=_LOADS, parameters={"since": since_ms, "until": until_ms}, seconds_max=PAGE_S)


def rates(since_ms: int, until_ms: int) -> Question:
    """Ask how many output tokens each endpoint made for its users, in all and while requests waited.

    Rows: `endpoint`, `tokens_per_s`, `gpus` (0 if none was seen), `full_minutes` (in which every scrape of every engine
    saw requests wait), `full_tokens_per_s` (NULL without such minutes).

    Args:
        since_ms: Start of the window, unix milliseconds, a whole minute.
        until_ms: End, excluded, a whole minute.
    """
    values = {"since": since_ms, "until": until_ms, "seconds": (until_ms - since_ms) / 1000}
    return Question(sql=_RATES, parameters=values, seconds_max=PAGE_S)


_PACED = f"r.tpot_us > 0 AND r.tokens_out >= {TPOT_TOKENS_MIN}"
_READ = "isNotNull(r.srv_prefill_us) AND r.srv_prefill_us > 0 AND isNotNull(r.tokens_in)"
_PACES = Select(
    columns=[
        "endpoint",
        f"countIf({_PACED}) AS n",
        f"if(n = 0, NULL, quantileExactLowIf(0.5)(assumeNotNull(r.tpot_us), {_PACED})) AS tpot_us",
        "avg(r.tokens_in) AS tokens_in",
        "avg(r.tokens_out) AS tokens_out",
        f"sumIf(r.tokens_in - ifNull(r.tokens_cache_read, 0), {_READ}) AS prefilled",
        f"sumIf(r.srv_prefill_us, {_READ}) AS prefill_us",
        "if(ifNull(prefill_us, 0) = 0, NULL, prefilled / prefill_us * 1000000) AS prefill_tokens_per_s",
    ],
    source="inferometer.requests AS r",
    where=[*ENDED_WITHIN, "traffic = 'user'", "outcome = 'ok'"],
    group_by=["endpoint"],
    order_by=["endpoint"],
).text()
_LOADS = Select(
    columns=[
        *("endpoint", "uniqExact(e.replica) AS replicas", "countIf(e.running > 0) AS scrapes"),
        "if(scrapes = 0, NULL, sum(toUInt64(e.running) * e.running) / sum(e.running)) AS running",
        "countIf(e.reset = 1 OR e.extra['process_start_unix_s'] * 1000 >= {since:Int64}) AS starts",
    ],
    source="inferometer.engine_metrics AS e",
    where=[
        "ts >= fromUnixTimestamp64Milli({since:Int64})",
        "ts < fromUnixTimestamp64Milli({until:Int64})",
        "e.up = 1",
    ],
    group_by=["endpoint"],
    order_by=["endpoint"],
).text()

_WITHIN = ("t >= fromUnixTimestamp64Milli({since:Int64})", "t < fromUnixTimestamp64Milli({until:Int64})")
_MADE = Select(
    columns=["toString(s.endpoint) AS endpoint", "t", "sum(s.tokens_by_event) AS tokens"],
    source="inferometer.r_1m AS s",
    where=[*_WITHIN, "traffic = 'user'"],
    group_by=["endpoint", "t"],
)
_FULL = Select(
    columns=["toString(s.endpoint) AS endpoint", "t", "toUInt8(ifNull(min(s.queued_min) > 0, 0)) AS is_full"],
    source="inferometer.r_engine_1m AS s",
    where=[*_WITHIN, "s.n_up > 0"],
    group_by=["endpoint", "t"],
)
_GPUS = Select(
    columns=["toString(s.endpoint) AS endpoint", "uniqExact(s.gpu_uuid, s.mig_uuid) AS found"],
    source="inferometer.r_gpu_1m AS s",
    where=[*_WITHIN, "endpoint != ''"],
    group_by=["endpoint"],
)
_RATES = Select(
    columns=[
        *("endpoint", "sum(tokens) / {seconds:Float64} AS tokens_per_s", "max(g.found) AS gpus"),
        "countIf(f.is_full = 1) AS full_minutes",
        "if(full_minutes = 0, NULL, sumIf(tokens, f.is_full = 1) / full_minutes / 60) AS full_tokens_per_s",
    ],
    source=(
        f"(\n{_MADE.text()}\n) AS m\n"
        f"FULL JOIN (\n{_FULL.text()}\n) AS f USING (endpoint, t)\n"
        f"LEFT JOIN (\n{_GPUS.text()}\n) AS g USING (endpoint)"
    ),
    group_by=["endpoint"],
    order_by=["endpoint"],
).text()
