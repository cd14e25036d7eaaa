from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from loadtest.conductor import EXIT_FAULT, EXIT_INCONCLUSIVE, EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE, Ending, Halt
from loadtest.leader import ACK_S_MAX, LATE_S_MAX, LOOK_S, PING_S_MAX, Event, Leader, progress
from loadtest.offsets import PINGS
from loadtest.plan_spec import PlanSpec, RateCurve
from loadtest.planner import build
from loadtest.run_spec import RunSpec, decoded
from loadtest.worker_report import WorkerReport
from telemetry.clock import wall_ns

SPEC = PlanSpec(seed=7, rate=RateCurve(points=((0.0, 1000.0),)), count=20)
PLAN = build(SPEC)
RUN = RunSpec(run_id="a", targets=("http://a",), plan=SPEC, directory="d", model="m", start_delay_s=0.0, drain_s=0.0)


class Play:
    """Two workers of a play: each look of the master is a step of it."""

    def __init__(self, *steps: Callable[["Play"], object]) -> None:
        self.sent: list[tuple[str, str | None, Event]] = []
        self.told: list[Event] = []
        self.gone: set[str] = set()
        self.answers_pings = True
        self.shift_ns = 0
        self.listeners: dict[str, Callable[[Event], object]] = {}
        self._steps = list(steps)
        self.leader = Leader(self, self.sleep, self.told.append)

    def register(self, name: str, listener: Callable[[Event], object]) -> None:
        self.listeners[name] = listener

    def send(self, name: str, message: Event, to: str | None = None) -> None:
        self.sent.append((name, to, message))
        if name == "load_ping" and self.answers_pings:
            self.listeners["load_pong"](message | {"unix_ns": wall_ns() + self.shift_ns * message["worker"]})

    def workers(self) -> list[str]:
        return ["a", "b"]

    def is_lost(self, worker: str) -> bool:
        return worker in self.gone

    def sleep(self, wait_s: float) -> None:
        assert wait_s == LOOK_S
        if not self._steps:
            raise AssertionError("the master waits for nothing that comes")
        self._steps.pop(0)(self)

    def lead(self) -> Ending:
        return self.leader.lead(RUN, PLAN)


def ack(*workers: int, sha256: str = PLAN.sha256, **fault: object) -> Callable[[Play], object]:
    def act(play: Play) -> None:
        for worker in workers:
            play.listeners["load_ack"]({"worker": worker, "sha256": sha256, "users": 1} | fault)

    return act


def done(*workers: int, **changes: Any) -> Callable[[Play], object]:  # noqa: ANN401 -- fields of a report
    def act(play: Play) -> None:
        for worker in workers:
            report = WorkerReport(worker=worker, due=10, sent=10, window_due=10, window_sent=10, over=True)
            play.listeners["load_report"](msgspec.to_builtins(msgspec.structs.replace(report, **changes)))

    return act


def nothing(play: Play) -> None:
    del play


def test_a_run_goes_from_plan_to_ending() -> None:
    play = Play(ack(0), ack(1), nothing, done(0), done(1))

    ending = play.lead()

    plans = [(to, message) for name, to, message in play.sent if name == "load_plan"]
    assert [("a", 0, 2), ("b", 1, 2)] == [(to, m["worker"], m["workers"]) for to, m in plans]
    assert [RUN, RUN] == [decoded(message["run"].encode()) for _, message in plans]
    goes = [message["t0_unix_ns"] for name, _, message in play.sent if name == "load_go"]
    assert (2, 1) == (len(goes), len(set(goes)))  # one instant for all
    assert (EXIT_OK, 20) == (ending.code, ending.whole.sent)
    assert "go" == play.told[0]["event"]
    assert [(0, PINGS), (1, PINGS)] == [(clock.worker, clock.pings) for clock in ending.clocks]


def test_a_worker_with_another_time_is_no_part_of_a_run() -> None:
    play = Play(ack(0, 1))
    play.shift_ns = 250_000_000
    ending = play.lead()

    assert EXIT_INCONCLUSIVE == ending.code
    assert "worker 1 has a wall clock +250." in ending.message
    assert {"load_plan", "load_ping"} == {name for name, _, _ in play.sent}
    assert [True] == [clock.is_apart for clock in ending.clocks if clock.worker == 1]


def test_a_worker_that_is_lost_among_the_pings_ends_it() -> None:
    play = Play(ack(0, 1), lambda play: play.gone.add("a"))
    play.answers_pings = False

    ending = play.lead()

    assert (EXIT_INCONCLUSIVE, Halt.WORKER_LOST) == (ending.code, ending.halt)


def test_a_pong_that_nobody_asked_for_is_nothing() -> None:
    play = Play(ack(0, 1), stray, done(0, 1))

    assert EXIT_OK == play.lead().code


def stray(play: "Play") -> None:
    play.listeners["load_pong"]({"worker": 0, "unix_ns": 0})


def test_another_plan_aborts_before_anything_is_sent() -> None:
    play = Play(ack(0), ack(1, sha256="f"))

    assert EXIT_FAULT == play.lead().code
    assert {"load_plan"} == {name for name, _, _ in play.sent}


def test_a_worker_that_cannot_aborts_the_run() -> None:
    play = Play(ack(0, fault="worker 0: a:1 is not this machine", code=EXIT_USAGE))
    ending = play.lead()

    assert (EXIT_USAGE, "worker 0: a:1 is not this machine") == (ending.code, ending.message)


def test_an_interruption_drains_and_reports() -> None:
    play = Play(ack(0, 1), lambda play: play.leader.halt(Halt.INTERRUPTED), done(0, 1, due=5, sent=5))

    ending = play.lead()

    assert 2 == sum(name == "load_halt" for name, _, _ in play.sent)
    assert (EXIT_INTERRUPTED, 10) == (ending.code, ending.whole.sent)


def test_a_lost_worker_halts_the_others() -> None:
    play = Play(ack(0, 1), lambda play: play.gone.add("b"), done(0))

    ending = play.lead()

    assert (EXIT_INCONCLUSIVE, (1,)) == (ending.code, ending.lost)
    assert 2 == sum(name == "load_halt" for name, _, _ in play.sent)


def test_a_worker_that_is_lost_before_the_go_ends_it_too() -> None:
    play = Play(lambda play: play.gone.add("a"))

    ending = play.lead()

    assert (0, Halt.WORKER_LOST, EXIT_INCONCLUSIVE) == (ending.whole.sent, ending.halt, ending.code)


def test_nothing_can_be_halted_before_it_begins() -> None:
    assert not Play().leader.halt(Halt.INTERRUPTED)


def test_progress_is_told_in_words_of_the_report() -> None:
    told = progress(WorkerReport(worker=2, due=5, sent=4, shed=1, ttft_us={100: 1}))

    assert {"event": "progress", "due": 5, "sent": 4, "shed": 1, "ended": 0, "failed": 0, "in_flight": 0} == {
        name: value for name, value in told.items() if name != "ttft_p50_ms"
    }
    assert told["ttft_p50_ms"] == pytest.approx(1.02**100 / 1000)
    assert (120.0, 10.0, 15.0) == (ACK_S_MAX, PING_S_MAX, LATE_S_MAX)
