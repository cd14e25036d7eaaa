from collections.abc import Callable

import pytest

from loadtest.dispatch import WAIT_NS_MAX, Dispatcher, Pacer
from loadtest.plan import Arrival

MS = 1_000_000


class Hands:
    """A clock that waits move, each ending a little late."""

    def __init__(self, late_ns: int = 0) -> None:
        self.now_ns = 0
        self.late_ns = late_ns
        self.waits_ns: list[int] = []

    def read(self) -> int:
        return self.now_ns

    def wait_until(self, at_ns: int) -> None:
        self.waits_ns.append(at_ns - self.now_ns)
        self.now_ns = at_ns + self.late_ns


def arrival(j: int, at_ms: float) -> Arrival:
    return Arrival(j=j, t_sched_ns=round(at_ms * MS), workload_class="default", len_in=1, len_out=1, nonce=j)


def never() -> int | None:
    return None


def nothing(one: Arrival, t_sched_ns: int) -> None:
    del one, t_sched_ns


def dispatched(
    times_ms: list[float], hands: Hands, cap: int = 100, halted_ns: Callable[[], int | None] = never
) -> tuple[Dispatcher, list[tuple[int, float]], list[int]]:
    begun: list[tuple[int, float]] = []
    shed: list[int] = []
    dispatcher = Dispatcher(
        cap,
        lambda one, t_sched_ns: begun.append((one.j, (hands.now_ns - t_sched_ns) / MS)),
        lambda one, _: shed.append(one.j),
        hands.read,
    )
    arrivals = [arrival(j, at_ms) for j, at_ms in enumerate(times_ms)]
    dispatcher.run(arrivals, 0, Pacer(hands.read, hands.wait_until, halted_ns))
    return dispatcher, begun, shed


def test_a_wait_that_ends_late_delays_its_own_arrival_only() -> None:
    _, begun, _ = dispatched([10, 30, 70], Hands(late_ns=MS))

    assert [(0, 1.0), (1, 1.0), (2, 1.0)] == begun


def test_a_long_wait_is_taken_in_pieces() -> None:
    hands = Hands()
    dispatched([1000], hands)

    assert [WAIT_NS_MAX] * 5 == hands.waits_ns


def test_arrivals_that_are_late_are_sent_at_once_and_in_order() -> None:
    hands = Hands()
    hands.now_ns = 50 * MS  # a worker that was stopped
    _, begun, _ = dispatched([10, 20, 60], hands)

    assert [(0, 40.0), (1, 30.0)] == begun[:2]
    assert 2 == begun[2][0]


def test_answers_that_never_come_delay_nothing() -> None:
    dispatcher, begun, _ = dispatched([float(ms) for ms in range(1, 60)], Hands())

    assert 59 == len(begun) == dispatcher.in_flight


@pytest.mark.parametrize(("cap", "n_shed"), [(2, 3), (5, 0), (6, 0)])
def test_an_arrival_above_the_cap_is_shed_and_never_delayed(cap: int, n_shed: int) -> None:
    dispatcher, begun, shed = dispatched([1, 2, 3, 4, 5], Hands(), cap)

    assert (n_shed, n_shed, 5 - n_shed) == (dispatcher.shed, len(shed), dispatcher.sent)
    assert {0.0} == {lag_ms for _, lag_ms in begun}


def test_an_end_makes_room() -> None:
    hands = Hands()
    dispatcher = Dispatcher(1, nothing, nothing, hands.read)
    for j in range(3):
        dispatcher.begin(arrival(j, 0), 0)
        dispatcher.ended()

    assert (3, 0, 0) == (dispatcher.sent, dispatcher.shed, dispatcher.in_flight)


def test_requests_in_flight_are_summed_over_time() -> None:
    hands = Hands()
    dispatcher = Dispatcher(9, nothing, nothing, hands.read)
    dispatcher.begin(arrival(0, 0), 0)
    hands.now_ns = 10 * MS
    dispatcher.begin(arrival(1, 0), 0)
    hands.now_ns = 15 * MS
    dispatcher.ended()
    dispatcher.ended()
    hands.now_ns = 90 * MS
    dispatcher.resumed()
    hands.now_ns = 97 * MS
    dispatcher.ended()
    hands.now_ns = 99 * MS

    assert 27_000 == dispatcher.in_flight_us  # 15 ms, 5 ms, and a second attempt of 7 ms


def test_a_run_that_is_told_to_stop_stops_within_a_wait() -> None:
    hands = Hands()
    dispatcher, begun, _ = dispatched(
        [10, 5000], hands, halted_ns=lambda: 400 * MS if hands.now_ns > 400 * MS else None
    )

    assert (1, 1) == (dispatcher.sent, len(begun))
    assert hands.now_ns <= 400 * MS + WAIT_NS_MAX


def test_what_was_due_before_the_end_is_still_sent() -> None:
    hands = Hands()
    hands.now_ns = 100 * MS  # a busy worker wakes up late, and was told to stop meanwhile
    _, begun, _ = dispatched([10, 40, 60], hands, halted_ns=lambda: 50 * MS)

    assert [(0, 90.0), (1, 60.0)] == begun
