"""A run and its phases as the store keeps them: what the plan asked for, and what came of it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from load_rows import row
from load_runs import ENGINE, RATE, SECONDS, kept_run, plan

from inferometer.load_columns import planned_us, records, searched
from inferometer.load_kept import kept
from inferometer.load_key import UNKNOWN, Engine
from loadtest.plan_spec import Objectives, PlanSpec
from loadtest.planner import build
from loadtest.rows import Row
from loadtest.run_spec import Phase
from loadtest.search import LENGTHS_MAX, Step
from loadtest.sweep import Measured, tried
from telemetry.load_records import DOCUMENT_BYTES_MAX, LoadRun, LoadStep
from telemetry.outcome import Outcome

NOW_MS = 1_790_000_000_000


def timed(one: Row) -> Row:
    """Return a row that ended as long after its planned time as it says."""
    ended_ms = NOW_MS + (one.t_sched_us + one.record.elapsed_us) // 1000
    record = msgspec.structs.replace(one.record, ended_at=ended_ms, sched_lag_us=1_000 + one.j)
    return msgspec.structs.replace(one, record=record, read_lag_max_us=2_000)


def kept_columns(
    directory: Path, rows: list[Row], spec: PlanSpec | None = None, engine: Engine = ENGINE, **changes: object
) -> list[LoadRun | LoadStep]:
    found = kept(kept_run(directory, "r", rows, spec=spec, engine=engine, warmup_s=20.0))
    return records(dict(found.report) | changes, found.spec, build(found.spec.plan), rows, NOW_MS)


def test_a_run_is_told_with_its_key_and_its_times(tmp_path: Path) -> None:
    rows = [timed(row(j)) for j in range(100)]
    (run, *_) = kept_columns(tmp_path, rows, environment=[{"state": "ok", "name": "a"}, {"state": "note", "name": "b"}])

    assert isinstance(run, LoadRun)
    assert (NOW_MS, NOW_MS + 99_900) == (run.started_at, run.ended_at)
    assert ("a:80", "vllm", "0.32.0", "fit", "", 7, ("note: b",)) == (
        *(run.target, run.engine, run.engine_version, run.fit, run.verdict, run.seed, run.environment),
    )
    assert run.flags_hash.bit_length() > 32
    report, receipt = json.loads(run.report_json), json.loads(run.receipt_json)
    assert ("r", 100) == (report["run_id"], receipt["rows"])
    assert "receipt" not in report


def test_a_run_has_the_names_that_people_gave_it(tmp_path: Path) -> None:
    found = kept(kept_run(tmp_path, "r", [timed(row(1))]))
    spec = msgspec.structs.replace(found.spec, name="with fp8", git_sha="404c239")
    (run, *_) = records(dict(found.report) | {"baseline_id": "v1"}, spec, build(spec.plan), [timed(row(1))], NOW_MS)

    assert isinstance(run, LoadRun)
    assert ("with fp8", "404c239", "v1") == (run.name, run.git_sha, run.baseline_id)


def test_each_phase_has_what_the_plan_asked_for_and_what_came(tmp_path: Path) -> None:
    phases = {0: Phase.WARM_UP, 1: Phase.MEASURED, 2: Phase.MEASURED, 3: Phase.MEASURED}
    rows = [timed(row(j, at_s=15.0 + 10 * j, phase=phase)) for j, phase in phases.items()]
    rows += [
        timed(row(4, at_s=50.0, outcome=Outcome.CLIENT_LIMIT, ttft_us=None)),
        timed(row(5, at_s=55.0, outcome=Outcome.SERVER_ERROR, ttft_us=None)),
        timed(row(5, at_s=55.0, attempt=2, ttft_us=9_000_000)),
        timed(row(6, at_s=60.0, turn=2)),
        timed(row(7, at_s=SECONDS + 5)),
    ]
    spec = plan(objectives=Objectives(ttft_s=1.0))
    (_, warm_up, measured, drain) = kept_columns(tmp_path, rows, spec)

    assert isinstance(warm_up, LoadStep)
    assert isinstance(measured, LoadStep)
    assert isinstance(drain, LoadStep)
    due = build(spec).t_sched_ns
    assert [sum(t_ns < 20e9 for t_ns in due), sum(t_ns >= 20e9 for t_ns in due), 0] == [
        one.offered for one in (warm_up, measured, drain)
    ]
    assert ("open", 0, None) == (warm_up.mode, warm_up.step, warm_up.concurrency)
    assert warm_up.rate_per_s == pytest.approx(RATE, 0.3)
    assert (1, 1, 0) == (warm_up.completed, warm_up.good, warm_up.shed)
    assert (5, 4, 1) == (measured.completed, measured.good, measured.shed)  # the second attempt was too late
    assert {"ok": 5, "client_limit": 1} == json.loads(measured.stats_json)["outcomes"]
    assert None is measured.sched_lag_p99_us  # of nine values there is no 99th percentile
    assert (NOW_MS + 20_000, NOW_MS + 120_000) == (measured.started_at, measured.ended_at)
    assert ("drain", drain.started_at, NOW_MS + 125_900) == (drain.kind, NOW_MS + 120_000, drain.ended_at)


def test_lags_are_told_where_there_are_enough(tmp_path: Path) -> None:
    (_, _, measured) = kept_columns(tmp_path, [timed(row(j, at_s=20 + j * 0.1)) for j in range(900)])

    assert isinstance(measured, LoadStep)
    assert (measured.sched_lag_p99_us, measured.read_lag_p99_us) == (1_890, 2_000)


def test_a_run_that_sent_nothing_began_now(tmp_path: Path) -> None:
    (run, *_) = kept_columns(tmp_path, [], engine=UNKNOWN, fit=None)

    assert isinstance(run, LoadRun)
    assert (NOW_MS, NOW_MS, "", 0, 0) == (run.started_at, run.ended_at, run.fit, run.flags_hash, run.tp)


@pytest.mark.parametrize(
    ("ended", "told", "verdict"),
    [(0, None, ""), (0, "pass", "pass"), (3, "pass", "fail"), (4, "pass", "inconclusive"), (130, None, "inconclusive")],
)
def test_how_a_run_ended_outranks_its_objectives(tmp_path: Path, ended: int, told: str | None, verdict: str) -> None:
    changes: dict[str, Any] = {"verdict": {"ended": ended}, "attainment": {"verdict": told}}
    (run, *_) = kept_columns(tmp_path, [timed(row(0))], **changes)

    assert isinstance(run, LoadRun)
    assert verdict == run.verdict


def test_users_have_no_planned_rate(tmp_path: Path) -> None:
    spec = msgspec.structs.replace(plan(), rate=None, slots=3, count=1000)
    (_, _, measured, *_) = kept_columns(tmp_path, [timed(row(j, at_s=30.0 + j)) for j in range(7)], spec)

    assert isinstance(measured, LoadStep)
    assert ("closed", None, 3, 7) == (measured.mode, measured.rate_per_s, measured.concurrency, measured.offered)


def test_a_document_that_is_too_long_is_left_out(tmp_path: Path) -> None:
    (run, *_) = kept_columns(tmp_path, [timed(row(0))], more="x" * DOCUMENT_BYTES_MAX)

    assert isinstance(run, LoadRun)
    assert ("", True) == (run.report_json, bool(run.receipt_json))


def test_when_a_request_was_due_is_never_before_the_start() -> None:
    assert [0, 2_500] == [planned_us(NOW_MS, 900, NOW_MS), planned_us(NOW_MS + 3, 500, NOW_MS)]


@pytest.mark.parametrize(
    ("step", "state"),
    [
        (Step(rate_rps=1.0, offered=400, good=400, completed=400), "accepted"),
        (Step(rate_rps=1.0, offered=400, good=300, completed=400), "rejected"),
        (Step(rate_rps=1.0, offered=400, good=400, completed=400, overload=True), "rejected"),
        (Step(rate_rps=1.0, offered=100, good=99, completed=100), "not_proven"),
        (Step(rate_rps=1.0, offered=100, good=99, completed=100, lengths=LENGTHS_MAX), "not_proven"),
    ],
)
def test_a_rate_of_a_search_is_told_with_what_is_known_of_it(step: Step, state: str) -> None:
    rows = [timed(row(j)) for j in range(3)]
    one = tried(1.0, [Measured(rows=rows, window_ns=(0, 3_000_000_000))], {}, 3.0)
    nothing = tried(2.0, [Measured(rows=[], window_ns=(0, 3_000_000_000))], {}, 3.0)
    (found,) = searched("s", [replace(one, step=step), nothing], 0.99)

    assert ("s", 0, state, step.good) == (found.run_id, found.step, found.state, found.good)
    assert (NOW_MS, NOW_MS + 2_900) == (found.started_at, found.ended_at)
    assert 1.0 == json.loads(found.stats_json)["rate_rps"]
