"""Warm-up, drift and overload: each at its limit and beside it (spec/loadtest.md 6)."""

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
    warm_up,
)

EVEN = [Pace(ttft_p50_s=0.3, tokens_per_s=1000.0)] * 2


def pace(ttft: float | None = 0.3, tokens: float = 1000.0) -> Pace:
    return Pace(ttft_p50_s=ttft, tokens_per_s=tokens)


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
        pytest.param(pace(), pace(ttft=None), True, id="no answer any more"),
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
