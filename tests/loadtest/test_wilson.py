"""Wilson's interval against the published values of spec/loadtest.md 6 and 7, and Newcombe's of 1998."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.wilson import Z_95, difference, wilson


@pytest.mark.parametrize(
    ("good", "n", "low", "high"),
    [
        (990, 1000, 0.9817, 0.9946),
        (99, 100, 0.9455, 0.9982),
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (81, 263, 0.2553, 0.3662),  # Newcombe 1998, two-sided intervals for the single proportion
    ],
)
def test_published_values(good: int, n: int, low: float, high: float) -> None:
    assert [low, high] == [pytest.approx(end, abs=5e-5) for end in wilson(good, n)]


@pytest.mark.parametrize(("share", "least"), [(0.99, 381), (0.95, 73), (0.90, 35)])
def test_the_least_n_without_a_miss(share: float, least: int) -> None:
    assert wilson(least, least)[0] >= share > wilson(least - 1, least - 1)[0]


@given(st.integers(1, 10**6), st.data())
def test_the_share_is_inside_and_the_ends_are_shares(n: int, data: st.DataObject) -> None:
    good = data.draw(st.integers(0, n))
    low, high = wilson(good, n)

    assert 0 <= low <= good / n <= high <= 1


def test_newcombes_differences() -> None:
    # Newcombe 1998, table II, method 10: 56/70 - 48/80 and 9/10 - 3/10.
    assert [0.0524, 0.3339] == [pytest.approx(end, abs=5e-5) for end in difference((56, 70), (48, 80))]
    assert [0.1705, 0.8090] == [pytest.approx(end, abs=5e-5) for end in difference((9, 10), (3, 10))]
    assert pytest.approx(1.959964, abs=1e-6) == Z_95
