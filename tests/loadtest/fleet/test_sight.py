"""Says what of a fleet becomes known, when, and what a hole looks like."""

from dataclasses import dataclass, field

import pytest
from engines import asks, fleet

from loadtest.fleet.requests import Request, Wish
from loadtest.fleet.simulation import simulate
from loadtest.fleet.spec import ColdStart, FleetSpec, Signals
from loadtest.scaling_profile import Limits
from telemetry.scaling import Observation


@dataclass
class Watcher:
    tick_s: float = 15.0
    fewer_at_s: float = 1e9
    by: int = 1
    seen: dict[float, Observation] = field(default_factory=dict[float, Observation])

    def decide(self, seen: Observation) -> int:
        self.seen[seen.now_unix_s] = seen
        return seen.spec - (self.by if seen.now_unix_s == self.fewer_at_s else 0)


def watched(spec: FleetSpec, requests: list[Request], fewer_at_s: float = 1e9, by: int = 1) -> dict[float, Observation]:
    watcher = Watcher(fewer_at_s=fewer_at_s, by=by)
    simulate(spec, [requests], 1, watcher)
    return watcher.seen


STEADY = asks(1200, 0.1)
"""Ten a second for two minutes, 100 tokens in, 11 out: 20 ms to the first token, 10 ms for each later one."""


def test_rates_means_and_tails_of_the_last_minute() -> None:
    seen = watched(fleet(2), STEADY)[90.0]

    assert (60.0, 15.0) == (seen.window_s, seen.age_s)
    assert (10.0, 100.0, 11.0) == (seen.arrivals_rps, seen.tokens_in_mean, seen.tokens_out_mean)
    assert 10.0 == pytest.approx(seen.completed_rps or 0.0, rel=0.01)
    assert [0.02] * 3 == pytest.approx([seen.ttft_p50_s, seen.ttft_p90_s, seen.ttft_p95_s])
    assert [0.01] * 3 == pytest.approx([seen.tpot_p50_s, seen.tpot_p90_s, seen.tpot_p95_s])
    assert ((108, 600),) == seen.prompts  # 2^(54/8), the next eighth of a doubling above 100
    assert 0.0 == seen.prefix_hit_ratio
    assert (0, 1.0) == (seen.held, seen.coverage)


def test_replicas_as_their_last_scrape_shows_them() -> None:
    seen = watched(fleet(2), asks(1200, 0.1, tokens_out=1001))[90.0]

    assert ["r-0", "r-1"] == [one.name for one in seen.replicas]
    for one in seen.replicas:
        assert (90.0, 15.0) == (one.ready_for_s, one.age_s)
        assert 8 == one.running
        assert 1.0 == pytest.approx(one.gpu_util_ratio)
        assert one.waiting_prompt_tokens == 100 * (one.waiting or 0) > 0
        assert 0 < (one.kv_used_ratio or 0.0) < 1


def test_nothing_is_known_before_it_may_be() -> None:
    seen = watched(fleet(2, signals=Signals(delay_s=20.0)), STEADY)

    first = seen[30.0]
    assert (None, None, 0.0) == (first.age_s, first.arrivals_rps, first.coverage)
    assert [None, None] == [one.running for one in first.replicas]
    assert 30.0 == seen[45.0].age_s
    assert 15.0 == seen[45.0].window_s


def test_scrapes_that_get_lost_leave_old_values() -> None:
    seen = watched(fleet(4, signals=Signals(loss_ratio=0.5, stale_s=20.0)), STEADY)

    ages = {one.age_s for at in seen.values() for one in at.replicas if at.now_unix_s > 60}
    assert {15.0, 30.0} < ages
    assert {0.25, 0.5, 0.75} & {at.coverage for at in seen.values()}
    assert 10.0 == seen[120.0].arrivals_rps  # what came is counted elsewhere


def test_an_outage_lets_everything_grow_old() -> None:
    seen = watched(fleet(2, signals=Signals(outages=((50.0, 100.0),))), STEADY)

    assert [15.0, 30.0, 45.0, 60.0] == [seen[at].age_s for at in (60.0, 75.0, 90.0, 105.0)]
    assert [1.0, 0.0] == [seen[at].coverage for at in (90.0, 105.0)]
    assert 15.0 == seen[120.0].age_s


def test_a_replica_that_is_gone_still_shows() -> None:
    calm, haunted = (
        watched(fleet(2, signals=Signals(linger_s=linger_s)), STEADY, fewer_at_s=30.0) for linger_s in (0.0, 40.0)
    )

    assert [1, 1] == [len(calm[at].replicas) for at in (60.0, 90.0)]
    assert [2, 1] == [len(haunted[at].replicas) for at in (60.0, 90.0)]


def test_a_replica_that_just_became_ready_has_no_values() -> None:
    spec = fleet(1, cold=ColdStart(median_s=20.0, sigma=0.0), signals=Signals(scrape_s=30.0, window_s=30.0))

    seen = watched(spec, STEADY, fewer_at_s=15.0, by=-1)[45.0]

    assert (2, 1.0) == (seen.ready, seen.replicas[0].gpu_util_ratio is not None)
    assert (10.0, None) == (seen.replicas[1].ready_for_s, seen.replicas[1].age_s)
    assert (20.0, 20.0) == (seen.cold_start_p50_s, seen.cold_start_p90_s)


def test_the_objective() -> None:
    spec = fleet(2, limits=Limits(ttft_s=0.03, tpot_s=0.1, target=0.9), start_unix_s=0.0)
    requests = asks(240, 0.5)
    slow: list[Request] = [(at + 0.1, 500, 11, None) for at in range(0, 120, 10)]  # 60 ms to their first tokens

    seen = watched(spec, sorted([*requests, *slow], key=lambda one: one[0]))[105.0]

    bad, judged = 11, 221
    assert 0.9 == seen.objective_ratio
    assert bad / judged == pytest.approx(1 - (seen.attainment_1h_ratio or 0.0), abs=0.004)
    assert bad / judged / 0.1 == pytest.approx(seen.burn_1h, abs=0.04)
    assert 1.0 == pytest.approx(seen.budget_left_ratio, abs=0.0001)  # less than two minutes of thirty days


def test_hits_of_the_cache() -> None:
    wish = Wish(prefix=(1,), prefix_tokens=80)

    seen = watched(fleet(2, is_caching=True), asks(1200, 0.1, wish=wish))[90.0]

    assert 0.8 == pytest.approx(seen.prefix_hit_ratio)
    assert 20.0 == pytest.approx(seen.tokens_in_uncached_mean)


def test_nobody_is_ready() -> None:
    seen = watched(fleet(0, replicas_min=0), asks(20, 1.0))[30.0]

    assert (0, 20, 1.0, ()) == (seen.ready, seen.held, seen.coverage, seen.replicas)
    assert (None, None, None) == (seen.attainment_1h_ratio, seen.burn_1h, seen.budget_left_ratio)
    assert (None, None) == (seen.prefix_hit_ratio, seen.ttft_p90_s)
