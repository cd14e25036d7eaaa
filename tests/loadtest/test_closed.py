"""A closed loop: slots are always busy, begin apart, pass from warm-up to measurement undrained, and end in time."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

import greenlet  # type: ignore[import-untyped] # has none
import pytest

from loadtest.arrivals import PREPARED_MAX
from loadtest.closed import FAILED_NS, SPREAD_NS_MAX, Loop, Slots, measured_ns, requests
from loadtest.plan import Arrival, Plan
from loadtest.plan_spec import PlanSpec, RateCurve
from loadtest.planner import build
from loadtest.run_spec import RunSpec, Window

MS = 1_000_000


def a_plan(slots: int = 4, duration_s: float = 10.0, count: int = 100_000) -> Plan:
    return build(PlanSpec(seed=7, slots=slots, duration_s=duration_s, count=count))


def window(plan: Plan, warmup_s: float = 0.0) -> Window:
    run = RunSpec(run_id="r", targets=("http://a",), plan=plan.spec, directory="", model="m", warmup_s=warmup_s)
    return Window(run, plan)


@dataclass
class World:
    """Greenlets on a clock that moves when all of them sleep."""

    service_ms: Callable[[int], int] = lambda _: 1000
    is_well: bool = True
    ends_ms: int | None = None
    now_ns: int = 0
    begun: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    spans: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    order: "count[int]" = field(default_factory=count)
    asleep: list[tuple[int, int, "greenlet.greenlet"]] = field(
        default_factory=list[tuple[int, int, "greenlet.greenlet"]]
    )

    def run(self, plan: Plan, part: tuple[int, int] = (0, 1), warmup_s: float = 0.0) -> Slots:
        """Keep slots busy until nothing is left to do."""
        loop = Loop(
            serve=self._serve,
            spawn=lambda act: self._put(0, greenlet.greenlet(act)),
            sleep=lambda seconds: self._wait(round(seconds * 1e9)),
            now_ns=lambda: self.now_ns,
            is_ending=lambda: self.ends_ms is not None and self.now_ns >= self.ends_ms * MS,
        )
        slots = Slots(plan, window(plan, warmup_s), part, loop)
        loop.spawn(lambda: slots.run(0))
        while self.asleep:
            at_ns, _, next_one = heapq.heappop(self.asleep)
            self.now_ns = max(self.now_ns, at_ns)
            next_one.switch()
        return slots

    def busy(self, first_ms: int, until_ms: int = 0) -> set[int]:
        """Return how many slots are busy, at instants of a stretch."""
        instants = range(first_ms * MS, max(until_ms, first_ms + 1) * MS, 97 * MS)
        return {sum(since <= at < until for since, until in self.spans) for at in instants}

    def _serve(self, arrival: Arrival, t_ns: int) -> bool:
        assert arrival.t_sched_ns == t_ns
        self.begun.append((arrival.j, t_ns // MS))
        self.spans.append((t_ns, t_ns + self.service_ms(arrival.j) * MS))
        self._wait(self.service_ms(arrival.j) * MS)
        return self.is_well

    def _wait(self, ns: int) -> None:
        self._put(max(1, ns), greenlet.getcurrent())
        parent = greenlet.getcurrent().parent
        assert parent is not None
        parent.switch()

    def _put(self, after_ns: int, one: "greenlet.greenlet") -> None:
        heapq.heappush(self.asleep, (self.now_ns + after_ns, next(self.order), one))


def test_slots_begin_spread_over_the_first_answer_and_are_busy_from_then_on() -> None:
    world = World()
    slots = world.run(a_plan())
    starts = [ms for _, ms in world.begun[:8]]

    assert [0, 1000, 1250, 1500, 1750] == pytest.approx(starts[:5], abs=40)
    assert {4} == world.busy(1800, 9900)
    assert len(world.begun) == slots.due == slots.window_due
    assert list(range(len(world.begun))) == [j for j, _ in world.begun]
    assert 10_000 > max(ms for _, ms in world.begun)


def test_nothing_is_drained_between_warm_up_and_measurement() -> None:
    world = World()
    slots = world.run(a_plan(), warmup_s=5.0)

    assert {4} == world.busy(4000, 6000)
    assert sum(ms >= 5000 for _, ms in world.begun) == slots.window_due


def test_answers_of_different_length_keep_every_slot_busy() -> None:
    world = World(service_ms=lambda j: 100 + 37 * (j % 11))
    world.run(a_plan(slots=7))

    assert {7} == world.busy(1000, 9900)


def test_a_first_answer_that_never_comes_is_not_waited_for() -> None:
    world = World(service_ms=lambda j: 1000 if j else 200_000)
    world.run(a_plan(duration_s=70.0))

    assert pytest.approx(SPREAD_NS_MAX / MS * 1.25, rel=0.02) == world.begun[1][1]
    assert {4} == world.busy(60_000)


def test_a_slot_that_is_refused_at_once_waits_a_moment() -> None:
    world = World(service_ms=lambda _: 1, is_well=False)
    world.run(a_plan(slots=2, duration_s=2.0))

    assert len(world.begun) <= 2 * 2.0 / (FAILED_NS / 1e9)
    assert len(world.begun) >= 30


def test_workers_share_slots_and_requests() -> None:
    plan = a_plan(slots=3, duration_s=4.0)
    worlds = [World() for _ in range(2)]
    for worker, world in enumerate(worlds):
        world.run(plan, (worker, 2))

    assert [{2}, {1}] == [world.busy(3500) for world in worlds]
    assert [{0}, {1}] == [{j % 2 for j, _ in world.begun} for world in worlds]


def test_a_worker_more_than_there_are_slots_does_nothing() -> None:
    plan = a_plan(slots=1, count=5)
    worlds = [World(service_ms=lambda _: 10) for _ in range(2)]
    for worker, world in enumerate(worlds):
        world.run(plan, (worker, 2))

    assert [5, 0] == [len(world.begun) for world in worlds]


def test_a_run_that_is_told_to_end_begins_nothing_more() -> None:
    world = World(ends_ms=2500)
    world.run(a_plan())

    assert 2500 > max(ms for _, ms in world.begun)


def test_a_run_that_is_told_to_end_before_its_first_answer_ends() -> None:
    world = World(service_ms=lambda _: 4000, ends_ms=1000)
    world.run(a_plan())

    assert [0] == [j for j, _ in world.begun]
    assert world.now_ns <= 4100 * MS


def test_requests_are_made_again_with_another_nonce() -> None:
    plan = a_plan(count=PREPARED_MAX + 2)
    found = list(requests(plan, 0, 1))

    assert PREPARED_MAX == len(plan)
    assert list(range(PREPARED_MAX + 2)) == [one.j for one in found]
    assert len(found) == len({one.nonce for one in found})
    assert found[0].len_in == found[PREPARED_MAX].len_in
    assert {one.j % 3 for one in requests(plan, 2, 3)} == {2}


@pytest.mark.parametrize(
    ("ended_us", "expected"),
    [
        pytest.param([5_000_000, 9_000_000], (0, 10**10), id="the end of its time"),
        pytest.param([5_000_000, 7_000_000, 6_000_000], (0, 7_000_000_000), id="the end of its last answer"),
        pytest.param([], (0, 10**10), id="nothing was sent"),
    ],
)
def test_what_was_measured(ended_us: list[int], expected: tuple[int, int]) -> None:
    assert expected == measured_ns(a_plan(count=3), (0, 10**10), ended_us)


def test_a_loop_that_ran_out_before_its_warm_up_did_measured_nothing() -> None:
    assert (6 * 10**10, 6 * 10**10) == measured_ns(a_plan(count=3), (6 * 10**10, 10**12), [1, 2, 1_800_000])


def test_an_open_loop_is_measured_as_planned() -> None:
    plan = build(PlanSpec(seed=7, rate=RateCurve(points=((0.0, 1.0),)), count=1))

    assert (0, 9) == measured_ns(plan, (0, 9), [1])
