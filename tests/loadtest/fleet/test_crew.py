"""Says how a fleet in real time hands out requests, grows, drains and measures its starts."""

from dataclasses import replace
from math import inf

import pytest
from engines import PLAIN, fleet

from loadtest.fleet.crew import PHASES, STABLE_N, Crew
from loadtest.fleet.members import Stage
from loadtest.fleet.requests import End
from loadtest.fleet.spec import ColdStart
from loadtest.scaling_profile import Limits

COLD = ColdStart(median_s=10.0, sigma=0.0)


def crew(replicas: int = 2, **changes: object) -> Crew:
    return Crew(fleet(replicas, replicas_max=4, cold=COLD, **changes), seed=1)


def answered(made: Crew, n: int, from_s: float) -> float:
    """Ask one request after the other until so many are answered; return when."""
    now_s = from_s
    for _ in range(n):
        talk = made.ask(100, 11, now_s)
        while talk.end is None:
            now_s += 0.01
            made.move(now_s)
        assert talk.end is End.OK
    return now_s


def test_requests_go_to_replicas_in_turn() -> None:
    made = crew()
    talks = [made.ask(100, 11, 0.0) for _ in range(4)]
    made.move(0.05)

    assert ["r-0", "r-1"] == made.ready
    assert [2, 2] == [made.live(name).load(0.05).running for name in made.ready]
    assert [talks[0].live, talks[1].live] == [talk.live for talk in talks[2:]]


def test_what_is_asked_for_is_ready_a_cold_start_later() -> None:
    made = crew()
    assert inf == made.next_s(0.0)

    made.scale(3, 5.0)
    made.move(6.0)
    assert (3, 1, ["r-0", "r-1"]) == (made.wanted, made.count(Stage.WARMING), made.ready)
    assert 15.0 == made.next_s(6.0)
    made.move(15.0)

    assert (0, ["r-0", "r-1", "r-2"]) == (made.count(Stage.WARMING), made.ready)
    (start,) = made.starts
    assert (5.0, 15.0, None) == (start.asked_s, start.ready_s, start.stable_s)
    assert 10.0 == pytest.approx(sum(start.phases_s.values()))
    assert 1.0 == pytest.approx(sum(PHASES.values()))


@pytest.mark.parametrize(
    ("limits", "is_stable"),
    [
        pytest.param(Limits(ttft_s=2.0, tpot_s=0.1, target=0.99), True, id="all are good"),
        pytest.param(Limits(ttft_s=0.001, tpot_s=None, target=0.99), False, id="all come too late"),
        pytest.param(Limits(ttft_s=None, tpot_s=0.001, target=0.99), False, id="all are too slow"),
    ],
)
def test_a_replica_is_stable_after_so_many_good_requests(limits: Limits, is_stable: bool) -> None:
    made = Crew(fleet(1, replicas_max=2, cold=COLD, limits=limits), seed=1)
    made.scale(2, 0.0)
    made.move(10.0)
    end_s = answered(made, 2 * STABLE_N, 10.0)
    (start,) = made.starts

    assert is_stable == (start.good == STABLE_N)
    assert is_stable == (start.stable_s is not None and 10.0 < start.stable_s <= end_s)


def test_a_replica_that_is_taken_away_finishes_what_it_holds() -> None:
    made = crew()
    talks = [made.ask(100, 11, 0.0) for _ in range(2)]
    made.move(0.05)
    made.scale(1, 0.05)

    assert (["r-0"], ["r-0", "r-1"], 1) == (made.ready, made.serving, made.count(Stage.DRAINING))
    made.move(1.0)
    assert [End.OK, End.OK] == [talk.end for talk in talks]
    assert ["r-0"] == made.serving


def test_a_replica_that_is_slow_slows_its_own_requests_alone() -> None:
    made = crew()
    made.slow("r-0", 6.0, 0.0)
    slow, fast = made.ask(100, 11, 0.0), made.ask(100, 11, 0.0)
    made.move(0.3)

    assert (None, End.OK) == (slow.end, fast.end)
    assert (6.0, 1.0) == (made.slower("r-0"), made.slower("r-1"))
    made.slow("r-0", 1.0, 0.3)
    made.move(0.5)
    assert End.OK is slow.end


@pytest.mark.parametrize("replicas", [0, 5])
def test_sizes_that_are_refused(replicas: int) -> None:
    with pytest.raises(ValueError, match=f"found {replicas} replicas, allowed 1 to 4"):
        crew().scale(replicas, 0.0)


@pytest.mark.parametrize(("name", "factor"), [("r-9", 2.0), ("r-0", 0.0), ("r-0", inf)])
def test_faults_that_are_refused(name: str, factor: float) -> None:
    with pytest.raises(ValueError, match=r"allowed \['r-0', 'r-1'\], above 0"):
        crew().slow(name, factor, 0.0)


def test_a_request_of_one_token_and_one_whose_client_left() -> None:
    made = Crew(fleet(1, replicas_max=2, cold=replace(COLD, median_s=1.0), engine=PLAIN), seed=1)
    made.scale(2, 0.0)
    made.move(1.0)
    one, other = made.ask(100, 1, 1.0), made.ask(100, 1, 1.0)
    third, fourth = made.ask(100, 50, 1.0), made.ask(100, 50, 1.0)
    made.move(1.1)
    for talk in (third, fourth):
        talk.live.leave(talk, 1.1)
    made.move(1.3)

    assert [End.OK, End.OK, End.ABANDONED, End.ABANDONED] == [talk.end for talk in (one, other, third, fourth)]
    assert [1] == [start.good for start in made.starts]
