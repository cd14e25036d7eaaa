"""Knows whether a run was long enough, even, and not overloaded; refuses to know how it was measured.

    warm-up    at least 60 s and 50 answers, and until two successive blocks of 15 s differ by less than 10 %; at most
               600 s, and then the engine counts as cold
    drift      the halves of the measured phase differ by more than 5 % in tokens a second, or 10 % in the median TTFT
    noise      two stretches differ only if they do so by more than 3 standard errors too
    overload   requests in flight grow: slope * T > max(5, 25 % of their mean), and the slope is above 3 standard errors

In an open loop an overloaded run's latency depends on how long it lasts, so only attainment and throughput are results.

The noise is a deviation from the specification, which has the shares alone. By those, of 60 steady runs with Poisson
arrivals at 2 a second, 120 s of warm-up and 300 s measured, 50 were cold and 34 drifted: in 15 s come 30 arrivals, give
or take 5. Rare answers, such as 2 a second, thus hide a slow drift of tokens a second below about a quarter.

Source: spec/loadtest.md 6; the variance of a sum over arrivals is that of a compound renewal process.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean

BLOCK_S = 15.0
"""Length of a block of the warm-up."""
WARM_UP_S, WARM_UP_ANSWERS, WARM_UP_S_MAX = 60.0, 50, 600.0
"""Least length, least number of answers, and greatest length of a warm-up."""

_WARM_RATIO = 0.10
_TOKENS_RATIO, _TTFT_RATIO = 0.05, 0.10
_GROWTH, _GROWTH_RATIO, _ERRORS = 5.0, 0.25, 3.0


class WarmUp(StrEnum):
    """What a warm-up has come to."""

    GOES_ON = "goes on"
    WARM = "warm"
    COLD = "cold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What a stretch of a run showed.

    Attributes:
        ttft_p50_s: Median; None without an answer.
        tokens_per_s: Output tokens a second.
        ttft_error_s: Standard error of the median; infinite if there are too few answers to tell.
        tokens_error_per_s: Standard error of the tokens a second.
    """

    ttft_p50_s: float | None
    tokens_per_s: float
    ttft_error_s: float = 0.0
    tokens_error_per_s: float = 0.0


def warm_up(elapsed_s: float, answers: int, blocks: Sequence[Pace]) -> WarmUp:
    """Return whether the engine is warm.

    Args:
        elapsed_s: Since the first request.
        answers: That ended.
        blocks: Each whole block of `BLOCK_S` so far.
    """
    is_even = len(blocks) > 1 and not _differs(blocks[-2], blocks[-1], _WARM_RATIO, _WARM_RATIO)
    if elapsed_s >= WARM_UP_S and answers >= WARM_UP_ANSWERS and is_even:
        return WarmUp.WARM
    return WarmUp.COLD if elapsed_s >= WARM_UP_S_MAX else WarmUp.GOES_ON


def is_drift(first: Pace, second: Pace) -> bool:
    """Return whether the halves of a measured phase are unlike."""
    return _differs(first, second, _TOKENS_RATIO, _TTFT_RATIO)


def sum_error(parts: Sequence[float], index: float) -> float:
    """Return the standard error of a sum over arrivals.

    Args:
        parts: What each arrival adds.
        index: Index of dispersion of the arrivals.
    """
    mean = fmean(parts) if parts else 0.0
    return math.sqrt(sum((part - mean) ** 2 for part in parts) + index * len(parts) * mean**2)


def median_error(ordered: Sequence[float]) -> float:
    """Return the standard error of a median, from the values 2 standard errors of its rank beside it.

    Infinite below 6 values, among which there are none.
    """
    reach = math.sqrt(len(ordered))  # the rank's standard error is half of it
    low, high = math.floor((len(ordered) - 1) / 2 - reach), math.ceil((len(ordered) - 1) / 2 + reach)
    return math.inf if low < 0 else (ordered[high] - ordered[low]) / 4


def is_overload(in_flight: Sequence[float]) -> bool:
    """Return whether requests pile up.

    Args:
        in_flight: Requests in flight, once a second of the measured phase; below three samples nothing is said.
    """
    n = len(in_flight)
    if n < 3:  # noqa: PLR2004 -- a slope and its error need three
        return False
    mean, middle = fmean(in_flight), (n - 1) / 2
    squares = n * (n * n - 1) / 12
    slope = sum((at - middle) * value for at, value in enumerate(in_flight)) / squares
    rest = sum((value - mean - slope * (at - middle)) ** 2 for at, value in enumerate(in_flight))
    error = math.sqrt(rest / (n - 2) / squares)
    return slope * n > max(_GROWTH, _GROWTH_RATIO * mean) and slope > _ERRORS * error


def _differs(first: Pace, second: Pace, tokens_ratio: float, ttft_ratio: float) -> bool:
    """Return whether two stretches are apart; one without any answer shows in the tokens."""
    tokens_error = math.hypot(first.tokens_error_per_s, second.tokens_error_per_s)
    if _is_apart(first.tokens_per_s, second.tokens_per_s, tokens_ratio, tokens_error):
        return True
    if first.ttft_p50_s is None or second.ttft_p50_s is None:
        return False
    ttft_error_s = math.hypot(first.ttft_error_s, second.ttft_error_s)
    return _is_apart(first.ttft_p50_s, second.ttft_p50_s, ttft_ratio, ttft_error_s)


def _is_apart(one: float, other: float, ratio: float, error: float) -> bool:
    return abs(other - one) > max(ratio * one, _ERRORS * error)
