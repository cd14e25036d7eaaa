"""Knows how policies are replayed over traffic and compared, for the shell as for the API; refuses to speak to either.

Every seed has arrivals, shifts and cold starts of its own, the same for all policies.

Source: spec/scaling.md 2 (whatif), 7.
"""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from inferometer.hints_backtest_case import Case, burst_of, given, replayed
from inferometer.hints_backtest_rank import Ranked, ranked, winner
from inferometer.hints_backtest_traffic import Key, Recorded, ReplayError, Test, Traced, case_of, recorded
from loadtest.fleet.score import Score
from loadtest.fleet.spec import FleetSpec
from slo.scaling.policies.catalogue import build
from slo.scaling.settings import Settings
from slo.scaling.verdicts import Burst

Traffic = Traced | Recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """How traffic is replayed.

    Attributes:
        policies: Names.
        fleet: Engine, objective, faults.
        gpus: Of each replica.
        cold_s: Median of cold starts.
        seeds: Runs of each policy.
        settings: Of the target; None for what is usual.
        usd_per_gpu_hour: Price; None if unknown.
        jobs: Processes.
    """

    policies: Sequence[str]
    fleet: FleetSpec
    gpus: int
    cold_s: float
    seeds: int
    settings: Settings | None = None
    usd_per_gpu_hour: float | None = None
    jobs: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What came of it.

    Attributes:
        among: The policies, the highest attainment first.
        best: Who wins; None if all know the future.
        keeps_objective: Whether that one does.
        burst: Bursts that no policy can follow; None if there are none.
    """

    among: Sequence[Ranked]
    best: Ranked | None
    keeps_objective: bool
    burst: Burst | None


def replay(of: Replay, traffic: Traffic) -> Found:
    """Replay policies over traffic, and rank them.

    Raises:
        ReplayError: There is no such policy, no traffic, or no rate that keeps the objective.
        ConfigurationError: A trace cannot be read.
    """
    target = of.fleet.limits.target
    first = _case(of, traffic, 0)
    among = ranked(_runs(of, traffic, first), of.usd_per_gpu_hour)
    best = winner(among, target)
    return Found(
        among=among,
        best=best,
        keeps_objective=best is not None and best.attainment.mean >= target,
        burst=burst_of(first, of.cold_s, of.usd_per_gpu_hour),
    )


def _runs(of: Replay, traffic: Traffic, first: Case) -> dict[str, list[Score]]:
    """Return the scores of each policy; seeds run side by side."""
    for name in of.policies:
        try:
            build(name, given(first, of.cold_s, of.settings))
        except ValueError as error:
            raise ReplayError(Key.POLICY, str(error)) from None
    work = partial(_seed, replace(of, jobs=1), traffic, (first.goodput, first.mix))
    if of.jobs == 1 or of.seeds == 1:
        found = [work(seed) for seed in range(of.seeds)]
    else:
        with ProcessPoolExecutor(of.jobs) as pool:
            found = list(pool.map(work, range(of.seeds)))
    return {name: [scores[at] for scores in found] for at, name in enumerate(of.policies)}


def _seed(of: Replay, traffic: Traffic, test: Test, seed: int) -> list[Score]:
    whole = _case(of, traffic, seed, test)
    return [replayed(whole, name, of.cold_s, seed, of.settings) for name in of.policies]


def _case(of: Replay, traffic: Traffic, seed: int, test: Test | None = None) -> Case:
    """Return what a seed replays; without a load test one is made."""
    if isinstance(traffic, Recorded):
        return recorded(traffic, of.fleet, of.gpus, seed, test)
    return case_of(traffic, of.fleet, of.gpus, seed, test)
