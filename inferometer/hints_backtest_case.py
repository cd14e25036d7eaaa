"""Knows what is replayed, and what a user would know of it beforehand; refuses to know where traffic comes from.

A user knows a load test of one replica with such requests, how long replicas take to start, and the days before. What
the traffic will bring is told to `oracle` and `static-peak` alone.

Source: spec/scaling.md 5 (baseline), 7 (traces, oracle).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from loadtest.fleet.load_test import Goodput
from loadtest.fleet.requests import Request
from loadtest.fleet.score import Score, score
from loadtest.fleet.simulation import simulate
from loadtest.fleet.spec import REPLICAS_MAX, FleetSpec
from slo.scaling.capacity import Engine, Mix
from slo.scaling.policies.catalogue import Given, build
from slo.scaling.settings import Known, LoadTest, Settings, Target
from slo.scaling.shape import Shape
from slo.scaling.verdicts import Burst, burst, bursts

RATE_S = 30
"""Span over which rates are told to those that know the future."""
STARTED_WITH = 1.25
"""Replicas at the start: what the first five minutes need, times this."""
ROOM = 3
"""Most replicas: what the busiest of those spans needs, times this, and a few."""
SIGMA = 0.3
"""Of the logarithm of cold starts."""

_FIRST_S = 300.0
_P999 = 3.09  # of the normal law


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Traffic, and what is known of it.

    Attributes:
        name: Of the traffic.
        fleet: Engine, objective, balancer, signals; its replicas and cold starts are those of each run.
        gpus: Of each replica.
        parts: The traffic, ascending.
        goodput: What a load test of one replica found.
        mix: What requests of the load test looked like.
        shape: What the days before looked like; None if there were none.
    """

    name: str
    fleet: FleetSpec
    gpus: int
    parts: Sequence[Sequence[Request]]
    goodput: Goodput
    mix: Mix
    shape: Shape | None = None


def mix_of(requests: Iterable[Request], prefix_hit_ratio: float = 0.0) -> Mix:
    """Return what requests look like, on average; there is one at least."""
    sizes = [(request[1], request[2]) for request in requests]
    n = len(sizes)
    return Mix(
        tokens_in=sum(one for one, _ in sizes) / n,
        tokens_out=sum(one for _, one in sizes) / n,
        prefix_hit_ratio=prefix_hit_ratio,
    )


def burst_of(case: Case, cold_s: float, usd_per_gpu_hour: float | None) -> Burst | None:
    """Return the bursts of the traffic that no new replica can follow, with the floor that would carry them.

    Args:
        case: What is replayed.
        cold_s: Median of cold starts.
        usd_per_gpu_hour: Price; None if unknown.
    """
    seconds = dict[int, int]()
    for part in case.parts:
        for request in part:
            seconds[int(request[0])] = seconds.get(int(request[0]), 0) + 1
    seen = bursts([seconds.get(at, 0) for at in range(max(seconds, default=-1) + 1)])
    usd = None if usd_per_gpu_hour is None else usd_per_gpu_hour * case.gpus
    return None if seen is None else burst(seen, cold_s, case.goodput.rps, usd)


def rates(parts: Iterable[Sequence[Request]], start_unix_s: float) -> list[tuple[float, float]]:
    """Return (from which second of unix time on, requests a second), `RATE_S` each."""
    counts = dict[int, int]()
    for part in parts:
        for request in part:
            span = int(request[0]) // RATE_S
            counts[span] = counts.get(span, 0) + 1
    last = max(counts, default=-1)
    return [(start_unix_s + at * RATE_S, counts.get(at, 0) / RATE_S) for at in range(last + 1)]


def given(case: Case, cold_s: float, settings: Settings | None = None) -> Given:
    """Return what a policy is told.

    Args:
        case: What is replayed.
        cold_s: Median of cold starts.
        settings: The target's; None for those that its documentation ships.
    """
    future = rates(case.parts, case.fleet.start_unix_s)
    peak = max((rate for _, rate in future), default=0.0)
    limits = case.fleet.limits
    usual = settings or Settings(target=Target(name=case.name, gpus_per_replica=case.gpus))
    high = min(ROOM * math.ceil(peak / case.goodput.rps) + 4, REPLICAS_MAX)
    engine = case.fleet.engine
    test = LoadTest(
        basis="loadtest:simulated",
        age_days=1.0,
        engine=Engine(
            prefill_tokens_per_s=engine.prefill_tokens_per_s,
            step_alpha_s=engine.alpha_s,
            step_beta_s=engine.beta_s,
            step_gamma_s=engine.gamma_s,
            kv_tokens=engine.kv_tokens,
            sequences_max=engine.seqs_max,
        ),
        goodput_rps=case.goodput.rps,
        mix=case.mix,
    )
    return Given(
        settings=replace(usual, replicas_min=1, replicas_max=high, ttft_s=limits.ttft_s, itl_s=limits.tpot_s),
        known=Known(load_test=test, shape=case.shape),
        in_flight=case.goodput.in_flight,
        lead_s=cold_s * math.exp(_P999 * SIGMA),
        rates=future,
    )


def replayed(case: Case, policy: str, cold_s: float, seed: int, settings: Settings | None = None) -> Score:
    """Return what a policy makes of the traffic.

    Args:
        case: What is replayed.
        policy: Its name.
        cold_s: Median of cold starts.
        seed: Of cold starts, losses and failures; the traffic has its own.
        settings: As of `given`.

    Raises:
        ValueError: There is no such policy, or it lacks what it needs.
    """
    told = given(case, cold_s, settings)
    first = [rate for at_s, rate in told.rates if at_s - case.fleet.start_unix_s < _FIRST_S]
    needed = STARTED_WITH * sum(first) / max(len(first), 1) / case.goodput.rps
    fleet = replace(
        case.fleet,
        replicas=min(max(math.ceil(needed), 1), told.settings.replicas_max),
        replicas_max=told.settings.replicas_max,
        cold=replace(case.fleet.cold, median_s=cold_s, sigma=SIGMA),
    )
    return score(simulate(fleet, case.parts, seed, build(policy, told)), fleet.limits.target, case.gpus)
