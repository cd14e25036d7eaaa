"""Says what becomes of the traffic of a fleet."""

from dataclasses import dataclass, field, replace

import pytest
from engines import PLAIN, asks, fleet

from loadtest.fleet.balance import Balance
from loadtest.fleet.outcome import Result
from loadtest.fleet.requests import End, Request, Wish
from loadtest.fleet.simulation import TAIL_S_MAX, simulate
from loadtest.fleet.spec import ColdStart
from loadtest.fleet.tally import Duration
from loadtest.fleet.traffic import lengths, renewal
from loadtest.plan_spec import Fixed, Separate
from telemetry.histogram import quantile
from telemetry.scaling import Observation

CALM = Separate(tokens_in=Fixed(tokens=100), tokens_out=Fixed(tokens=11))


@dataclass
class Steps:
    """Asks for what a table says, and remembers what it saw."""

    wants: dict[float, int]
    tick_s: float = 15.0
    seen: list[Observation] = field(default_factory=list[Observation])

    def decide(self, seen: Observation) -> int:
        self.seen.append(seen)
        return next((n for at_s, n in reversed(self.wants.items()) if seen.now_unix_s >= at_s), seen.spec)


def sizes(result: Result) -> list[tuple[float, int, int, int, int]]:
    return [(one.at_s, one.spec, one.ready, one.warming, one.draining) for one in result.sizes]


@pytest.mark.parametrize("balance", list(Balance))
def test_every_request_ends_once(balance: Balance) -> None:
    traffic = list(renewal(40.0, 120.0, lengths(CALM, 1), 1))

    result = simulate(fleet(3, balance=balance), traffic, 1)

    n = sum(map(len, traffic))
    assert (n, {End.OK: n}, n, 0) == (result.arrived, result.ends, result.good, result.bad)
    assert n == sum(one.good + one.bad for one in result.minutes)
    assert [0, 60] == [one.at_s for one in result.minutes]
    assert 1.0 == result.attainment
    assert result == simulate(fleet(3, balance=balance), traffic, 1)


def test_the_same_traffic_in_other_parts() -> None:
    requests = asks(50, 0.7)

    assert simulate(fleet(2), [requests]) == simulate(fleet(2), [[], requests[:7], requests[7:]])


def test_traffic_that_goes_back_is_refused() -> None:
    with pytest.raises(ValueError, match=r"found a request at 0.0 s behind one at 4.0 s, allowed ascending"):
        simulate(fleet(2), [asks(5, 1.0), asks(5, 1.0)])


def test_how_long_it_took() -> None:
    result = simulate(fleet(2), [asks(20, 1.0)])

    for kind, expected_s in ((Duration.TTFT, 0.02), (Duration.TPOT, 0.01), (Duration.E2E, 0.12)):
        found = quantile(result.durations[kind], 0.5)
        assert found is not None
        assert found.low <= expected_s * 1.0001
        assert expected_s <= found.high * 1.0001
    assert (0.02, 20 * 11) == (pytest.approx(result.wait_max_s), result.tokens_good)


def test_an_empty_fleet_holds_requests_and_turns_the_rest_away() -> None:
    result = simulate(fleet(0, replicas_min=0, held_max=2), [asks(3, 1.0)])

    assert (3, {End.REJECTED: 1, End.OK: 0}, 0, 1) == (result.arrived, result.ends, result.good, result.bad)
    assert TAIL_S_MAX <= result.end_s <= TAIL_S_MAX + 17


def test_nothing_comes() -> None:
    result = simulate(fleet(2), [])

    assert (0, None, ()) == (result.arrived, result.attainment, result.minutes)


def test_a_policy_is_obeyed_after_a_cold_start() -> None:
    policy = Steps({30.0: 3, 90.0: 1})
    spec = fleet(2, cold=ColdStart(median_s=20.0, sigma=0.0))

    result = simulate(spec, [asks(200, 1.0)], 1, policy)

    assert [
        (0.0, 2, 2, 0, 0),
        (30.0, 3, 2, 1, 0),
        (50.0, 3, 3, 0, 0),
        (90.0, 1, 1, 0, 2),
        (105.0, 1, 1, 0, 0),
    ] == sizes(result)
    assert {End.OK: 200} == result.ends
    assert 1 == result.cold_starts
    # one from 0 to the end, one until 90, one asked for at 30: each ends with its last request, a little after 90
    assert result.end_s + 90 + 60 == pytest.approx(result.replica_s, abs=1.0)
    assert result.replica_s - 20 == pytest.approx(result.serving_s)


def test_a_policy_is_held_within_bounds() -> None:
    policy = Steps({0.0: 99, 60.0: -3})

    result = simulate(fleet(2, replicas_min=1, replicas_max=4), [asks(100, 1.0)], 1, policy)

    assert {4, 2, 1} == {one.spec for one in result.sizes}


def test_one_that_warms_and_is_not_wanted_any_more_never_serves() -> None:
    policy = Steps({15.0: 2, 30.0: 1})
    spec = fleet(1, cold=ColdStart(median_s=100.0, sigma=0.0))

    result = simulate(spec, [asks(300, 1.0)], 1, policy)

    assert {1} == {one.ready for one in result.sizes}
    assert result.end_s + 15 == pytest.approx(result.replica_s)


def test_what_an_empty_fleet_held_is_served_once_somebody_is_ready() -> None:
    policy = Steps({15.0: 1})
    spec = fleet(0, replicas_min=0, cold=ColdStart(median_s=30.0, sigma=0.0))

    result = simulate(spec, [asks(20, 1.0)], 1, policy)

    assert {End.OK: 20} == result.ends
    assert 45.02 == pytest.approx(result.wait_max_s, abs=0.1)  # the first one waited from 0 to 45
    assert [15, 20, 0] == [one.held for one in policy.seen[:3]]


def test_a_drain_that_takes_too_long_loses_what_is_left() -> None:
    policy = Steps({15.0: 1})
    requests: list[Request] = [(at * 0.1, 100, 3000, None) for at in range(8)]  # half a minute each

    result = simulate(fleet(2, drain_max_s=10.0), [requests], 1, policy)

    assert {End.OK: 4, End.LOST: 4} == result.ends
    assert (4, 4) == (result.lost_in_drain, result.bad)


def test_a_drain_in_time_loses_nothing() -> None:
    policy = Steps({15.0: 1})
    requests: list[Request] = [(at * 0.1, 100, 3000, None) for at in range(8)]

    result = simulate(fleet(2, drain_max_s=100.0), [requests], 1, policy)

    assert {End.OK: 8} == result.ends
    assert 0 == result.lost_in_drain


def test_what_fails_is_replaced() -> None:
    spec = fleet(4, life_s=300.0, cold=ColdStart(median_s=30.0, sigma=0.0))

    result = simulate(spec, [asks(12_000, 0.1)], 3)

    assert result.cold_starts > 4  # 1200 s of four replicas: 16 failures are expected
    assert {4} == {one.ready + one.warming for one in result.sizes}
    assert 0 < result.ends[End.LOST] < 200
    assert 12_000 == sum(result.ends.values())


def test_a_failure_of_one_that_drains_asks_for_no_other() -> None:
    policy = Steps({15.0: 1})
    requests: list[Request] = [(at * 0.1, 100, 60_000, None) for at in range(8)]  # ten minutes each

    result = simulate(fleet(2, life_s=60.0, drain_max_s=1000.0), [requests], 1, policy)

    assert 8 == result.ends[End.LOST]
    assert {1} == {one.ready + one.warming for one in result.sizes if one.at_s >= 15.0}


def test_clients_that_leave() -> None:
    spec = fleet(1, engine=replace(PLAIN, seqs_max=1))

    result = simulate(spec, [asks(10, 0.0, wish=Wish(patience_s=0.3))])

    # one after the other, 120 ms each: the third one has its first token at 0.26, the fourth one would at 0.38
    assert {End.OK: 3, End.ABANDONED: 7} == result.ends
    assert (3, 0) == (result.good, result.bad)


def test_a_slow_replica_is_seen_by_those_who_look() -> None:
    traffic = list(renewal(60.0, 60.0, lengths(CALM, 1), 1))

    def slow(balance: Balance) -> float:
        found = quantile(simulate(fleet(2, slowness=(6.0,), balance=balance), traffic).durations[Duration.TTFT], 0.9)
        assert found is not None
        return found.estimate

    assert slow(Balance.LEAST) < slow(Balance.ROUND_ROBIN) / 2


def test_engines_may_keep_beginnings() -> None:
    requests = asks(50, 0.5, tokens_in=800, wish=Wish(prefix=(1,), prefix_tokens=640))

    plain, kept = (simulate(fleet(2, is_caching=is_caching), [requests]) for is_caching in (False, True))

    assert max(kept.durations[Duration.TTFT].items(), key=lambda one: one[1]) < max(
        plain.durations[Duration.TTFT].items()
    )
