"""Back to what it was: behind a spike, and from cold."""

import math

import pytest

from loadtest.recovery import COLD_LEAST, GROUP, NEAR_RATIO, cold, recovery

NEVER = math.inf


def served(slow_until_s: float, slow_s: float = 2.0, quick_s: float = 0.1) -> list[tuple[float, float]]:
    """Five a second for 60 s; a spike from 20 to 30 s, and slow answers until some time behind it."""
    return [(k / 5, slow_s if 20 <= k / 5 < slow_until_s else quick_s + 0.0001 * (k % 7)) for k in range(300)]


@pytest.mark.parametrize(
    ("slow_until_s", "back_s"),
    [
        pytest.param(30.0, 0.0, id="as soon as it is over"),
        pytest.param(38.0, 8.0, id="8 s later"),
        pytest.param(38.4, 12.0, id="the group in which it is over may be slow"),
        pytest.param(60.0, None, id="never"),
    ],
)
def test_a_spike(slow_until_s: float, back_s: float | None) -> None:
    found = recovery(served(slow_until_s), (20.0, 30.0))

    assert back_s == (None if found.back_s is None else pytest.approx(found.back_s))
    assert (0.1006, 2.0) == pytest.approx((found.before_s, found.during_s))
    assert (100, 50, 150) == found.n


def test_one_quick_group_is_not_back() -> None:
    requests = [(at, 2.0 if 34 <= at < 50 else ttft) for at, ttft in served(30.0)]

    assert 20.0 == recovery(requests, (20.0, 30.0)).back_s


def test_who_fails_is_not_back_and_who_failed_before_says_nothing() -> None:
    refused = [(at, NEVER if at >= 30 else ttft) for at, ttft in served(30.0)]
    broken = [(at, NEVER if at < 20 else ttft) for at, ttft in served(30.0)]

    assert recovery(refused, (20.0, 30.0)).back_s is None
    assert (None, None) == (recovery(broken, (20.0, 30.0)).before_s, recovery(broken, (20.0, 30.0)).back_s)


def test_too_few_before_say_nothing() -> None:
    few = [one for one in served(30.0) if one[0] >= 16.2]

    assert (19, None, None) == (
        recovery(few, (20.0, 30.0)).n[0], recovery(few, (20.0, 30.0)).before_s, recovery(few, (20.0, 30.0)).back_s,
    )  # fmt: skip
    assert (20, 1.1) == (GROUP, NEAR_RATIO)


@pytest.mark.parametrize(
    ("ttfts_s", "expected"),
    [
        pytest.param([3.0, 1.0, 0.21, 0.2, 0.2, 0.2], (3.0, 0.2, 2.8, 2), id="slow twice"),
        pytest.param([0.2] * 4, (0.2, 0.2, 0.0, 0), id="not cold"),
        pytest.param([NEVER, 0.2, 0.2, 0.2], (None, 0.2, None, 1), id="the first fails"),
        pytest.param([3.0, 3.0, NEVER, NEVER], (3.0, None, None, None), id="the rest fails"),
        pytest.param([3.0] * (COLD_LEAST - 1), (3.0, None, None, None), id="too few"),
        pytest.param([], (None, None, None, None), id="none"),
    ],
)
def test_from_cold(ttfts_s: list[float], expected: tuple[float | None, ...]) -> None:
    found = cold(ttfts_s)

    assert expected == pytest.approx((found.first_s, found.steady_s, found.extra_s, found.slow))
    assert len(ttfts_s) == found.n
