"""Knows the question for the baselines that hold; refuses to know how a run is compared with one.

Source: spec/store.md 3 (baselines: the last state of each holds).
"""

from telemetry.queries import buckets
from telemetry.queries.question import Question, Select

BASELINE_IDS_MAX = 1_000
"""Baselines in one question."""


def baselines(at_ms: int, names: tuple[str, ...] = ()) -> Question:
    """Ask for the baselines that are active and valid at an instant.

    Rows: `baseline_id`, `metric` (ttft, tpot, e2e), `key_json`, `run_ids`, `created_unix_ms`, `valid_until_unix_ms`,
    `goodput_per_s`, `tokens_out_per_s`, `h` (the histogram), `n`, and arrays `ok_s`, `ok_low_s`, `ok_high_s`,
    `ok_error_ratio_max` at `buckets.PERCENTILES_PPM`.

    Args:
        at_ms: The instant, unix milliseconds.
        names: Only these; none means all.

    Raises:
        ValueError: Too many names.
    """
    if len(names) > BASELINE_IDS_MAX:
        raise ValueError(f"{len(names)} baselines; allowed are {BASELINE_IDS_MAX}")
    return Question(sql=_BASELINES, parameters={"at": at_ms, "names": list(names)})


_LAST = ("key_json", "run_ids", "valid_until", "goodput_per_s", "tokens_out_per_s", "active")
_STATES = Select(
    columns=[
        "baseline_id",
        "max(s.created_at) AS made_at",
        *(f"argMax(s.{name}, s.created_at) AS {name}" for name in _LAST),
        *(f"argMax(s.{metric}_h, s.created_at) AS {metric}_h" for metric in ("ttft", "tpot", "e2e")),
    ],
    source="inferometer.baselines AS s",
    where=[
        "s.created_at <= fromUnixTimestamp64Milli({at:Int64})",
        "(empty({names:Array(String)}) OR baseline_id IN {names:Array(String)})",
    ],
    group_by=["baseline_id"],
    having=["active = 1", "valid_until > fromUnixTimestamp64Milli({at:Int64})"],
)
_METRICS = Select(
    columns=["*", "arrayJoin([('ttft', ttft_h), ('tpot', tpot_h), ('e2e', e2e_h)]) AS one", "one.2 AS kept_h"],
    source=_STATES,
)
_BASELINES = Select(
    given=buckets.given("kept_h", "0"),
    columns=[
        "baseline_id",
        "one.1 AS metric",
        *("key_json", "run_ids"),
        "toUnixTimestamp64Milli(made_at) AS created_unix_ms",
        "toUnixTimestamp64Milli(valid_until) AS valid_until_unix_ms",
        *("goodput_per_s", "tokens_out_per_s"),
        "kept_h AS h",
        "n_ok AS n",
        *buckets.quantile_columns("ok"),
    ],
    source=_METRICS,
    order_by=["baseline_id", "metric"],
).text()


def baseline_book(names: tuple[str, ...] = ()) -> Question:
    """Ask for the last state of every baseline, whether it is compared with or not.

    Rows: `baseline_id`, `key_json`, `run_ids`, `first_unix_ms`, `last_unix_ms`, `valid_until_unix_ms`, `ttft_h`,
    `tpot_h`, `e2e_h`, `goodput_per_s`, `tokens_out_per_s`, `active`, `reason`, `actor`.

    Args:
        names: Only these; none means all.

    Raises:
        ValueError: Too many names.
    """
    if len(names) > BASELINE_IDS_MAX:
        raise ValueError(f"{len(names)} baselines; allowed are {BASELINE_IDS_MAX}")
    return Question(sql=_BOOK, parameters={"names": list(names)})


_KEPT = (
    *("key_json", "run_ids", "ttft_h", "tpot_h", "e2e_h"),
    *("goodput_per_s", "tokens_out_per_s", "active", "reason", "actor"),
)
_BOOK = Select(
    columns=[
        "baseline_id",
        "toUnixTimestamp64Milli(min(s.created_at)) AS first_unix_ms",
        "toUnixTimestamp64Milli(max(s.created_at)) AS last_unix_ms",
        "toUnixTimestamp64Milli(argMax(s.valid_until, s.created_at)) AS valid_until_unix_ms",
        *(f"argMax(s.{name}, s.created_at) AS {name}" for name in _KEPT),
    ],
    source="inferometer.baselines AS s",
    where=["(empty({names:Array(String)}) OR baseline_id IN {names:Array(String)})"],
    group_by=["baseline_id"],
    order_by=["baseline_id"],
).text()
