"""Knows what a run of a fleet is worth: to its users, and on its bill; refuses to compare two of them.

    reversals   changes of direction of the replicas that are asked for
    miss        a minute of arrivals of which less than the target was good
    step        more arrivals by a half in five minutes than in the five before, and at least `STEP_MIN`; the next one
                is looked for from its end on. Over it is with the first of five minutes without a miss

Source: spec/scaling.md 7 (scores).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from loadtest.fleet.outcome import Minute, Result, Size
from loadtest.fleet.tally import MINUTE_S

STEP_RATIO = 1.5
STEP_MIN = 30
"""Arrivals in the five minutes of a step, at least."""
_SPAN = 5  # minutes
_HOUR_S = 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What a run is worth.

    Attributes:
        attainment_ratio: Share of the judged requests that met both objectives; None without one.
        gpu_h: GPU-hours, from being asked for until gone.
        good: Requests that met the objectives.
        tokens_good: Tokens of their answers.
        goodput_rps: Good requests a second.
        miss_minutes: Minutes below the target.
        queue_max_s: Longest time to a first token.
        reversals_per_h: Changes of direction.
        recovery_s: Median time until a step is over; None without a step that was.
        lost_in_drain: Requests lost because a replica had drained for too long.
        replicas_mean: Replicas that were paid for, on average.
        hours: Length of the run.
    """

    attainment_ratio: float | None
    gpu_h: float
    good: int
    tokens_good: int
    goodput_rps: float
    miss_minutes: int
    queue_max_s: float
    reversals_per_h: float
    recovery_s: float | None
    lost_in_drain: int
    replicas_mean: float
    hours: float

    @property
    def good_per_gpu_h(self) -> float | None:
        """Good requests of each GPU-hour; None without one."""
        return self.good / self.gpu_h if self.gpu_h else None


def score(result: Result, target: float, gpus: int) -> Score:
    """Return what a run is worth.

    Args:
        result: The run.
        target: Share of requests that shall be good.
        gpus: Of each replica.
    """
    hours = result.end_s / _HOUR_S
    return Score(
        attainment_ratio=result.attainment,
        gpu_h=result.replica_s * gpus / _HOUR_S,
        good=result.good,
        tokens_good=result.tokens_good,
        goodput_rps=result.good / result.end_s if result.end_s else 0.0,
        miss_minutes=sum(_is_miss(one, target) for one in result.minutes),
        queue_max_s=result.wait_max_s,
        reversals_per_h=reversals(result.sizes) / hours if hours else 0.0,
        recovery_s=recovery_s(result.minutes, target),
        lost_in_drain=result.lost_in_drain,
        replicas_mean=result.replica_s / result.end_s if result.end_s else 0.0,
        hours=hours,
    )


def reversals(sizes: Sequence[Size]) -> int:
    """Return how often the direction of what is asked for changed."""
    signs = [1 if after.spec > before.spec else -1 for before, after in pairwise(sizes) if after.spec != before.spec]
    return sum(before != after for before, after in pairwise(signs))


def recovery_s(minutes: Sequence[Minute], target: float) -> float | None:
    """Return the median time until a step is over; one that is never over lasts to the end. None without a step."""
    judged = {one.at_s // MINUTE_S: one for one in minutes}
    if not judged:
        return None
    first, last = min(judged), max(judged)
    counts = [(judged[at].good + judged[at].bad if at in judged else 0) for at in range(first, last + 1)]
    missed = [at in judged and _is_miss(judged[at], target) for at in range(first, last + 1)]
    took, at = list[int](), _SPAN
    while at + _SPAN <= len(counts):
        before, after = sum(counts[at - _SPAN : at]), sum(counts[at : at + _SPAN])
        if after < max(STEP_MIN, STEP_RATIO * before):
            at += 1
            continue
        over = next((end for end in range(at, len(missed)) if not any(missed[end : end + _SPAN])), len(missed))
        took.append(over - at)
        at = max(over, at + _SPAN)
    return median(took) * MINUTE_S if took else None


def _is_miss(one: Minute, target: float) -> bool:
    return one.good < target * (one.good + one.bad)
