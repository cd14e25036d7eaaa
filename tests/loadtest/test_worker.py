import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from loadtest.conductor import EXIT_FAILED, EXIT_INCONCLUSIVE, Conductor
from loadtest.errors import TargetError
from loadtest.goodput import goodput
from loadtest.plan_spec import (
    Conversations,
    Fixed,
    Objectives,
    Patience,
    PlanSpec,
    RateCurve,
    Retries,
    Separate,
    WorkloadClass,
)
from loadtest.planner import build
from loadtest.rows import Row, read
from loadtest.run_spec import Phase, RunSpec, encoded
from loadtest.worker import CUT_S_MAX, DISK_S_MAX, TICK_S, Hands, Worker
from loadtest.worker_report import WorkerReport
from telemetry.outcome import Outcome

RIG = Path(__file__).with_name("worker_rig.py")
LENGTHS = Separate(tokens_in=Fixed(tokens=8), tokens_out=Fixed(tokens=3))


@contextmanager
def null_server(*words: str) -> Generator[str]:
    command = [sys.executable, "-m", "loadtest.nullserver", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def a_run(
    directory: Path,
    url: str,
    *,
    retries: Retries | None = None,
    conversations: Conversations | None = None,
    patience: Patience | None = None,
    count: int = 40,
) -> RunSpec:
    plan = PlanSpec(
        seed=7,
        rate=RateCurve(points=((0.0, 100.0),)),
        count=count,
        classes=(WorkloadClass(lengths=LENGTHS, retries=retries, conversations=conversations, patience=patience),),
    )
    return RunSpec(
        run_id="a", targets=(url,), plan=plan, directory=str(directory / "run"), model="null", warmup_s=0.1, truth=True
    )


def carried_out(run: RunSpec, directory: Path) -> tuple[WorkerReport, list[Row]]:
    (directory / "run.json").write_bytes(encoded(run))
    done = subprocess.run([sys.executable, RIG, directory / "run.json"], capture_output=True, check=False, timeout=60)
    assert b"" == done.stderr
    rows = [read(data) for data in (directory / "run" / "rows-0.jsonl").read_bytes().splitlines()]
    return msgspec.json.decode(done.stdout, type=WorkerReport), rows


def test_a_worker_sends_its_part_and_writes_every_attempt(tmp_path: Path) -> None:
    retries = Retries(retries=3, base_s=0.01, cap_s=0.02)
    with null_server("ttft_s=0.02", "itl_s=0.005", "share_503=0.5") as url:
        run = a_run(tmp_path, url, retries=retries, conversations=Conversations(turns=(1, 2), think_s=0.05))
        report, rows = carried_out(run, tmp_path)

    plan = build(run.plan)
    firsts = sorted((row for row in rows if row.record.attempt == row.turn == 1), key=lambda row: row.j)
    assert [t_ns // 1000 for t_ns in plan.t_sched_ns] == [row.t_sched_us for row in firsts]
    assert {Phase.WARM_UP, Phase.MEASURED} == {row.run_phase for row in firsts}
    measured = sum(row.run_phase is Phase.MEASURED for row in firsts)
    assert (40, 40, 0, measured, measured, 0) == (
        report.sent,
        report.due,
        report.shed,
        report.window_due,
        report.window_sent,
        report.in_flight,
    )
    outcomes = Counter(row.record.outcome for row in rows)
    assert dict(outcomes) == report.outcomes
    for j in range(40):  # each failure is tried again, up to the bound, and nothing else is
        tried = [row.record for row in rows if row.j == j and row.turn == 1]
        assert list(range(1, len(tried) + 1)) == [one.attempt for one in tried]
        assert all(one.outcome is Outcome.OVERLOADED for one in tried[:-1])
        assert tried[-1].outcome is Outcome.OK or len(tried) == 4
        again = [row.record for row in rows if row.j == j and row.turn == 2]
        assert bool(again) == (bool(plan.follow_ups(j)) and tried[-1].outcome is Outcome.OK)
        # A further turn repeats the first one and its answer of three words, and nobody planned when it comes.
        assert all(one.bytes_in > tried[-1].bytes_in and one.sched_lag_us is None for one in again)
    assert outcomes[Outcome.OVERLOADED] > 0
    assert report.reused > report.opened > 0
    assert 3 * outcomes[Outcome.OK] == sum(report.truth_us.values())
    assert (True, "", 0) == (report.over, report.error, report.rows_lost)
    assert report.in_flight_s > 0
    assert report.elapsed_s > 0


def test_users_of_a_closed_loop_ask_again_once_they_are_answered(tmp_path: Path) -> None:
    with null_server("ttft_s=0.02", "itl_s=0.005") as url:
        plan = PlanSpec(seed=7, slots=3, duration_s=20.0, count=30, classes=(WorkloadClass(lengths=LENGTHS),))
        report, rows = carried_out(msgspec.structs.replace(a_run(tmp_path, url), plan=plan, warmup_s=0.1), tmp_path)

    spans_us = sorted((row.t_sched_us, row.t_sched_us + row.record.elapsed_us) for row in rows)
    most = max(sum(since <= at < until for since, until in spans_us) for at, _ in spans_us)
    assert (list(range(30)), 3) == (sorted(row.j for row in rows), most)
    assert {Outcome.OK} == {row.record.outcome for row in rows}
    assert {Phase.WARM_UP, Phase.MEASURED} == {row.run_phase for row in rows}
    measured = sum(row.run_phase is Phase.MEASURED for row in rows)
    assert (30, 30, measured, measured) == (report.sent, report.due, report.window_due, report.window_sent)
    assert report.opened <= 4  # a connection for each user, kept


def test_the_last_arrival_is_waited_for_though_nothing_else_is_in_flight(tmp_path: Path) -> None:
    with null_server("ttft_s=0.02", "itl_s=0.005") as url:
        report, rows = carried_out(a_run(tmp_path, url, count=1), tmp_path)

    assert (1, 1, [0]) == (report.sent, report.ended, [row.j for row in rows])


def test_a_user_who_left_and_tries_again_waits_again(tmp_path: Path) -> None:
    patience = Patience(median_s=0.2)
    retries = Retries(retries=2, base_s=0.01, cap_s=0.02, after_abandon=True)
    with null_server("ttft_s=20") as url:
        report, rows = carried_out(a_run(tmp_path, url, retries=retries, patience=patience, count=1), tmp_path)

    assert [(1, Outcome.CLIENT_CANCELLED), (2, Outcome.CLIENT_CANCELLED), (3, Outcome.CLIENT_CANCELLED)] == [
        (row.record.attempt, row.record.outcome) for row in rows
    ]
    assert report.elapsed_s >= 0.599


def test_an_answer_that_is_cut_at_the_end_of_the_drain_is_a_failure(tmp_path: Path) -> None:
    """It began in time and then stalled: who asks only for a first token must still get a whole answer."""
    with null_server("ttft_s=0.02", "itl_s=20") as url:
        run = msgspec.structs.replace(a_run(tmp_path, url, count=3), warmup_s=0.0, drain_s=0.3)
        _, rows = carried_out(run, tmp_path)

    share = goodput(rows, {"default": Objectives(ttft_s=10.0)}).joint
    assert (3, {Outcome.TIMEOUT_STREAM}) == (len(rows), {row.record.outcome for row in rows})
    assert (0, 3) == (share.good, share.judged)


@pytest.mark.parametrize("usage", [True, False])
def test_answers_that_do_not_tell_their_tokens_count_for_a_ceiling(tmp_path: Path, usage: bool) -> None:
    with null_server("ttft_s=0.02", "itl_s=0.001") as url:
        run = msgspec.structs.replace(a_run(tmp_path, url, count=5), include_usage=usage)
        report, _ = carried_out(run, tmp_path)

    assert (15, 0 if usage else 5) == (report.tokens_out, report.uncounted)


def test_a_target_that_is_not_there_is_said_at_the_end(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    run = a_run(tmp_path, f"http://127.0.0.1:{port}", count=2)
    report, rows = carried_out(run, tmp_path)
    conductor = Conductor(build(run.plan), 1)
    conductor.took(report)

    assert [Outcome.CONNECT_ERROR] * 2 == [row.record.outcome for row in rows]
    assert (2, 2) == (report.unreached, report.unconnected)
    assert conductor.ending().code in {EXIT_FAILED, EXIT_INCONCLUSIVE}  # a busy machine may send too late


def test_what_may_not_be_loaded_is_not(tmp_path: Path) -> None:
    hands = Hands(spawn=_never, sleep=_never, wait_until=_never, apart=_never)
    run = a_run(tmp_path, "http://10.0.0.1:80", count=1)

    with pytest.raises(TargetError, match=r"load\.allowed_targets"):
        Worker(run, build(run.plan), (0, 1), hands=hands, tell=_never, seen=_never)
    assert not (tmp_path / "run").exists()


def test_a_name_that_nobody_knows_is_an_error(tmp_path: Path) -> None:
    hands = Hands(spawn=_never, sleep=_never, wait_until=_never, apart=_never)
    run = a_run(tmp_path, f"http://{'a' * 64}:80", count=1)  # too long for a name: nobody else is asked

    with pytest.raises(socket.gaierror):
        Worker(run, build(run.plan), (0, 1), hands=hands, tell=_never, seen=_never)
    assert DISK_S_MAX > CUT_S_MAX > TICK_S


def _never(_: object) -> None:
    raise AssertionError("nothing runs")
