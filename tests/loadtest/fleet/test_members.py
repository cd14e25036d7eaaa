"""Says how replicas come and go."""

from dataclasses import replace
from math import inf
from statistics import median

import pytest
from engines import fleet

from loadtest.fleet.members import RECENT, STARTS_MAX, Members, Stage, cold_start_s
from loadtest.fleet.spec import ColdStart, Signals
from loadtest.random_streams import stream


def names(members: Members, *stages: Stage) -> list[str]:
    return [one.name for one in members.of(*stages)]


def test_the_first_ones_are_ready() -> None:
    members = Members(fleet(3), 1)

    assert ["r-0", "r-1", "r-2"] == names(members, Stage.READY)
    assert [inf] * 3 == [one.fails_s for one in members.here]
    assert 0 == len(members.cold_starts_s)


def test_one_more_is_ready_after_its_cold_start() -> None:
    members = Members(fleet(1, cold=ColdStart(median_s=300.0, sigma=0.0)), 1)

    member = members.ask(100.0)
    assert (Stage.WARMING, 400.0) == (member.stage, member.ready_s)

    members.serve(member)
    assert ["r-0", "r-1"] == names(members, Stage.READY)
    assert [300.0] == list(members.cold_starts_s)


def test_the_youngest_go_first_and_those_that_warm_before_those_that_serve() -> None:
    members = Members(fleet(3, cold=ColdStart(median_s=300.0, sigma=0.0)), 1)
    members.ask(100.0)

    draining = members.shrink(2, 150.0)

    assert ["r-2"] == [one.name for one in draining]
    assert (["r-0", "r-1"], ["r-2"]) == (names(members, Stage.READY), names(members, Stage.DRAINING))
    assert (50.0, 0.0) == (members.replica_s, members.serving_s)  # what warmed for nothing

    members.end(draining[0], 170.0)
    assert (220.0, 170.0) == (members.replica_s, members.serving_s)
    assert [] == members.ghosts(170.0)


def test_more_than_there_are() -> None:
    members = Members(fleet(2), 1)

    assert 2 == len(members.shrink(5, 1.0))


def test_a_replica_that_is_gone_shows_for_a_while() -> None:
    members = Members(fleet(3, signals=Signals(linger_s=60.0)), 1)
    first, second, _ = members.here

    members.end(first, 10.0)
    assert [first] == members.ghosts(69.0)
    members.end(second, 70.0)
    assert [second] == members.ghosts(70.0)


def test_lives_end() -> None:
    members = Members(fleet(500, life_s=1000.0), 1)

    # the median of an exponential life is 693; of 500 it errs by less than 15 % in 999 of 1000 seeds
    assert 693 == pytest.approx(median(one.fails_s for one in members.here), rel=0.15)


def test_the_first_ones_may_be_slow() -> None:
    members = Members(fleet(2, slowness=(1.5,)), 1)

    assert [0.015, 0.01] == [one.replica.engine.alpha_s for one in members.here]


def test_cold_starts() -> None:
    uniform = stream(1, "x")
    cold = ColdStart(median_s=300.0, sigma=0.4)
    times = sorted(cold_start_s(cold, uniform) for _ in range(1000))

    assert 300.0 == pytest.approx(times[500], rel=0.06)
    assert 300.0 * 1.67 == pytest.approx(times[900], rel=0.08)  # exp(1.2816 * 0.4)


@pytest.mark.parametrize("fail_ratio", [0.5, 1.0], ids=["every second one fails", "all fail"])
def test_cold_starts_that_fail_begin_again(fail_ratio: float) -> None:
    cold = replace(ColdStart(median_s=100.0, sigma=0.0), fail_ratio=fail_ratio)
    uniform = stream(1, "x")

    times = {cold_start_s(cold, uniform) for _ in range(200)}

    assert max(times) <= 100.0 * STARTS_MAX
    assert min(times) == (100.0 if fail_ratio < 1 else 100.0 * STARTS_MAX)


def test_only_the_last_cold_starts_are_told() -> None:
    members = Members(fleet(0, replicas_min=0, cold=ColdStart(median_s=10.0, sigma=0.0)), 1)
    for at in range(RECENT + 1):
        members.serve(members.ask(float(at)))

    assert RECENT == len(members.cold_starts_s)
