"""The search for the highest good rate, against services whose capacity is known."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.random_streams import stream
from loadtest.search import (
    LENGTHS_MAX,
    LOOK_FIRST,
    RATIO_ENOUGH,
    RUNGS,
    STEPS_MAX,
    Next,
    Step,
    StepVerdict,
    is_settled,
    knee,
    next_step,
    requests_to_accept,
    step_verdict,
)
from loadtest.wilson import wilson

TARGET = 0.99
Service = Callable[[float], Step]


def sharp(capacity_rps: float) -> Service:
    """Everything is good up to the capacity, and half beyond it."""

    def run(rate: float) -> Step:
        offered = 600
        return Step(rate_rps=rate, offered=offered, good=offered if rate <= capacity_rps else 300, completed=offered)

    return run


def searched(service: Service, saturated_rps: float, **how: object) -> tuple[Next, list[Step]]:
    steps: list[Step] = []
    while True:
        found = next_step(steps, TARGET, saturated_rps, **how)  # type: ignore[arg-type] # passed on as it came
        if found.rate_rps is None:
            return found, steps
        step = service(found.rate_rps)
        if found.longer:
            before = steps.pop()
            step = Step(
                rate_rps=before.rate_rps,
                offered=before.offered + step.offered,
                good=before.good + step.good,
                completed=before.completed + step.completed,
                lengths=before.lengths + 1,
            )
        steps.append(step)


@pytest.mark.parametrize(
    ("step", "verdict"),
    [
        pytest.param(Step(rate_rps=1, offered=381, good=381, completed=381), StepVerdict.ACCEPT, id="enough, no miss"),
        pytest.param(Step(rate_rps=1, offered=380, good=380, completed=380), StepVerdict.LONGER, id="one too few"),
        pytest.param(
            Step(rate_rps=1, offered=380, good=380, completed=380, lengths=LENGTHS_MAX - 1),
            StepVerdict.LONGER,
            id="once more",
        ),
        pytest.param(
            Step(rate_rps=1, offered=380, good=380, completed=380, lengths=LENGTHS_MAX),
            StepVerdict.REJECT,
            id="not proven in three lengths",
        ),
        pytest.param(Step(rate_rps=1, offered=1000, good=975, completed=1000), StepVerdict.REJECT, id="proven bad"),
        pytest.param(Step(rate_rps=1, offered=1000, good=988, completed=1000), StepVerdict.LONGER, id="in between"),
        pytest.param(
            Step(rate_rps=1, offered=900, good=900, completed=900, overload=True), StepVerdict.REJECT, id="piling up"
        ),
        pytest.param(Step(rate_rps=1, offered=1000, good=1000, completed=949), StepVerdict.REJECT, id="not completed"),
        pytest.param(Step(rate_rps=1, offered=0, good=0, completed=0), StepVerdict.REJECT, id="nothing offered"),
    ],
)
def test_verdict_of_a_step(step: Step, verdict: StepVerdict) -> None:
    assert verdict is step_verdict(step, TARGET)


@pytest.mark.parametrize(("target", "least"), [(0.99, 381), (0.95, 73), (0.90, 35)])
def test_the_least_number_of_requests(target: float, least: int) -> None:
    assert least == requests_to_accept(target)


@pytest.mark.parametrize("bisect", [True, False])
@pytest.mark.parametrize("saturated_rps", [9.0, 12.0, 30.0, 10.0])
def test_case_9_a_capacity_of_10(saturated_rps: float, bisect: bool) -> None:
    found, _ = searched(sharp(10), saturated_rps, bisect=bisect)

    assert found.accepted_rps is not None
    assert found.rejected_rps is not None
    assert found.accepted_rps <= 10 < found.rejected_rps
    assert found.rejected_rps / found.accepted_rps <= RATIO_ENOUGH


def test_halving_takes_fewer_steps_than_climbing() -> None:
    _, halved = searched(sharp(10), 12.0)
    _, climbed = searched(sharp(10), 12.0, bisect=False)

    assert 4 == len(halved)
    assert 7 == len(climbed)
    assert [pytest.approx(12 * share) for share in RUNGS[:6]] == [step.rate_rps for step in climbed[:6]]


@pytest.mark.parametrize("capacity", [2.5, 5.1, 7.3, 9.9, 11.8])
def test_halving_says_what_every_rate_says_in_two_fifths_of_the_steps(capacity: float) -> None:
    rates = [12.0 * RUNGS[0] * RATIO_ENOUGH**k for k in range(34)]  # up to 12, each 5 % above the last
    every = max(rate for rate in rates if step_verdict(sharp(capacity)(rate), TARGET) is StepVerdict.ACCEPT)
    found, steps = searched(sharp(capacity), 12.0)

    assert found.accepted_rps is not None
    assert 1 / RATIO_ENOUGH <= found.accepted_rps / every <= RATIO_ENOUGH
    assert len(steps) <= 0.4 * len(rates)


@settings(max_examples=60)
@given(st.floats(0.5, 500), st.floats(0.5, 500))
def test_any_capacity_is_found_or_lies_outside(capacity: float, saturated: float) -> None:
    found, steps = searched(sharp(capacity), saturated)
    rates = [step.rate_rps for step in steps]

    assert len(rates) == len(set(rates)) <= STEPS_MAX
    if found.accepted_rps is None:
        assert capacity < 0.02 * saturated
    else:
        assert found.accepted_rps <= capacity
        if found.rejected_rps is not None:
            assert capacity < found.rejected_rps <= found.accepted_rps * RATIO_ENOUGH


def test_a_noisy_service_is_bracketed_below_its_own_capacity() -> None:
    # The share of good requests falls from 1 to 0.9 between 9 and 11 rps; it is 0.99 at 9.2.
    for seed in range(20):
        uniform = stream(seed, "service")

        def service(rate: float, uniform: Callable[[], float] = uniform) -> Step:
            share = 1 - 0.05 * min(max(rate - 9, 0), 2)
            good = sum(uniform() < share for _ in range(1000))
            return Step(rate_rps=rate, offered=1000, good=good, completed=1000)

        found, _ = searched(service, 12.0)

        assert found.accepted_rps is not None
        assert 8 < found.accepted_rps < 9.6


def test_no_higher_rate_than_allowed() -> None:
    found, steps = searched(sharp(1000), 12.0, rate_rps_max=20.0)

    assert Next(rate_rps=None, accepted_rps=20.0) == found
    assert 20.0 == max(step.rate_rps for step in steps)


def test_a_service_that_does_nothing() -> None:
    found, steps = searched(sharp(0), 100.0)

    assert found.accepted_rps is None
    assert found.rejected_rps == min(step.rate_rps for step in steps)


def test_a_rate_that_was_accepted_above_a_rejected_one_does_not_count() -> None:
    good, bad = sharp(math.inf), sharp(0)
    found = next_step([good(5), bad(8), good(10)], TARGET, 12.0)

    assert (5, 8) == (found.accepted_rps, found.rejected_rps)


def test_a_search_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loadtest.search.RATIO_ENOUGH", 1.0)
    _, steps = searched(sharp(10), 12.0)

    assert STEPS_MAX == len(steps)


def test_the_knee_is_where_goodput_over_latency_is_greatest() -> None:
    assert 8 == knee([(4, 400, 1.0), (8, 800, 1.5), (10, 900, 3.0)])
    assert knee([]) is None
    assert knee([(4, 400, 0.0)]) is None
    assert knee([(4, 0, 1.0)]) is None


@pytest.mark.parametrize(
    ("good", "n", "in_flight", "settled"),
    [
        pytest.param(1072, 1072, 4.0, True, id="good for long"),
        pytest.param(1071, 1071, 4.0, False, id="one too few"),
        pytest.param(1072, 1072, 300.0, False, id="so many in flight that piling up would not show yet"),
        pytest.param(10, 32, 4.0, True, id="bad from the start"),
        pytest.param(10, LOOK_FIRST - 1, 4.0, False, id="too early to look"),
        pytest.param(497, 500, 4.0, False, id="in between"),
    ],
)
def test_a_step_ends_early_once_it_is_certain(good: int, n: int, in_flight: float, settled: bool) -> None:
    assert settled is is_settled(good, n, TARGET, in_flight)


def erring(share: float, ends: tuple[int, ...], target: float) -> tuple[float, float]:
    """Return how often a step is accepted at an early look and at a planned end, exactly, for a true share."""
    looks = {LOOK_FIRST << k for k in range(20)}
    here, early, late = {0: 1.0}, 0.0, 0.0  # misses: probability
    for n in range(1, ends[-1] + 1):
        there: dict[int, float] = {}
        for misses, p in here.items():
            if p > 1e-12:
                there[misses] = there.get(misses, 0.0) + p * share
                there[misses + 1] = there.get(misses + 1, 0.0) + p * (1 - share)
        here = there
        for misses in list(here):
            good = n - misses
            if n in looks and is_settled(good, n, target, 1.0):
                p = here.pop(misses)
                early += p if wilson(good, n)[0] >= target else 0.0
            elif n in ends:
                step = Step(rate_rps=1, offered=n, good=good, completed=n, lengths=1 + ends.index(n))
                verdict = step_verdict(step, target)
                late += here[misses] if verdict is StepVerdict.ACCEPT else 0.0
                if verdict is not StepVerdict.LONGER:
                    del here[misses]
    return early, late


@pytest.mark.parametrize(("target", "length"), [(0.95, 300), (0.99, 500), (0.99, 1000)])
def test_how_often_a_rate_that_just_misses_is_accepted(target: float, length: int) -> None:
    early, late = erring(target, (length, 2 * length, 3 * length), target)
    print(f"{target}, {length} requests a length: {early:.4%} at early looks, {late:.2%} at planned ends")

    assert early <= 0.005
    assert late <= 0.045
