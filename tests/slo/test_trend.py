"""Trends: slopes that wild points cannot move, and probabilities against the exact distribution."""

import math
import statistics
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slo.trend import POINTS_MAX, POINTS_MIN, Trend, mann_kendall, theil_sen, trend


def exact(n: int) -> dict[int, float]:
    """Score of n different values in random order to the probability of one at least as far from 0."""
    orders = [1]
    for size in range(2, n + 1):  # how many orders of `size` values have each number of falling pairs
        grown = [0] * (len(orders) + size - 1)
        for falling, count in enumerate(orders):
            for more in range(size):
                grown[falling + more] += count
        orders = grown
    pairs, whole = n * (n - 1) // 2, math.factorial(n)
    return {
        score: sum(count for falling, count in enumerate(orders) if abs(pairs - 2 * falling) >= score) / whole
        for score in range(pairs % 2, pairs + 1, 2)
    }


def with_score(n: int, score: int) -> list[float]:
    """Ascending values, of which so many are moved down that the score is as asked."""
    values, falling = list(map(float, range(n))), (n * (n - 1) // 2 - score) // 2
    for at in range(1, n):
        step = min(at, falling)
        values.insert(at - step, values.pop(at))
        falling -= step
    return values


@pytest.mark.parametrize("n", [10, 11, 15])
def test_p_errs_less_than_it_says(n: int) -> None:
    for score, p in exact(n).items():
        found = mann_kendall(with_score(n, score))

        assert found == pytest.approx(p, abs=0.003 if found < 0.01 else 0.011)


def test_a_published_example() -> None:
    # Gilbert, Statistical methods for environmental pollution monitoring, 1987, 16.4: n = 10 without ties, S = 35,
    # variance 125; z = 34 / sqrt(125).
    assert mann_kendall(with_score(10, 35)) == pytest.approx(math.erfc(34 / math.sqrt(125) / math.sqrt(2)))


def test_ties_lower_the_variance() -> None:
    # n = 10 with ties of 2, 3: variance (10*9*25 - 2*1*9 - 3*2*11) / 18 = 2166 / 18; score 41.
    values = [1.0, 2, 2, 3, 4, 5, 5, 5, 6, 7]

    assert mann_kendall(values) == pytest.approx(math.erfc(40 / math.sqrt(2166 / 18) / math.sqrt(2)))


def test_equal_values_show_nothing() -> None:
    assert 1.0 == mann_kendall([3.0] * 20)
    assert Trend(slope=0.0, p=1.0) == trend([(float(at), 3.0) for at in range(20)])


def test_wild_points_do_not_move_the_slope() -> None:
    # ln P99 that rises by 17.9 % a day, tenfold in 14 d (A14), with three wild hours.
    points = [(at / 24, math.log(0.8) + math.log(1.179) * at / 24) for at in range(168)]
    wild = [(at, 9.0 if number in {5, 70, 160} else value) for number, (at, value) in enumerate(points)]
    found = trend(wild)

    assert found is not None
    assert found.slope == pytest.approx(math.log(1.179), rel=0.001)
    assert found.p < 1e-6


@given(values=st.lists(st.integers(-50, 50), min_size=POINTS_MIN, max_size=30), gap=st.integers(1, 9))
@settings(max_examples=50, deadline=None)
def test_mirrored_series_have_mirrored_trends(values: list[int], gap: int) -> None:
    points = [(float(gap * at), float(value)) for at, value in enumerate(values)]
    found, mirrored = trend(points), trend([(at, -value) for at, value in points])

    assert found is not None
    assert mirrored is not None
    assert (found.p, found.slope) == (mirrored.p, -mirrored.slope)
    assert 0 <= found.p <= 1
    slopes = [(after[1] - before[1]) / (after[0] - before[0]) for before, after in pairwise(points)]
    assert min(slopes) <= found.slope <= max(slopes)


def test_two_points_have_a_slope_and_no_trend() -> None:
    assert 2.0 == theil_sen([(0.0, 1.0), (3.0, 7.0)])
    assert statistics.median([1.0, 2.0, 3.0]) == theil_sen([(0.0, 0.0), (1.0, 1.0), (2.0, 4.0)])
    assert trend([(float(at), 1.0) for at in range(POINTS_MIN - 1)]) is None
    assert trend([(float(at), 1.0) for at in range(POINTS_MIN)]) is not None


def test_too_many_points_and_places_that_do_not_ascend_are_refused() -> None:
    with pytest.raises(ValueError, match=f"allowed are {POINTS_MAX}"):
        trend([(float(at), 1.0) for at in range(POINTS_MAX + 1)])
    with pytest.raises(ValueError, match="must ascend"):
        trend([(1.0, 1.0), (1.0, 2.0)])
