"""Aligned instants, replay after a pause, and clocks that are set."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slo.instants import (
    CLOCK_STEP_S_MAX,
    LAG_S_MAX,
    REPLAY_S_MAX,
    STEP_S,
    Clocks,
    ClockStep,
    due,
    instant_s,
    lag_s,
    may_start,
    read_clocks,
)

AT_S = 1_000_000_020  # a multiple of 30


LAGS = [
    pytest.param([], 30.0, id="nobody is live: the cap"),
    pytest.param([2.0, 7.5], 7.5, id="the slowest"),
    pytest.param([LAG_S_MAX, 1.0], 30.0, id="at the cap"),
    pytest.param([LAG_S_MAX + 0.1, 1.0], 1.0, id="beyond the cap it is stale"),
    pytest.param([600.0], 30.0, id="all stale"),
]


@pytest.mark.parametrize(("lags", "waited"), LAGS)
def test_the_slowest_live_collector_is_waited_for(lags: list[float], waited: float) -> None:
    assert waited == lag_s(lags)


INSTANTS = [(0.0, 0, 0), (29.9, 0, 0), (30.0, 0, 30), (61.0, 2, 30), (61.0, 1, 60), (10.0, 30, -30)]


@pytest.mark.parametrize(("now", "lag", "at"), INSTANTS)
def test_instants_are_aligned_to_unix_time(now: float, lag: float, at: int) -> None:
    assert at == instant_s(now, lag)
    assert 55 == instant_s(59.9, 0, step_s=5)


@settings(max_examples=50, deadline=None)
@given(now=st.floats(0, 2e9), skew=st.floats(0, 0.5))
def test_replicas_that_agree_within_a_step_share_instants(now: float, skew: float) -> None:
    assert instant_s(now + skew, 0) - instant_s(now, 0) in {0, STEP_S}


REPLAYS = [
    pytest.param(None, AT_S, [AT_S], 0, id="the first is only the current one"),
    pytest.param(AT_S - 30, AT_S, [AT_S], 0, id="the next"),
    pytest.param(AT_S, AT_S, [], 0, id="asked again within a step"),
    pytest.param(AT_S - 90, AT_S, [AT_S - 60, AT_S - 30, AT_S], 0, id="two were missed"),
    pytest.param(AT_S + 3_600, AT_S, [], 0, id="the clock went back an hour: nothing until it is there again"),
]


@pytest.mark.parametrize(("last", "current", "instants", "skipped"), REPLAYS)
def test_missed_instants_are_replayed_in_order(
    last: int | None, current: int, instants: list[int], skipped: int
) -> None:
    found = due(last, current)

    assert (instants, skipped) == (list(found.instants), found.skipped)


def test_an_hour_is_replayed_and_no_more() -> None:
    assert REPLAY_S_MAX == 3_600
    bound, beyond = due(AT_S - REPLAY_S_MAX - 30, AT_S), due(AT_S - REPLAY_S_MAX - 60, AT_S)

    assert (121, 0, AT_S - 3_600) == (len(bound.instants), bound.skipped, bound.instants[0])
    assert (121, 1, AT_S - 3_600) == (len(beyond.instants), beyond.skipped, beyond.instants[0])


@settings(max_examples=50, deadline=None)
@given(last=st.integers(0, 100).map(lambda n: AT_S + n * STEP_S), nows=st.lists(st.floats(-5_000, 5_000), max_size=20))
def test_instants_never_go_back_whatever_the_clock_does(last: int, nows: list[float]) -> None:
    for now in nows:
        found = due(last, instant_s(AT_S + now, 0)).instants

        assert all(at > last for at in found)
        last = found[-1] if found else last


BEFORE = Clocks(wall_unix_s=1_000.0, monotonic_s=50.0)
STEPS = [
    pytest.param(1_030.0, 80.0, None, id="both go on"),
    pytest.param(1_090.0, 80.0, None, id="60 s ahead is no step"),
    pytest.param(1_091.0, 80.0, 61.0, id="61 s ahead"),
    pytest.param(4_630.0, 80.0, 3_600.0, id="an hour ahead"),
    pytest.param(-2_570.0, 80.0, -3_600.0, id="an hour back"),
    pytest.param(970.0, 80.0, None, id="60 s back is no step"),
    pytest.param(5_000.0, 4_050.0, None, id="a long pause of the process is no step"),
]


@pytest.mark.parametrize(("wall", "monotonic", "by"), STEPS)
def test_steps_of_the_wall_clock(wall: float, monotonic: float, by: float | None) -> None:
    now, found = read_clocks(BEFORE, wall, monotonic)

    assert CLOCK_STEP_S_MAX == 60
    assert found == (None if by is None else ClockStep(at_unix_s=wall, by_s=by))
    assert (wall, monotonic) == (now.wall_unix_s, now.monotonic_s)
    assert (now.stepped_unix_s is not None) == (by is not None and by > 0)


def test_nothing_begins_to_fire_for_one_short_window_after_a_step_forward() -> None:
    now, _ = read_clocks(BEFORE, 4_630.0, 80.0)

    assert may_start(BEFORE, 1_000, 300)
    assert [False, False, True] == [may_start(now, at, 300) for at in (1_020, 4_929, 4_930)]
