"""Warm-up, drift and overload: each at its limit and beside it (spec/loadtest.md 6)."""

import math

import pytest

from loadtest.random_streams import stream
from loadtest.steadiness import (
    BLOCK_S,
    WARM_UP_ANSWERS,
    WARM_UP_S,
    WARM_UP_S_MAX,
    Pace,
    WarmUp,
    is_drift,
    is_overload,
    median_error,
    sum_error,
    warm_up,
)

EVEN = [Pace(ttft_p50_s=0.3, tokens_per_s=1000.0)] * 2


def pace(ttft: float | None = 0.3, tokens: float = 1000.0) -> Pace:
    return Pace(ttft_p50_s=ttft, tokens_per_s=tokens)


def noisy(value: float, error: float, *, of_ttft: bool = False) -> Pace:
    if of_ttft:
        return Pace(ttft_p50_s=value, tokens_per_s=1000.0, ttft_error_s=error)
    return Pace(ttft_p50_s=0.3, tokens_per_s=value, tokens_error_per_s=error)


@pytest.mark.parametrize(
    ("elapsed_s", "answers", "blocks", "expected"),
    [
        pytest.param(WARM_UP_S, WARM_UP_ANSWERS, EVEN, WarmUp.WARM, id="long enough, enough, even"),
        pytest.param(WARM_UP_S - 1, 999, EVEN, WarmUp.GOES_ON, id="too short"),
        pytest.param(99, WARM_UP_ANSWERS - 1, EVEN, WarmUp.GOES_ON, id="too few answers"),
        pytest.param(99, 99, EVEN[:1], WarmUp.GOES_ON, id="one block"),
        pytest.param(99, 99, [pace(), pace(ttft=0.34)], WarmUp.GOES_ON, id="TTFT not even"),
        pytest.param(99, 99, [pace(), pace(tokens=1101)], WarmUp.GOES_ON, id="tokens not even"),
        pytest.param(99, 99, [pace(ttft=9), pace(), pace(ttft=0.32)], WarmUp.WARM, id="the last two count"),
        pytest.param(WARM_UP_S_MAX, 3, EVEN, WarmUp.COLD, id="the longest"),
        pytest.param(WARM_UP_S_MAX - 1, 3, EVEN, WarmUp.GOES_ON, id="a second before"),
        pytest.param(WARM_UP_S_MAX, 99, EVEN, WarmUp.WARM, id="just in time"),
    ],
)
def test_warm_up(elapsed_s: float, answers: int, blocks: list[Pace], expected: WarmUp) -> None:
    assert expected is warm_up(elapsed_s, answers, blocks)
    assert BLOCK_S == 15


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        pytest.param(pace(), pace(), False, id="alike"),
        pytest.param(pace(), pace(tokens=1051), True, id="more tokens"),
        pytest.param(pace(), pace(tokens=949), True, id="fewer tokens"),
        pytest.param(pace(), pace(tokens=1049, ttft=0.329), False, id="within both limits"),
        pytest.param(pace(), pace(ttft=0.331), True, id="slower"),
        pytest.param(pace(), pace(ttft=None, tokens=0), True, id="no answer any more"),
        pytest.param(pace(), pace(ttft=None), False, id="no first token was told"),
        pytest.param(noisy(1000, 0), noisy(1310, 100), True, id="beyond the noise of tokens"),
        pytest.param(noisy(1000, 0), noisy(1290, 100), False, id="within the noise of tokens"),
        pytest.param(noisy(1000, 60), noisy(1290, 80), False, id="within the noise of both"),
        pytest.param(noisy(0.3, 0, of_ttft=True), noisy(0.61, 0.1, of_ttft=True), True, id="beyond the noise of TTFT"),
        pytest.param(noisy(0.3, 0, of_ttft=True), noisy(0.59, 0.1, of_ttft=True), False, id="within the noise of TTFT"),
        pytest.param(pace(), noisy(0.9, math.inf, of_ttft=True), False, id="too few answers to tell"),
        pytest.param(pace(ttft=None, tokens=0), pace(ttft=None, tokens=0), False, id="no answer at all"),
        pytest.param(pace(ttft=None, tokens=0), pace(ttft=None, tokens=5), True, id="from nothing"),
    ],
)
def test_drift(first: Pace, second: Pace, expected: bool) -> None:
    assert expected is is_drift(first, second)


def test_a_queue_that_grows_is_overload() -> None:
    uniform = stream(1, "x")

    assert is_overload([0.1 * second + uniform() for second in range(300)])
    assert not is_overload([20 + 5 * uniform() for _ in range(300)])
    assert not is_overload([0.01 * second + uniform() for second in range(300)])  # by 3 requests: no harm
    assert not is_overload([100 + 0.08 * second for second in range(300)])  # by 24 of 112: within a quarter
    assert is_overload([100 + 0.1 * second for second in range(300)])
    assert not is_overload([30 - 0.1 * second for second in range(300)])


def test_a_late_burst_is_no_slope() -> None:
    flat = [0.0] * 200

    assert not is_overload([*flat, 600.0])
    assert not is_overload([])
    assert not is_overload([1.0, 100.0])
    assert is_overload([1.0, 100.0, 199.0])


@pytest.mark.parametrize(
    ("parts", "index", "expected"),
    [
        ([], 1.0, 0.0),
        ([6.0] * 25, 1.0, 30.0),
        ([6.0] * 25, 0.0, 0.0),  # as many arrivals as ever, of one length
        ([6.0] * 25, 4.0, 60.0),
        ([0.0, 10.0], 0.0, math.sqrt(50)),
        ([3.0, 4.0], 1.0, 5.0),  # of Poisson arrivals the root of the sum of squares
    ],
)
def test_the_error_of_a_sum_over_arrivals(parts: list[float], index: float, expected: float) -> None:
    assert pytest.approx(expected) == sum_error(parts, index)


def test_the_error_of_a_median_comes_from_the_values_beside_it() -> None:
    assert [math.inf, math.inf, 5 / 4] == [median_error(range(n)) for n in (0, 5, 6)]
    assert median_error([7.0] * 100) == 0.0
    assert pytest.approx(1.25 / math.sqrt(900), rel=0.2) == median_error(sorted(normal(900)))  # 1.25 of a mean's


def normal(n: int) -> list[float]:
    """Return normal values, by Box and Muller."""
    uniform = stream(3, "normal")
    return [math.sqrt(-2 * math.log(1 - uniform())) * math.cos(2 * math.pi * uniform()) for _ in range(n)]
