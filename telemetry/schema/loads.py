"""Knows the tables of load tests: runs, steps, baselines, scaling profiles; refuses to know how load is driven.

They stay for ever: a baseline is compared with after years.

Source: spec/store.md 3; spec/loadtest.md 19 (profile document).
"""

from telemetry.schema.parts import ZSTD, Column, Table, gauge, label, number, real, stamp, text, total, us

LOAD_RUNS = Table(
    name="load_runs",
    writer="loadtest",
    meaning="one load test",
    order_by="started_at",
    columns=(
        text("run_id", "its name in requests and load_steps"),
        text("baseline_id", "baseline that it is compared with; empty if none"),
        text("name", "what a person calls it"),
        text("git_sha", "commit of what was tested"),
        text("key_json", "what must be equal for two runs to be compared, JSON"),
        text("plan_json", "arrival plan, JSON"),
        text("plan_sha256", "SHA-256 of the plan, hexadecimal"),
        text("rows_sha256", "SHA-256 of its rows, hexadecimal"),
        text("receipt_json", "what it takes to repeat it, JSON"),
        stamp("started_at", "wall time at which it began"),
        stamp("ended_at", "wall time at which it ended"),
        number("seed", "UInt64", "seed of everything random in it"),
        number("defs_version", "UInt16", "version of the measurement definitions"),
        label("target", "name of the endpoint, as in requests"),
        label("model", "model that was served"),
        label("engine", "engine that served it"),
        label("engine_version", "its version"),
        label("gpu_model", "product name of the GPUs; empty if none"),
        number("flags_hash", "UInt64", "first 64 bits of the hash of the engine's flags; 0 if not known"),
        number("gpu_count", "UInt8", "GPUs of one replica; 0 if not known", "GPUs"),
        number("tp", "UInt8", "tensor parallel size; 0 if not known"),
        label("mix_id", "mix of workloads"),
        label("fit", "fit, unproven, unfit or void: whether client and environment let the run say something"),
        text("fit_checks", "what that rests on, JSON"),
        number("environment", "Array(LowCardinality(String))", "conditions that a reader must know", "", ZSTD),
        label("verdict", "pass, fail or inconclusive; empty if no objective was asked for"),
        text("report_json", "the report without its receipt, JSON"),
    ),
)

LOAD_STEPS = Table(
    name="load_steps",
    writer="loadtest",
    meaning="one step of a load test",
    order_by="(run_id, step)",
    columns=(
        text("run_id", "its row in load_runs"),
        number("step", "UInt16", "number within the run, from 0"),
        label("kind", "calibrate, warmup, measured, cooldown or drain"),
        label("mode", "open or closed loop"),
        stamp("started_at", "wall time at which it began"),
        stamp("ended_at", "wall time at which it ended"),
        real("rate_per_s", "planned arrivals; NULL in a closed loop", "requests/s"),
        gauge("concurrency", "planned requests in flight; NULL in an open loop", "requests"),
        total("offered", "requests that were due", "requests"),
        total("completed", "requests that ended", "requests"),
        total("good", "requests within their objective", "requests"),
        total("shed", "requests that were due and not sent", "requests"),
        us("sched_lag_p99_us", "99th percentile of planned arrival to issue"),
        us("read_lag_p99_us", "99th percentile of the latest read of each answer"),
        label("state", "accepted, rejected or not_proven; empty outside of a search"),
        text("stats_json", "what else was measured, JSON"),
    ),
)


def _histogram(name: str) -> Column:
    meaning = f"{name}_us of its runs: bucket to count"
    return Column(name=f"{name}_h", type="Map(Int16, UInt64)", meaning=meaning, codec=ZSTD, unit="requests")


BASELINES = Table(
    name="baselines",
    writer="loadtest",
    meaning="one state of a baseline; the last one holds",
    order_by="(baseline_id, created_at)",
    columns=(
        text("baseline_id", "name of the baseline"),
        text("key_json", "what must be equal for a run to be compared, JSON"),
        number("run_ids", "Array(String)", "load runs that it rests on", "", ZSTD),
        stamp("created_at", "wall time of this state"),
        stamp("valid_until", "wall time at which it is too old"),
        *map(_histogram, ("ttft", "tpot", "e2e")),
        real("goodput_per_s", "requests within their objective", "requests/s"),
        real("tokens_out_per_s", "output tokens", "tokens/s"),
        number("active", "UInt8", "1 while it is compared with"),
        text("reason", "why it was made"),
        text("retired_reason", "why it no longer holds; empty while it does"),
        label("actor", "who said so"),
    ),
)

SCALING_PROFILES = Table(
    name="scaling_profiles",
    writer="loadtest",
    meaning="what one replica of a target can carry, as a load test found it",
    order_by="(target, made_at)",
    columns=(
        label("target", "what was tested"),
        text("baseline_id", "baseline that it rests on"),
        real("mu_star_per_s", "highest rate at which one replica keeps its objectives", "requests/s"),
        stamp("made_at", "wall time at which it was made"),
        stamp("valid_until", "wall time at which it is too old"),
        text("profile_json", "the whole profile, JSON"),
    ),
)

LOAD_TABLES = (LOAD_RUNS, LOAD_STEPS, BASELINES, SCALING_PROFILES)
