"""Runs that were kept are found by key, endpoint and time, each once, with their phases and requests."""

from collections.abc import Callable, Sequence
from uuid import UUID

import msgspec
import pytest
from query_store import HOUR_MS, SINCE_MS, Stored

from telemetry.load_records import LoadRun, LoadStep
from telemetry.queries.loads import (
    LOAD_REQUESTS_MAX,
    RUN_IDS_MAX,
    RUNS_MAX,
    load_phases,
    load_requests,
    load_run_reports,
    load_runs,
)
from telemetry.queries.question import Question
from telemetry.samples import Sample
from telemetry.testing.memory_store import sample_request

KEY = '{"model":"it\'s"}'
AT_MS = SINCE_MS - 100 * HOUR_MS  # before the rows of all other tests
RUN = LoadRun(
    run_id="r1", key_json=KEY, plan_json="{}", plan_sha256="p", rows_sha256="s", receipt_json='{"rows":2}',
    started_at=AT_MS, ended_at=AT_MS + 9_000, seed=1, defs_version=1, target="chat", model="m", mix_id="x",
    fit="fit", fit_checks="[]", environment=("note: swap",), report_json='{"schema":"s"}',
)  # fmt: skip
STEP = LoadStep(run_id="r1", step=1, kind="measured", mode="open", started_at=AT_MS, ended_at=AT_MS, offered=5)


def insert(stored: Stored, token: str, *samples: Sample) -> None:
    stored.writer.insert_samples(samples, f"loads-{token}")


@pytest.fixture(scope="module")
def kept(stored: Stored) -> Stored:
    change = msgspec.structs.replace
    insert(stored, "runs", RUN, change(RUN, run_id="r2", started_at=AT_MS + 1, target="code"))
    insert(stored, "again", RUN, change(RUN, run_id="r3", started_at=AT_MS + 2, key_json="{}"))
    insert(stored, "steps", change(STEP, step=2, kind="drain"), STEP, change(STEP, run_id="r2"))
    insert(stored, "steps again", STEP)
    mine = [
        change(
            sample_request(n, AT_MS + 2_000 - n),
            endpoint="loaded",
            traffic="loadtest",
            run_id="r1",
            record_id=UUID(int=900 + n),
        )
        for n in range(2)
    ]
    stored.insert("n/load", mine)
    stored.insert("n/load again", mine)
    return stored


def test_runs_are_found_once_by_time_endpoint_and_key(kept: Stored) -> None:
    def ids(**asked: str) -> list[object]:
        return [row["run_id"] for row in kept.rows(load_runs(AT_MS, AT_MS + 3, **asked))]

    assert ["r3", "r2", "r1"] == ids()
    assert ["r2"] == ids(target="code")
    assert ["r2", "r1"] == ids(key_json=KEY)
    assert [] == kept.rows(load_runs(AT_MS + 3, AT_MS + 9))
    first = kept.rows(load_runs(AT_MS, AT_MS + 1))[0]
    assert (AT_MS, AT_MS + 9_000, ["note: swap"], "") == (
        *(first[name] for name in ("started_unix_ms", "ended_unix_ms", "environment", "verdict")),
    )
    assert RUNS_MAX == load_runs(0, 1).parameters["limit"]


def test_a_run_is_told_whole(kept: Stored) -> None:
    (told,) = kept.rows(load_run_reports(["r1", "none"]))

    assert ("r1", '{"rows":2}', '{"schema":"s"}') == (told["run_id"], told["receipt_json"], told["report_json"])


def test_phases_come_in_order_and_once(kept: Stored) -> None:
    rows = kept.rows(load_phases(["r1", "r2"]))

    assert [("r1", 1, "measured"), ("r1", 2, "drain"), ("r2", 1, "measured")] == [
        (row["run_id"], row["step"], row["kind"]) for row in rows
    ]
    assert (5, None, None) == (rows[0]["offered"], rows[0]["rate_per_s"], rows[0]["read_lag_p99_us"])


@pytest.mark.parametrize("ask", [load_run_reports, load_phases])
def test_too_many_runs_are_refused(ask: Callable[[Sequence[str]], Question]) -> None:
    assert ask(["r"] * RUN_IDS_MAX).sql
    with pytest.raises(ValueError, match="1001 runs"):
        ask(["r"] * (RUN_IDS_MAX + 1))


def test_requests_of_a_run_come_once_in_the_order_of_their_plan(kept: Stored) -> None:
    rows = kept.rows(load_requests("r1", AT_MS, AT_MS + 9_000))

    assert [UUID(int=901), UUID(int=900)] == [row["record_id"] for row in rows]
    assert (AT_MS + 1_999, 1_500_001, [50, 20]) == (
        *(rows[0][name] for name in ("ended_unix_ms", "elapsed_us", "tok_by_s")),
    )
    assert [] == kept.rows(load_requests("r2", AT_MS, AT_MS + 9_000))
    assert LOAD_REQUESTS_MAX == load_requests("", 0, 1).parameters["limit"]
