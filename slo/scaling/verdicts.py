"""Knows what replicas cannot help: prompts too long, steps too slow, bursts too short; refuses to ask for any then.

    prefill    tau_q = S_ttft - I'/V_P is 0 or less for more requests than the objective lets miss
    decode     S_itl is not above alpha, the length of an empty step
    burst      the highest second is more than ten times the mean, and bursts end before a replica could be ready

Prompts come as counts between edges. A prompt is too long for certain if the edge below it is, so no verdict rests on a
guess; the requests that are too long, few as they are, are left out of the signals.

A target is emptied only where its class allows that and keeping one replica until the next request costs more than
the cold start does.

Source: spec/scaling.md 6.6.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from telemetry.percentile import P90, P99, rank

BURST_RATIO = 10.0
"""Highest second over mean from which arrivals come in bursts."""
HOURS_PER_MONTH = 730

_HOUR_S = 3_600
_MINUTE_S = 60
_BURST_MEANS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompts:
    """Requests of which some may be too long to be served in time.

    Attributes:
        n: Requests.
        too_long: Those whose prompt alone takes longer than allowed.
        shortest_tokens: A number of tokens that each of those exceeds; 0 without one.
        tokens_read_mean: Uncached prompt tokens of the others, at most; None if unknown.
    """

    n: int
    too_long: int
    shortest_tokens: float
    tokens_read_mean: float | None

    @property
    def too_long_ratio(self) -> float:
        """Their share; 0 without any request."""
        return self.too_long / self.n if self.n else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """Bursts that no new replica can follow.

    Attributes:
        ratio: Highest second over mean.
        length_s: How long they last.
        floor: Replicas that would carry them.
        usd_per_month: What these cost; None without a price.
    """

    ratio: float
    length_s: float
    floor: int
    usd_per_month: float | None


def prompts(
    counts: Sequence[tuple[int, int]], tokens_in_mean: float | None, hit_ratio: float, tokens_read_max: float
) -> Prompts:
    """Return how many prompts are too long.

    Args:
        counts: (prompt tokens, requests): so many requests with at most so many tokens, and more than the pair before.
        tokens_in_mean: Mean prompt tokens of all; None if unknown.
        hit_ratio: Share of prompt tokens that comes from a cache.
        tokens_read_max: Uncached tokens that can just be read in time.
    """
    missed = 1 - hit_ratio
    below = [0, *(tokens for tokens, _ in counts)]
    long = [
        (low, n) for low, (_, n) in zip(below, counts, strict=False) if n and low and low * missed >= tokens_read_max
    ]
    n, too_long = sum(n for _, n in counts), sum(n for _, n in long)
    rest_mean = None
    if tokens_in_mean is not None and n > too_long:
        rest_mean = max(0.0, tokens_in_mean * n - sum(low * n for low, n in long)) / (n - too_long) * missed
    elif tokens_in_mean is not None:
        rest_mean = tokens_in_mean * missed
    return Prompts(
        n=n,
        too_long=too_long,
        shortest_tokens=min((low for low, _ in long), default=0),
        tokens_read_mean=rest_mean,
    )


def prefill_infeasible(of: Prompts, objective_ratio: float | None) -> bool:
    """Return whether more prompts are too long than the objective lets miss; without an objective, whether all are."""
    if objective_ratio is None:
        return 0 < of.n == of.too_long
    return of.too_long_ratio > 1 - objective_ratio


def decode_infeasible(itl_s: float, step_alpha_s: float) -> bool:
    """Return whether even one request alone would exceed its time per output token."""
    return itl_s <= step_alpha_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Bursts:
    """What arrivals looked like, second by second.

    Attributes:
        peak_1s_rps: Highest second.
        mean_rps: Mean.
        length_s: How long bursts last; None if there are none.
        p99_1m_rps: P99 of the rate of whole minutes.
    """

    peak_1s_rps: float
    mean_rps: float
    length_s: float | None
    p99_1m_rps: float


def bursts(counts: Sequence[int]) -> Bursts | None:
    """Return what arrivals look like.

    A burst is a run of whole minutes that bring more than twice the mean; their length is the longest of nine tenths.

    Args:
        counts: Requests of each second, oldest first; a rest of less than a minute counts for the mean alone.

    Returns:
        None where nothing arrived.
    """
    if not sum(counts):
        return None
    mean = sum(counts) / len(counts)
    minutes = [sum(counts[at : at + _MINUTE_S]) / _MINUTE_S for at in range(0, len(counts) - _MINUTE_S + 1, _MINUTE_S)]
    runs = sorted(len([*run]) for above, run in groupby(minutes, lambda rate: rate > _BURST_MEANS * mean) if above)
    ordered = sorted(minutes)
    return Bursts(
        peak_1s_rps=max(counts),
        mean_rps=mean,
        length_s=float(_MINUTE_S * runs[rank(P90, len(runs)) - 1]) if runs else None,
        p99_1m_rps=ordered[rank(P99, len(ordered)) - 1] if ordered else mean,
    )


def burst(of: Bursts, lead_s: float, goodput_rps: float, usd_per_replica_hour: float | None) -> Burst | None:
    """Return the bursts that no new replica can follow; None if there are none."""
    if of.length_s is None or of.mean_rps <= 0 or of.length_s >= lead_s:
        return None
    ratio = of.peak_1s_rps / of.mean_rps
    if ratio <= BURST_RATIO:
        return None
    floor = math.ceil(of.p99_1m_rps / goodput_rps)
    cost = None if usd_per_replica_hour is None else floor * usd_per_replica_hour * HOURS_PER_MONTH
    return Burst(ratio=ratio, length_s=of.length_s, floor=floor, usd_per_month=cost)


def cheaper_empty(usd_per_replica_hour: float | None, gap_s: float | None, cold_penalty_usd: float | None) -> bool:
    """Return whether keeping one replica until the next request costs more than a cold start; not if unknown.

    Args:
        usd_per_replica_hour: Price of a replica.
        gap_s: How long until the next request comes, on average.
        cold_penalty_usd: What it costs that this one waits for a replica.
    """
    if usd_per_replica_hour is None or gap_s is None or cold_penalty_usd is None:
        return False
    return usd_per_replica_hour * gap_s / _HOUR_S > cold_penalty_usd
