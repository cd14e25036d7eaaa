"""Knows the questions for load tests that were kept: runs, phases, requests; refuses to judge them.

A run that was handed over twice beyond the window of insert tokens stands twice; the first row of each counts.

Source: spec/store.md 3 (load_runs, load_steps), 2.1 (run_id in requests); spec/loadtest.md 12, 13.
"""

from collections.abc import Sequence

from telemetry.queries.question import REPORT_S, Question, Select

RUN_IDS_MAX = 1_000
"""Runs in one question."""
RUNS_MAX = 10_000
"""Runs in one answer, the newest ones."""
LOAD_REQUESTS_MAX = 2_000_000
"""Requests of a run in one answer."""
_NAMED = "run_id IN {run_ids:Array(String)}"


def load_runs(since_ms: int, until_ms: int, *, target: str = "", key_json: str = "") -> Question:
    """Ask for the runs that started within a window, newest first.

    Rows: `run_id`, `started_unix_ms`, `ended_unix_ms`, `target`, `model`, `engine`, `engine_version`, `mix_id`, `fit`,
    `environment`, `verdict`, `key_json`.

    Args:
        since_ms: Start of the window, unix milliseconds.
        until_ms: End, excluded.
        target: Only runs against this endpoint; empty for all.
        key_json: Only runs of exactly this key; empty for all.
    """
    values = {"since": since_ms, "until": until_ms, "target": target, "key": key_json, "limit": RUNS_MAX}
    return Question(sql=_RUNS, parameters=values)


def load_run_reports(run_ids: Sequence[str]) -> Question:
    """Ask for everything that is kept of runs, by run id.

    Rows: `run_id`, `started_unix_ms`, `ended_unix_ms`, `receipt_json`, `report_json` (empty if it was too long).

    Raises:
        ValueError: Too many runs.
    """
    return Question(sql=_REPORTS, parameters=_ids(run_ids))


def load_phases(run_ids: Sequence[str]) -> Question:
    """Ask for the phases of runs, or the rates of searches, in their order.

    Rows: `run_id`, `step`, `kind`, `mode`, `started_unix_ms`, `ended_unix_ms`, `rate_per_s`, `concurrency`, `offered`,
    `completed`, `good`, `shed`, `sched_lag_p99_us`, `read_lag_p99_us`, `state`, `stats_json`.

    Raises:
        ValueError: Too many runs.
    """
    return Question(sql=_PHASES, parameters=_ids(run_ids))


def load_requests(run_id: str, since_ms: int, until_ms: int) -> Question:
    """Ask for what a gate needs of the requests of a run, in the order of their planned time.

    Rows: `record_id`, `ended_unix_ms`, and columns of `requests` by their names.

    Args:
        run_id: The run.
        since_ms: Start of the time in which its requests ended, unix milliseconds: it spares other days.
        until_ms: End, included.
    """
    values = {"run_id": run_id, "since": since_ms, "until": until_ms, "limit": LOAD_REQUESTS_MAX}
    return Question(sql=_REQUESTS, parameters=values, seconds_max=REPORT_S)


def _ids(run_ids: Sequence[str]) -> dict[str, object]:
    if len(run_ids) > RUN_IDS_MAX:
        raise ValueError(f"{len(run_ids)} runs; allowed are {RUN_IDS_MAX}")
    return {"run_ids": list(run_ids)}


_TIMES = (
    "toUnixTimestamp64Milli(r.started_at) AS started_unix_ms",
    "toUnixTimestamp64Milli(r.ended_at) AS ended_unix_ms",
)
_RUNS = Select(
    columns=[
        "run_id",
        *_TIMES,
        *("target", "model", "engine", "engine_version", "mix_id", "fit", "environment", "verdict", "key_json"),
    ],
    source="inferometer.load_runs AS r",
    where=[
        "r.started_at >= fromUnixTimestamp64Milli({since:Int64})",
        "r.started_at < fromUnixTimestamp64Milli({until:Int64})",
        "({target:String} = '' OR target = {target:String})",
        "({key:String} = '' OR key_json = {key:String})",
    ],
    order_by=["r.started_at DESC", "run_id"],
    tail="LIMIT 1 BY run_id\nLIMIT {limit:UInt32}",
).text()
_REPORTS = Select(
    columns=["run_id", *_TIMES, "receipt_json", "report_json"],
    source="inferometer.load_runs AS r",
    where=[_NAMED],
    order_by=["run_id", "r.started_at"],
    tail="LIMIT 1 BY run_id",
).text()
_PHASES = Select(
    columns=[
        *("run_id", "step", "kind", "mode", *_TIMES, "rate_per_s", "concurrency", "offered", "completed", "good"),
        *("shed", "sched_lag_p99_us", "read_lag_p99_us", "state", "stats_json"),
    ],
    source="inferometer.load_steps AS r",
    where=[_NAMED],
    order_by=["run_id", "step"],
    tail="LIMIT 1 BY run_id, step",
).text()
_REQUESTS = Select(
    columns=[
        *("record_id", "toUnixTimestamp64Milli(ended_at) AS ended_unix_ms", "elapsed_us", "endpoint", "model"),
        *("workload_class", "outcome", "phase", "eligible", "attempt", "flags", "ttft_us", "ttfo_us", "tpot_us"),
        *("icl_max_us", "open_gap_us", "e2e_us", "sched_lag_us", "tokens_in", "tokens_out", "tok_by_s"),
    ],
    source="inferometer.requests",
    where=[
        "ended_at >= fromUnixTimestamp64Milli({since:Int64})",
        "ended_at <= fromUnixTimestamp64Milli({until:Int64})",
        "traffic = 'loadtest'",
        "run_id = {run_id:String}",
    ],
    order_by=["started_at", "record_id"],
    tail="LIMIT 1 BY record_id\nLIMIT {limit:UInt32}",
).text()
