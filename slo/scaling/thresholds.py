"""Knows what a threshold in requests or per cent means in seconds and in load; refuses to choose one.

A queue of n requests per replica is n / goodput seconds of waiting. Of a time to first token S_ttft the prompt itself
takes I'/V_P, and `tau_q`, the rest, may be spent in the queue: `Q* = tau_q * goodput` requests.

Source: spec/scaling.md 6.4; spec/loadtest.md 19 (tau_q, queue_star).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from slo.scaling.gpu import UP_RATIO

QUEUE_DEPTH_HI = 75
"""Requests waiting per replica from which the seed adds one."""
QUEUE_DEPTH_SAFE = (50, 100)
"""What the seed calls a safe range for it."""
LOAD_DAYS = 7
"""Days whose loads at the GPU threshold are remembered, today included."""

_GPU_NEAR_RATIO = 0.02 + 1e-9
_DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadDay:
    """What the load was on one day while GPUs were within two points of the threshold from which the seed adds.

    Attributes:
        day: Days since 1970, in UTC.
        low: Lowest.
        high: Highest.
        n: Instants.
    """

    day: int
    low: float
    high: float
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLimits:
    """Two thresholds for one queue, each in requests per replica and in seconds.

    Attributes:
        seed: The fixed one.
        seed_wait_s: How long the last of so many waits; None if the goodput is unknown.
        derived: Q*; None if the objective for the first token, the speed or the goodput is unknown.
        derived_wait_s: tau_q, 0 or less if no queue at all is allowed; None if unknown.
    """

    seed: float
    seed_wait_s: float | None
    derived: float | None
    derived_wait_s: float | None


def wait_s(waiting_per_replica: float, goodput_per_s: float) -> float:
    """Return how long the last of a queue waits."""
    return waiting_per_replica / goodput_per_s


def queue_slack_s(ttft_s: float, tokens_read: float, prefill_tokens_per_s: float) -> float:
    """Return tau_q, what is left of a time to first token for the queue; negative if the prompt alone takes longer."""
    return ttft_s - tokens_read / prefill_tokens_per_s


def queue_limits(goodput_per_s: float | None, slack_s: float | None, seed: float = QUEUE_DEPTH_HI) -> QueueLimits:
    """Return both thresholds.

    Args:
        goodput_per_s: Of one replica, above 0; None if unknown.
        slack_s: tau_q; None if unknown.
        seed: The fixed threshold.
    """
    return QueueLimits(
        seed=seed,
        seed_wait_s=None if goodput_per_s is None else wait_s(seed, goodput_per_s),
        derived=None if slack_s is None or goodput_per_s is None else max(slack_s, 0.0) * goodput_per_s,
        derived_wait_s=slack_s,
    )


def requests_that_fit(kv_used_ratio: float, kv_tokens: float, ctx_tokens: float) -> int:
    """Return how many more requests the cache of a replica takes."""
    return max(0, math.floor((1 - kv_used_ratio) * kv_tokens / ctx_tokens))


def noted(days: tuple[LoadDay, ...], at_s: int, gpu_ratio: float | None, rho: float | None) -> tuple[LoadDay, ...]:
    """Return the load of the last days at the GPU threshold, after one more instant.

    Args:
        days: Before, oldest first.
        at_s: The instant, unix time.
        gpu_ratio: Mean utilisation; None if unknown, which says nothing, as an unknown load does.
        rho: The load of the same instant.
    """
    day = at_s // _DAY_S
    kept = tuple(one for one in days if one.day > day - LOAD_DAYS)
    if gpu_ratio is None or rho is None or abs(gpu_ratio - UP_RATIO) > _GPU_NEAR_RATIO:
        return kept
    *older, last = kept or (LoadDay(day=day, low=rho, high=rho, n=0),)
    if last.day != day:
        older, last = [*kept], LoadDay(day=day, low=rho, high=rho, n=0)
    return (*older, LoadDay(day=day, low=min(last.low, rho), high=max(last.high, rho), n=last.n + 1))


def load_at_gpu(days: Sequence[LoadDay]) -> tuple[float, float, int] | None:
    """Return the lowest and highest load at the GPU threshold, and at how many instants; None if there was none."""
    if not days:
        return None
    return min(one.low for one in days), max(one.high for one in days), sum(one.n for one in days)
