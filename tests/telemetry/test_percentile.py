"""Nearest rank, display floors and the word "fails"; cases from spec/measurement.md 11 and 17.13."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.percentile import P50, P75, P90, P95, P99, P999, Standing, n_min, nearest_rank, percentile, rank

HUNDRED = list(range(1, 101))


def test_case_13_p99_of_1_to_100_is_99() -> None:
    found = percentile(HUNDRED, P99)

    assert (Standing.KNOWN, 99, 100, 100) == (found.standing, found.value, found.n, found.maximum)


def test_case_13_one_failure_in_20_leaves_p95_finite_and_p99_fails() -> None:
    finite = list(range(1, 20))
    p95, p99 = percentile(finite, P95, failures=1), percentile(finite, P99, failures=1)

    assert (Standing.KNOWN, 19) == (p95.standing, p95.value)
    assert (Standing.FAILS, None, 20, 19) == (p99.standing, p99.value, p99.n, p99.maximum)


def test_case_13_99_are_too_few_for_p99() -> None:
    found = percentile(HUNDRED[:99], P99)

    assert (Standing.TOO_FEW, None, 99, 99) == (found.standing, found.value, found.n, found.maximum)
    assert "n too small" == found.standing


@pytest.mark.parametrize(("p_ppm", "least"), [(P50, 2), (P75, 4), (P90, 10), (P95, 20), (P99, 100), (P999, 1000)])
def test_display_floor_and_one_below_it(p_ppm: int, least: int) -> None:
    assert least == n_min(p_ppm)
    assert Standing.KNOWN is percentile(range(least), p_ppm).standing
    assert Standing.TOO_FEW is percentile(range(least - 1), p_ppm).standing


def test_ranks_are_integers_where_floats_err() -> None:
    assert 8 == math.ceil(0.07 * 100)
    assert 7 == rank(70_000, 100)
    assert 1 == rank(1, 3)


def test_nothing_observed() -> None:
    found = percentile([], P50)

    assert (Standing.TOO_FEW, None, 0, None) == (found.standing, found.value, found.n, found.maximum)
    assert nearest_rank([], P50) is None


def test_failures_alone_fail() -> None:
    found = percentile([], P50, failures=3)

    assert (Standing.FAILS, None, 3) == (found.standing, found.value, found.n)


@given(st.lists(st.integers(0, 10**6), min_size=1), st.integers(1, 999_999))
def test_the_share_at_or_below_the_percentile_reaches_p(values: list[int], p_ppm: int) -> None:
    ordered = sorted(values)
    found = nearest_rank(ordered, p_ppm)
    at_or_below = sum(value <= found for value in ordered if found is not None)
    below = sum(value < found for value in ordered if found is not None)

    assert at_or_below * 1_000_000 >= p_ppm * len(ordered) > below * 1_000_000 or 1 == rank(p_ppm, len(ordered))
