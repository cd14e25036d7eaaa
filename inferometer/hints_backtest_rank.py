"""Knows which policies of a replay are worth their GPUs; refuses to replay.

One policy is better than another if it serves no smaller share of requests within their objectives and takes no more
GPU-hours, and less of one of both. `dominated_by` says so of the means, which is hard on the one that is said to be
worse; `dominates` of the ends of 95 % intervals of the differences, which is hard on the one that is said to be better.

Error: percentile bootstrap over seeds, `DRAWS` draws; below `SEEDS_MIN` seeds there is no interval, and nothing is said
to dominate. With ten seeds such an interval covers about 90 %, not 95.

Source: spec/scaling.md 7 (scores, "claim only Pareto dominance"); B. Efron, R. Tibshirani, An Introduction to the
Bootstrap, 1993, 13.3.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from loadtest.fleet.score import Score
from loadtest.random_streams import stream
from slo.scaling.policies.catalogue import FORESEEING

DRAWS = 1_000
SEEDS_MIN = 3
"""Fewest seeds that have an interval."""

_TAIL = 0.025


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A mean with its interval.

    Attributes:
        mean: Over seeds.
        low: Lower end; None below `SEEDS_MIN` seeds.
        high: Upper end.
    """

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """A policy among others; figures are means over seeds, None is unknown.

    Attributes:
        policy: Its name.
        seeds: Runs.
        attainment: Share of requests within their objectives.
        gpu_h: GPU-hours.
        gpu_h_over_oracle: Against the one that knows all arrivals; None if that was not run.
        good_per_gpu_h: Good requests of each GPU-hour.
        goodput_rps: Good requests a second.
        miss_minutes: Minutes below the target.
        queue_max_s: Longest time to a first token, of all seeds.
        reversals_per_h: Changes of direction.
        recovery_s: Time until a step is over.
        lost_in_drain: Requests, of all seeds.
        usd_per_mtok: USD per million tokens of good answers.
        rank: 1 if nobody without knowledge of the future is better, 2 if only those are, and so on.
        dominated_by: Who is better, by means; those that know the future are left out.
        dominates: Than whom it is proven better.
    """

    policy: str
    seeds: int
    attainment: Range
    gpu_h: Range
    gpu_h_over_oracle: float | None
    good_per_gpu_h: float | None
    goodput_rps: float
    miss_minutes: float
    queue_max_s: float
    reversals_per_h: float
    recovery_s: float | None
    lost_in_drain: int
    usd_per_mtok: float | None
    rank: int
    dominated_by: tuple[str, ...]
    dominates: tuple[str, ...]

    @property
    def on_front(self) -> bool:
        """Whether nobody without knowledge of the future is better."""
        return self.rank == 1


Runs = Mapping[str, Sequence[Score]]
"""Scores of each policy, one for each seed, in the same order for all."""


def ranked(runs: Runs, usd_per_gpu_hour: float | None = None) -> list[Ranked]:
    """Return the policies, the highest attainment first.

    Args:
        runs: At least one of each policy.
        usd_per_gpu_hour: Price; None if unknown.
    """
    found = _with_ranks([_one(name, runs, usd_per_gpu_hour) for name in runs])
    return sorted(found, key=lambda one: (-one.attainment.mean, one.gpu_h.mean))


def winner(among: Sequence[Ranked], target: float) -> Ranked | None:
    """Return the one that takes the fewest GPU-hours of those that keep the objective, else the one that comes nearest.

    Args:
        among: All of them.
        target: Share of requests that shall be good.

    Returns:
        None if all know the future.
    """
    real = [one for one in among if one.policy not in FORESEEING]
    enough = [one for one in real if one.attainment.mean >= target]
    if enough:
        return min(enough, key=lambda one: one.gpu_h.mean)
    return max(real, key=lambda one: one.attainment.mean, default=None)


def spread(values: Sequence[float], seed: int = 0) -> Range:
    """Return the mean of some values, with its interval."""
    n, mean = len(values), sum(values) / len(values)
    if n < SEEDS_MIN:
        return Range(mean=mean, low=None, high=None)
    uniform = stream(seed, "hints/backtest")
    means = sorted(sum(values[int(uniform() * n)] for _ in range(n)) / n for _ in range(DRAWS))
    return Range(mean=mean, low=means[int(_TAIL * DRAWS)], high=means[int((1 - _TAIL) * DRAWS) - 1])


def better(one: Sequence[Score], other: Sequence[Score]) -> bool:
    """Return whether one is better than another by means."""
    gains, spared = _gains(one, other)
    gain, less = sum(gains), sum(spared)
    return gain >= 0 and less >= 0 and gain + less > 0


def proven_better(one: Sequence[Score], other: Sequence[Score]) -> bool:
    """Return whether the intervals say so, on both axes."""
    gains, spared = (spread(values) for values in _gains(one, other))
    if gains.low is None or spared.low is None:
        return False
    return gains.low >= 0 and spared.low >= 0 and gains.low + spared.low > 0


def _gains(one: Sequence[Score], other: Sequence[Score]) -> tuple[list[float], list[float]]:
    pairs = list(zip(one, other, strict=True))
    gains = [(a.attainment_ratio or 0.0) - (b.attainment_ratio or 0.0) for a, b in pairs]
    return gains, [b.gpu_h - a.gpu_h for a, b in pairs]


def _one(name: str, runs: Runs, usd_per_gpu_hour: float | None) -> Ranked:
    own, oracle = runs[name], runs.get("oracle")
    gpu_h, good = sum(one.gpu_h for one in own), sum(one.good for one in own)
    tokens = sum(one.tokens_good for one in own)
    usd = None if usd_per_gpu_hour is None or not tokens else usd_per_gpu_hour * gpu_h / tokens * 1e6
    others = [other for other in runs if other != name]
    took = [one.recovery_s for one in own if one.recovery_s is not None]
    return Ranked(
        policy=name,
        seeds=len(own),
        attainment=spread([one.attainment_ratio or 0.0 for one in own]),
        gpu_h=spread([one.gpu_h for one in own]),
        gpu_h_over_oracle=gpu_h / sum(one.gpu_h for one in oracle) if oracle else None,
        good_per_gpu_h=good / gpu_h if gpu_h else None,
        goodput_rps=_mean(own, lambda one: one.goodput_rps),
        miss_minutes=_mean(own, lambda one: one.miss_minutes),
        queue_max_s=max(one.queue_max_s for one in own),
        reversals_per_h=_mean(own, lambda one: one.reversals_per_h),
        recovery_s=sum(took) / len(took) if took else None,
        lost_in_drain=sum(one.lost_in_drain for one in own),
        usd_per_mtok=usd,
        rank=1,
        dominated_by=tuple(other for other in others if other not in FORESEEING and better(runs[other], own)),
        dominates=tuple(other for other in others if proven_better(own, runs[other])),
    )


def _with_ranks(found: Sequence[Ranked]) -> list[Ranked]:
    """Return policies with their ranks: who is left without a better one among those that are left has the next."""
    ranks, left, rank = dict[str, int](), {one.policy: one for one in found}, 0
    while left:
        rank += 1
        front = [name for name, one in left.items() if not left.keys() & set(one.dominated_by)]
        for name in front or list(left):  # none only where sums round to a circle
            ranks[name] = rank
            del left[name]
    return [replace(one, rank=ranks[one.policy]) for one in found]


def _mean(runs: Sequence[Score], of: Callable[[Score], float]) -> float:
    return sum(of(one) for one in runs) / len(runs)
