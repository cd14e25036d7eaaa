"""Knows the shapes of what is kept of a load test, each a row of its table; refuses to know how one is run or judged.

Fields stand in the order of the insert columns of their table, as those of every sample do. Texts may be whole
documents; one that is longer than `DOCUMENT_BYTES_MAX` is not cut, since half a document says nothing.

Source: spec/store.md 3 (load_runs, load_steps, baselines, scaling_profiles, audit).
"""

import msgspec

DOCUMENT_BYTES_MAX = 200 << 10
"""Longest text of a row; five of them fit a frame of the spool."""
BUCKETS_MAX = 1024
"""Buckets of a histogram of a baseline; those of 32 bits of microseconds are 513 and one for zero."""


class LoadRun(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One load test; its requests have its `run_id`.

    Attributes:
        run_id: Its name.
        baseline_id: Baseline that it is compared with; empty if none.
        name: What a person calls it; empty if nothing.
        git_sha: Commit of what was tested; empty if not told.
        key_json: What must be equal for two runs to be compared.
        plan_json: Its arrival plan.
        plan_sha256: Of the plan.
        rows_sha256: Of its rows.
        receipt_json: What it takes to repeat it.
        started_at: Start of the plan, unix milliseconds.
        ended_at: End of its last answer, unix milliseconds.
        seed: Of everything random in it.
        defs_version: Of the measurement definitions.
        target: Name of the endpoint, as in its requests.
        model: That was asked for.
        engine: Which; empty if not known.
        engine_version: Its version; empty if not known.
        gpu_model: Product name; empty if not known.
        flags_hash: First 64 bits of the hash of the engine's flags; 0 if they are not known.
        gpu_count: GPUs of one replica; 0 if not known.
        tp: Tensor parallel size; 0 if not known.
        mix_id: Mix of workloads.
        fit: `fit`, `unproven`, `unfit` or `void`; empty if nothing was sent.
        fit_checks: What that rests on, JSON.
        environment: Findings of the environment guard.
        verdict: `pass`, `fail` or `inconclusive`; empty if no objective was asked for.
        report_json: The report, without the receipt.
    """

    run_id: str
    baseline_id: str = ""
    name: str = ""
    git_sha: str = ""
    key_json: str
    plan_json: str
    plan_sha256: str
    rows_sha256: str
    receipt_json: str
    started_at: int
    ended_at: int
    seed: int
    defs_version: int
    target: str
    model: str
    engine: str = ""
    engine_version: str = ""
    gpu_model: str = ""
    flags_hash: int = 0
    gpu_count: int = 0
    tp: int = 0
    mix_id: str
    fit: str = ""
    fit_checks: str
    environment: tuple[str, ...] = ()
    verdict: str = ""
    report_json: str


class LoadStep(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One phase of a load test, or one rate of a search.

    Attributes:
        run_id: Its run, or the name of the search.
        step: Number within it, from 0.
        kind: `warmup`, `measured`, `cooldown` or `drain`.
        mode: `open` or `closed`.
        started_at: Unix milliseconds.
        ended_at: Unix milliseconds.
        rate_per_s: Planned arrivals a second; None in a closed loop.
        concurrency: Planned requests in flight; None in an open loop.
        offered: Requests that were due.
        completed: Of them, answered.
        good: Of them, within every objective.
        shed: Of them, not sent.
        sched_lag_p99_us: From the planned arrival to the issue; None without a request.
        read_lag_p99_us: Of the latest read of each answer; None without stamps of the kernel.
        state: `accepted`, `rejected` or `not_proven`; empty outside of a search.
        stats_json: What else was measured.
    """

    run_id: str
    step: int
    kind: str
    mode: str
    started_at: int
    ended_at: int
    rate_per_s: float | None = None
    concurrency: int | None = None
    offered: int = 0
    completed: int = 0
    good: int = 0
    shed: int = 0
    sched_lag_p99_us: int | None = None
    read_lag_p99_us: int | None = None
    state: str = ""
    stats_json: str = "{}"


class BaselineState(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One state of a baseline; the last one holds.

    Attributes:
        baseline_id: Its name.
        key_json: Key of its runs.
        run_ids: Load runs that it rests on.
        created_at: Of this state, unix milliseconds.
        valid_until: Unix milliseconds.
        ttft_h: Histogram of its good answers, `telemetry.histogram` index to requests.
        tpot_h: The same.
        e2e_h: The same.
        goodput_per_s: Requests within every objective.
        tokens_out_per_s: Output tokens.
        active: 1 while gates give verdicts against it.
        reason: Why it is as fast as it should be.
        retired_reason: Why it no longer holds.
        actor: Who said so.
    """

    baseline_id: str
    key_json: str
    run_ids: tuple[str, ...]
    created_at: int
    valid_until: int
    ttft_h: dict[int, int]
    tpot_h: dict[int, int]
    e2e_h: dict[int, int]
    goodput_per_s: float | None
    tokens_out_per_s: float | None
    active: int
    reason: str
    retired_reason: str = ""
    actor: str


class ProfileRow(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What one replica of a target can carry.

    Attributes:
        target: Name of the endpoint.
        baseline_id: Baseline that it rests on; empty if none.
        mu_star_per_s: Highest rate at which it keeps its objectives; None if not found.
        made_at: Unix milliseconds.
        valid_until: Unix milliseconds.
        profile_json: The whole profile.
    """

    target: str
    baseline_id: str = ""
    mu_star_per_s: float | None
    made_at: int
    valid_until: int
    profile_json: str


class ActRow(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One act of a person that is kept for good: who saved and who promoted a baseline, and why.

    Attributes:
        at: Unix milliseconds.
        actor: Who.
        action: What was done.
        object: To what.
        before: Its state before, JSON; empty if there was none.
        after: Its state after, JSON.
        source_ip: Where it came from; empty if from this machine.
        prev_hash: Hash of the act before.
        hash: Its own.
    """

    at: int
    actor: str
    action: str
    object: str
    before: str
    after: str
    source_ip: str = ""
    prev_hash: bytes
    hash: bytes


LoadRecord = LoadRun | LoadStep | BaselineState | ProfileRow | ActRow
