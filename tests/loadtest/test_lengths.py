"""Laws of lengths: one uniform number each, and the quantiles that they promise."""

from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.lengths import length_of, lognormal, pair_of, picked, zipf
from loadtest.plan_spec import TOKENS_MAX, Fixed, Histogram, Length, Lognormal, Pairs, Uniform

GRID = [k / 10_000 for k in range(10_000)]
ALMOST_1 = 1 - 2.0**-53


@pytest.mark.parametrize(
    ("law", "u", "tokens"),
    [
        pytest.param(Fixed(tokens=7), 0.9, 7, id="always the same"),
        pytest.param(Uniform(low=2, high=4), 0.0, 2, id="the least"),
        pytest.param(Uniform(low=2, high=4), ALMOST_1, 4, id="the greatest"),
        pytest.param(Lognormal(median=800, sigma=0.9), 0.5, 800, id="the median"),
        pytest.param(Lognormal(median=800, sigma=0.9), 0.8413447, 1968, id="one sigma above: times e^0.9"),
        pytest.param(Lognormal(median=800, sigma=5, low=10, high=900), 0.0, 10, id="held from below"),
        pytest.param(Lognormal(median=800, sigma=5, low=10, high=900), ALMOST_1, 900, id="held from above"),
        pytest.param(Histogram(tokens=(5, 6, 7), weights=(1, 0, 3)), 0.2499, 5, id="the first quarter"),
        pytest.param(Histogram(tokens=(5, 6, 7), weights=(1, 0, 3)), 0.25, 7, id="the rest; weight 0 never comes"),
        pytest.param(Histogram(tokens=(5, 6, 7), weights=(1, 3, 0)), ALMOST_1, 6, id="nor at the end"),
    ],
)
def test_tokens_for_a_uniform_number(law: Length, u: float, tokens: int) -> None:
    assert tokens == length_of(law)(u)


def test_each_number_of_a_uniform_law_is_alike() -> None:
    drawn = [length_of(Uniform(low=1, high=4))(u) for u in GRID]

    assert [2500] * 4 == [drawn.count(k) for k in (1, 2, 3, 4)]


def test_pairs_stay_together() -> None:
    pair = pair_of(Pairs(pairs=((1000, 10), (10, 1000))))

    assert [(1000, 10), (10, 1000), (10, 1000)] == [pair(0.49), pair(0.5), pair(ALMOST_1)]


def test_a_lognormal_without_spread_is_constant() -> None:
    assert 1.0 == lognormal(0, 0.99)
    assert abs(fmean(lognormal(0.5, u or 1e-4) for u in GRID) - 1.1331) < 0.005  # exp(0.125)


def test_zipf() -> None:
    assert [1.0, 0.5, 1 / 3] == pytest.approx(list(zipf(3, 1)))
    assert (1.0, 1.0) == zipf(2, 0)


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=9).filter(any), st.floats(0, ALMOST_1))
def test_a_weight_of_0_is_never_picked(weights: list[float], u: float) -> None:
    assert weights[picked(tuple(weights))(u)] > 0


@given(st.integers(1, 10**5), st.floats(0.01, 8), st.floats(0, ALMOST_1))
def test_lengths_are_never_outside_what_a_plan_holds(median: int, sigma: float, u: float) -> None:
    assert 1 <= length_of(Lognormal(median=median, sigma=sigma))(u) <= TOKENS_MAX
