from typing import Any

import msgspec
import pytest

from loadtest.ceilings import Ceilings
from loadtest.conductor import (
    EXIT_FAILED,
    EXIT_FAULT,
    EXIT_INCONCLUSIVE,
    EXIT_INTERRUPTED,
    EXIT_OK,
    SILENT_S_MIN,
    UNCONNECTED_MIN,
    UNREACHED_MIN,
    Conductor,
    Halt,
    unmeasured,
    unsent,
)
from loadtest.fitness import Fit
from loadtest.offsets import WorkerClock
from loadtest.plan_spec import PlanSpec, RateCurve
from loadtest.planner import build
from loadtest.sketch import Sketch, add
from loadtest.worker_report import WorkerReport

PLAN = build(PlanSpec(seed=7, rate=RateCurve(points=((0.0, 40.0),)), count=20))


def sketch(us: float, n: int = 10) -> Sketch:
    made: Sketch = {}
    add(made, [us] * n)
    return made


def report(worker: int, **changes: Any) -> WorkerReport:  # noqa: ANN401 -- fields of a report
    sound = WorkerReport(
        worker=worker,
        due=10,
        sent=10,
        window_due=10,
        window_sent=10,
        ended=10,
        lag_us=sketch(200),
        ttft_us=sketch(100_000),
        read_us=sketch(80),
        in_flight_s=5.0,
        elapsed_s=5.0,
        over=True,
    )
    return msgspec.structs.replace(sound, **changes)


def begun() -> Conductor:
    conductor = Conductor(PLAN, 2)
    for worker in (0, 1):
        conductor.ack(worker, PLAN.sha256, 1)
    return conductor


def ended(*reports: WorkerReport) -> Conductor:
    conductor = begun()
    for one in reports:
        conductor.took(one)
    return conductor


def test_a_sound_run_is_ok() -> None:
    conductor = ended(report(0), report(1))
    ending = conductor.ending()

    assert conductor.is_over
    assert (EXIT_OK, Halt.NONE, "", 20, ()) == (ending.code, ending.halt, ending.message, ending.planned, ending.lost)
    assert ending.fitness is not None
    assert Fit.FIT == ending.fitness.fit
    assert (20, 2) == (ending.whole.sent, len(ending.workers))


def test_the_go_waits_for_every_worker() -> None:
    conductor = Conductor(PLAN, 2)
    conductor.ack(0, PLAN.sha256, 1)
    assert not conductor.is_ready

    conductor.ack(1, PLAN.sha256, 1)
    assert conductor.is_ready


@pytest.mark.parametrize(
    ("sha256", "users", "word"),
    [pytest.param("f" * 64, 1, "built plan", id="another plan"), pytest.param("", 2, "plan users", id="two users")],
)
def test_a_worker_that_is_not_like_the_others_aborts_the_run(sha256: str, users: int, word: str) -> None:
    conductor = Conductor(PLAN, 2)
    conductor.ack(0, PLAN.sha256, 1)
    conductor.ack(1, sha256 or PLAN.sha256, users)
    ending = conductor.ending()

    assert (False, True, Halt.ABORTED) == (conductor.is_ready, conductor.is_over, conductor.halted)
    assert (EXIT_FAULT, None) == (ending.code, ending.fitness)
    assert word in ending.message


def test_a_lost_worker_ends_the_run_and_makes_it_unfit() -> None:
    conductor = begun()
    conductor.took(report(0, over=False, sent=4, window_sent=4, due=4, window_due=4))
    conductor.lost(0)
    assert (Halt.WORKER_LOST, False) == (conductor.halted, conductor.is_over)

    conductor.took(report(1))
    ending = conductor.ending()

    assert conductor.is_over
    assert (EXIT_INCONCLUSIVE, (0,)) == (ending.code, ending.lost)
    assert "14 of 20 sent, 1 workers lost" in ending.message


def test_a_worker_that_leaves_behind_its_end_is_not_lost() -> None:
    conductor = ended(report(0), report(1))
    conductor.lost(1)

    assert (Halt.NONE, ()) == (conductor.halted, conductor.ending().lost)


def test_the_last_word_of_a_worker_stays() -> None:
    conductor = ended(report(0))
    conductor.took(report(0, sent=1, over=False))

    assert 10 == conductor.so_far().sent


GONE = {"over": False, "unreached": UNREACHED_MIN // 2, "silent_s": SILENT_S_MIN}


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param(GONE, GONE, Halt.TARGET_GONE, id="nobody reaches it"),
        pytest.param(GONE, GONE | {"unreached": 0}, Halt.NONE, id="one does"),
        pytest.param(GONE, GONE | {"unreached": UNREACHED_MIN // 2 - 1}, Halt.NONE, id="too few tried"),
        pytest.param(GONE, GONE | {"silent_s": SILENT_S_MIN - 0.1}, Halt.NONE, id="it answered just now"),
        pytest.param(GONE | {"unreached": UNREACHED_MIN}, {}, Halt.TARGET_GONE, id="the other is done"),
    ],
)
def test_a_target_is_gone_when_nobody_reaches_it(
    first: dict[str, object], second: dict[str, object], expected: Halt
) -> None:
    conductor = ended(report(1, **second), report(0, **first))

    assert expected == conductor.halted


def test_a_run_whose_target_is_gone_has_failed() -> None:
    conductor = ended(report(0, **GONE), report(1, **GONE))
    conductor.took(report(0))
    conductor.took(report(1))
    ending = conductor.ending()

    assert (EXIT_FAILED, Halt.TARGET_GONE) == (ending.code, ending.halt)
    assert "partial" in ending.message


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param({"unconnected": 2}, {"unconnected": 1}, EXIT_FAILED, id="nobody is there at the end"),
        pytest.param({"unconnected": 1}, {"unconnected": 1}, EXIT_OK, id="too few tried"),
        pytest.param({"unconnected": UNCONNECTED_MIN}, {}, EXIT_OK, id="one worker reached it"),
        pytest.param({"unconnected": UNCONNECTED_MIN}, {"ended": 0}, EXIT_FAILED, id="one worker had nothing to send"),
        pytest.param(
            {"ended": 1, "unconnected": 1, "outcomes": {"connect_error": 1}},
            {"ended": 1, "unconnected": 1, "outcomes": {"connect_error": 1}},
            EXIT_FAILED,
            id="nobody was ever there",
        ),
        pytest.param({"ended": 0}, {"ended": 0}, EXIT_OK, id="nothing was tried"),
    ],
)
def test_a_target_that_nobody_reaches_at_the_end_is_gone(
    first: dict[str, object], second: dict[str, object], expected: int
) -> None:
    ending = ended(report(0, **first), report(1, **second)).ending()

    assert UNCONNECTED_MIN == 3
    assert (expected, Halt.NONE) == (ending.code, ending.halt)
    assert ("the target is gone" in ending.message) == (expected == EXIT_FAILED)


def test_unfit_outranks_failed() -> None:
    conductor = ended(report(0, **GONE), report(1, **GONE))
    conductor.took(report(0, lag_us=sketch(50_000)))
    conductor.took(report(1))

    assert EXIT_INCONCLUSIVE == conductor.ending().code


def test_an_interrupted_run_is_reported() -> None:
    conductor = begun()
    conductor.halt(Halt.INTERRUPTED)
    conductor.halt(Halt.TARGET_GONE)  # the first reason stays
    conductor.took(report(0))
    conductor.took(report(1))
    ending = conductor.ending()

    assert (EXIT_INTERRUPTED, Halt.INTERRUPTED, 20) == (ending.code, ending.halt, ending.whole.sent)


def test_a_halt_behind_the_end_is_none() -> None:
    conductor = ended(report(0), report(1))
    conductor.halt(Halt.INTERRUPTED)

    assert EXIT_OK == conductor.ending().code


def test_lost_rows_are_our_fault() -> None:
    ending = ended(report(0, rows_lost=3, error="rows cannot be written: No space left on device"), report(1)).ending()

    assert EXIT_FAULT == ending.code
    assert "3 rows lost: rows cannot be written: No space left on device" == ending.message


def test_a_memory_bound_ends_the_run() -> None:
    conductor = ended(report(0, capped="memory of 99 MiB", over=False))
    assert Halt.BOUND == conductor.halted

    conductor.took(report(0, capped="memory of 99 MiB"))
    conductor.took(report(1))
    ending = conductor.ending()

    assert (EXIT_INCONCLUSIVE, True) == (ending.code, "memory of 99 MiB" in ending.message)


def test_a_ceiling_ends_the_run_and_is_named() -> None:
    conductor = Conductor(PLAN, 2, ceilings=Ceilings(tokens_max=100))
    for worker in (0, 1):
        conductor.ack(worker, PLAN.sha256, 1)
    conductor.took(report(0, over=False, tokens_in=60, tokens_out=40))
    assert Halt.NONE is conductor.halted

    conductor.took(report(1, over=False, tokens_out=1))
    assert Halt.CEILING is conductor.halted

    conductor.took(report(0, tokens_in=60, tokens_out=60))
    conductor.took(report(1, tokens_out=1))
    ending = conductor.ending()

    said = "101 tokens, above load.tokens_max of 100: partial run, ended after 20 of 20 arrivals"
    assert (EXIT_INCONCLUSIVE, said) == (ending.code, ending.message)


def test_a_closed_loop_has_no_arrivals_to_come() -> None:
    plan = build(PlanSpec(seed=7, slots=2, duration_s=60.0, count=100_000))
    conductor = Conductor(plan, 1, ceilings=Ceilings(tokens_max=100))
    conductor.ack(0, plan.sha256, 1)
    conductor.took(report(0, over=False, tokens_out=101))

    assert conductor.ending().message.endswith("partial run, ended after 10 requests")


def clock(worker: int, offset_ms: float) -> WorkerClock:
    return WorkerClock(worker=worker, offset_ms=offset_ms, rtt_ms=0.4, pings=10)


def test_workers_of_one_time_are_timed() -> None:
    conductor = begun()
    conductor.timed(clock(1, 4.9))
    assert not conductor.is_timed

    conductor.timed(clock(0, -4.9))
    assert conductor.is_timed
    conductor.took(report(0))
    conductor.took(report(1))
    assert (clock(0, -4.9), clock(1, 4.9)) == conductor.ending().clocks


def test_a_worker_of_another_time_aborts_the_run_and_nobody_is_blamed() -> None:
    conductor = begun()
    conductor.timed(clock(1, -250.0))
    ending = conductor.ending()

    assert (EXIT_INCONCLUSIVE, Halt.ABORTED, None) == (ending.code, ending.halt, ending.fitness)
    assert "worker 1 has a wall clock -250.0 ms from the master's, allowed: below 5 ms" in ending.message


def test_a_run_of_which_nothing_was_sent_says_why() -> None:
    ending = unsent(PLAN, Halt.ENVIRONMENT)

    assert (EXIT_OK, Halt.ENVIRONMENT, "nothing was sent", 20, 0) == (
        *(ending.code, ending.halt, ending.message, ending.planned, ending.whole.sent),
    )


def test_the_first_reason_to_end_it_stays() -> None:
    conductor = Conductor(PLAN, 2)
    conductor.ack(0, PLAN.sha256, 2)
    conductor.ack(1, PLAN.sha256, 3)

    assert conductor.ending().message.startswith("worker 0 has 2 plan users")


def test_a_run_of_which_no_request_counts_says_nothing() -> None:
    sound = ended(report(0), report(1)).ending()
    gone = msgspec.structs.replace(sound, code=EXIT_FAILED)

    none = unmeasured(sound, 0)
    assert (EXIT_INCONCLUSIVE, "none of 20 requests counts") == (none.code, none.message.partition(":")[0])
    assert (sound, gone, unsent(PLAN, Halt.BURN)) == (
        *(unmeasured(sound, 1), unmeasured(gone, 0), unmeasured(unsent(PLAN, Halt.BURN), 0)),
    )
