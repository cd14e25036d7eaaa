"""Headroom that is learnt (spec/scaling.md 6.5)."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo.scaling.headroom import BOUNDS, START, learnt, miss_ratio


def test_the_example_of_the_specification() -> None:
    assert ("1.2461", "1.3100") == tuple(f"{learnt(START, missed, 0.63):.4f}" for missed in (False, True))


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        pytest.param(1.0, 0.10, id="all is left"),
        pytest.param(0.63, 0.063, id="as the example"),
        pytest.param(0.05, 0.01, id="hardly any"),
        pytest.param(-2.0, 0.01, id="overspent"),
        pytest.param(None, 0.01, id="unknown is as if hardly any were left"),
    ],
)
def test_less_budget_allows_fewer_misses(budget: float | None, expected: float) -> None:
    assert expected == pytest.approx(miss_ratio(budget))


def test_misses_come_as_often_as_is_allowed() -> None:
    # Actual over forecast is lognormal with sigma 0.2: its P90 is exp(1.2816 * 0.2) = 1.292. Seed 1; the bound over
    # n minutes, ln 2 / (0.05 n), holds whatever is drawn as long as h stays off its bounds.
    n, h, misses, drawn = 2_000, START, 0, random.Random(1)  # noqa: S311 - a seeded draw, no secret
    for _ in range(n):
        missed = drawn.lognormvariate(0.0, 0.2) > h
        misses, h = misses + missed, learnt(h, missed, 1.0)

    assert misses / n == pytest.approx(0.10, abs=0.6931 / (0.05 * n))


@given(st.lists(st.tuples(st.booleans(), st.none() | st.floats(-5, 5)), max_size=200))
def test_it_stays_within_its_bounds(minutes: list[tuple[bool, float | None]]) -> None:
    h = START
    for missed, budget in minutes:
        h = learnt(h, missed, budget)

        assert BOUNDS[0] <= h <= BOUNDS[1]
