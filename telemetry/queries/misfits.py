"""Knows the questions whether work runs on a stack that is made for other work; refuses to judge.

All of them are about requests of users, and about all endpoints at once. A class that is not set is `endpoint`.

Error: none.

Source: spec/slo.md 2 (class misfit).
"""

from telemetry.queries.asked import ENDED_WITHIN
from telemetry.queries.question import PAGE_S, REPORT_S, Question, Select

GROWTH_RATIO = 0.5
"""A step whose prompt is shorter than this share of the one before has lost its context."""


def flow_contexts(since_ms: int, until_ms: int) -> Question:
    """Ask in how many flows a step had lost the context of the one before.

    Steps are compared within one endpoint and model, in the order in which they began; only those whose prompt's length
    is known. A flow has lost its context if a prompt is less than `GROWTH_RATIO` of the one before, or has exactly the
    length of the first one again after a longer one: it began anew.

    Rows: `endpoint`, `model`, `flows` (with two such steps or more), `lost`, `shrunk`, `restarted` (which make up
    `lost`), `unnumbered` (requests of class workflow that name no flow). Endpoints without any of these are absent.

    Args:
        since_ms: Start of the window of `ended_at`, unix milliseconds.
        until_ms: End, excluded.
    """
    return Question(sql=_CONTEXTS, parameters={"since": since_ms, "until": until_ms}, seconds_max=PAGE_S)


def queue_shares(since_ms: int, until_ms: int) -> Question:
    """Ask which share of the time to their first token interactive requests spent in the engine's queue.

    Rows: `endpoint`, `n` (requests of class endpoint whose queue time and first token are known), `queue_ratio` (sum
    of queue times over sum of times to first token).

    Args:
        since_ms: Start of the window of `ended_at`, unix milliseconds.
        until_ms: End, excluded.
    """
    return Question(sql=_QUEUES, parameters={"since": since_ms, "until": until_ms}, seconds_max=PAGE_S)


def batch_runs(since_ms: int, until_ms: int, inputs: int, lasting_s: float) -> Question:
    """Ask what the long runs of batch jobs used: those of more inputs, or more time, than is named.

    Rows: `endpoint`, `runs` (long ones), `inputs`, `tokens_read` (input tokens that no cache had), `tokens_cached`,
    `tokens_out`, `unknown` (requests that ended well, whose tokens are not known), `longest_s`, all of long runs;
    `unnumbered` (requests of class batch that name no job). Endpoints without batch work are absent.

    Args:
        since_ms: Start of the window of `ended_at`, unix milliseconds.
        until_ms: End, excluded.
        inputs: A run of more is long.
        lasting_s: So is one that lasts longer.
    """
    values = {"since": since_ms, "until": until_ms, "inputs": inputs, "lasting": lasting_s}
    return Question(sql=_RUNS, parameters=values, seconds_max=REPORT_S)


_USERS = (*ENDED_WITHIN, "traffic = 'user'")
_BEGAN_US = "toUnixTimestamp64Milli(ended_at) * 1000 - elapsed_us"
_IS_STEP = "isNotNull(flow_id) AND isNotNull(r.tokens_in)"
_STEPS = Select(
    columns=[
        *("toString(r.endpoint) AS endpoint", "toString(r.model) AS model", "flow_id"),
        f"arraySort(groupArrayIf(({_BEGAN_US}, assumeNotNull(r.tokens_in)), {_IS_STEP})) AS steps",
        "arrayMap(step -> step.2, steps) AS lengths",
        "countIf(isNull(flow_id) AND r.workload_class = 'workflow') AS unnumbered",
        f"arrayExists((a, b) -> b < a * {GROWTH_RATIO}, arrayPopBack(lengths), arrayPopFront(lengths)) AS is_shrunk",
        "arrayFirstIndex(length -> length > lengths[1], lengths) AS grown_at",
        "grown_at > 0 AND has(arraySlice(lengths, grown_at + 1), lengths[1]) AS is_restarted",
        "length(lengths) > 1 AS is_flow",
    ],
    source="inferometer.requests AS r",
    where=[*_USERS, "isNotNull(flow_id) OR workload_class = 'workflow'"],
    group_by=["endpoint", "model", "flow_id"],
)
_CONTEXTS = Select(
    columns=[
        *("endpoint", "model", "countIf(is_flow) AS flows"),
        "countIf(is_flow AND (is_shrunk OR is_restarted)) AS lost",
        "countIf(is_flow AND is_shrunk) AS shrunk",
        "countIf(is_flow AND is_restarted AND NOT is_shrunk) AS restarted",
        "sum(f.unnumbered) AS unnumbered",
    ],
    source=f"(\n{_STEPS.text()}\n) AS f",
    group_by=["endpoint", "model"],
    having=["flows > 0 OR unnumbered > 0"],
    order_by=["endpoint", "model"],
).text()
_QUEUES = Select(
    columns=[
        *("toString(r.endpoint) AS endpoint", "count() AS n"),
        "sum(least(srv_queue_us, ttft_us)) / sum(ttft_us) AS queue_ratio",
    ],
    source="inferometer.requests AS r",
    where=[*_USERS, "workload_class IN ('', 'endpoint')", "isNotNull(srv_queue_us)", "ttft_us > 0"],
    group_by=["endpoint"],
    order_by=["endpoint"],
).text()
_JOBS = Select(
    columns=[
        *("toString(r.endpoint) AS endpoint", "flow_id", "count() AS n"),
        "toUInt64(sum(ifNull(r.tokens_in, 0)) - cached) AS tokens_read",
        "sum(ifNull(r.tokens_cache_read, 0)) AS cached",
        "sum(ifNull(r.tokens_out, 0)) AS tokens_out",
        "countIf(r.outcome = 'ok' AND (isNull(r.tokens_in) OR isNull(r.tokens_out))) AS unknown",
        f"(max(toUnixTimestamp64Milli(ended_at)) * 1000 - min({_BEGAN_US})) / 1e6 AS lasted_s",
        "isNotNull(flow_id) AND (n > {inputs:UInt64} OR lasted_s > {lasting:Float64}) AS is_long",
    ],
    source="inferometer.requests AS r",
    where=[*_USERS, "workload_class = 'batch'"],
    group_by=["endpoint", "flow_id"],
)
_RUNS = Select(
    columns=[
        *("endpoint", "countIf(is_long) AS runs", "sumIf(j.n, is_long) AS inputs"),
        "sumIf(j.tokens_read, is_long) AS tokens_read",
        "sumIf(j.cached, is_long) AS tokens_cached",
        "sumIf(j.tokens_out, is_long) AS tokens_out",
        "sumIf(j.unknown, is_long) AS unknown",
        "maxIf(j.lasted_s, is_long) AS longest_s",
        "sumIf(j.n, isNull(flow_id)) AS unnumbered",
    ],
    source=f"(\n{_JOBS.text()}\n) AS j",
    group_by=["endpoint"],
    order_by=["endpoint"],
).text()
