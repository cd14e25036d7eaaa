"""Vectors of spec/store.md 15.1 and 15.2, and the laws of merging and bounds."""

import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.histogram import (
    FAILS,
    US_MAX,
    ZERO_KEY,
    Interval,
    build,
    fraction_below,
    index,
    merge,
    quantile,
    upper_us,
)
from telemetry.percentile import P99, nearest_rank, percentile

DURATIONS_US = st.integers(0, US_MAX)
H = {-17: 10, -16: 10}


@pytest.mark.parametrize(
    ("us", "expected"),
    [
        (0, ZERO_KEY),
        (1, -319),
        (250_000, -33),
        (250_001, -32),
        (500_000, -17),
        (500_001, -16),
        (800_000, -6),
        (1_000_000, -1),
        (1_000_001, 0),
        (2_000_000, 15),
        (4_000_000, 31),
        (4_294_967_295, 193),
        (US_MAX + 1, 193),
    ],
)
def test_index_of_a_duration(us: int, expected: int) -> None:
    assert expected == index(us)
    assert {expected: 1} == build([us])


@given(st.integers(1, US_MAX))
def test_a_bucket_holds_what_its_exact_bounds_say(us: int) -> None:
    i = index(us)
    sixteenth = Fraction(us, 10**6) ** 16  # v in (2^(i/16), 2^((i+1)/16)]  <=>  v^16 in (2^i, 2^(i+1)]

    assert Fraction(2) ** i < sixteenth <= Fraction(2) ** (i + 1)


def test_every_boundary_is_exact() -> None:
    ends = [(i, upper_us(i)) for i in range(-319, 193)]

    assert all(index(last) <= i < index(last + 1) for i, last in ends)


def test_upper_ends() -> None:
    assert 0 == upper_us(ZERO_KEY)
    assert 500_000 == upper_us(-17)
    assert US_MAX == upper_us(193)


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        (0.5, (0.5, 0.478802, 0.5)),
        (0.95, (0.51988, 0.5, 0.522137)),
        (0.99, (0.521685, 0.5, 0.522137)),
    ],
)
def test_quantile(q: float, expected: tuple[float, float, float]) -> None:
    assert expected == pytest.approx(quantile(H, q), abs=1e-6)


def test_quantile_in_the_zero_bucket_and_of_nothing() -> None:
    assert (0.0, 0.0, 0.0) == quantile({ZERO_KEY: 9, 0: 1}, 0.9)
    assert quantile({}, 0.5) is None
    assert quantile({3: 0}, 0.5) is None


def test_a_rank_that_falls_on_a_failure_fails() -> None:
    # spec/store.md 15.2: with bad = 2 the p99 of everyone fails, and the median moves up by one.
    assert quantile(H, 0.99, failures=2) is FAILS
    assert (0.5021708, 0.5, 0.522137) == pytest.approx(quantile(H, 0.5, failures=2), abs=1e-6)
    assert quantile({}, 0.5, failures=1) is FAILS
    assert quantile({}, 0.5, failures=0) is None


def test_a_rank_is_counted_in_integers() -> None:
    # 0.55 * 100 is 55.00000000000001 in floats; the 55th of 100 values is the last one of the first bucket.
    found = quantile({0: 55, 1: 45}, 0.55)

    assert found is not None
    assert (1.0, found.high) == (found.low, found.estimate)


def test_the_error_of_an_estimate() -> None:
    assert 0.044274 == pytest.approx(Interval(0.5, 0.4999, 0.522137).error_ratio_max, abs=1e-6)
    assert 0.2 == pytest.approx(Interval(1.0, 0.8, 1.1).error_ratio_max)
    assert 0.0 == Interval(0.0, 0.0, 0.0).error_ratio_max == FAILS.error_ratio_max


@given(st.lists(st.integers(1, US_MAX)), st.integers(0, 30))
def test_of_everyone_the_quantile_is_where_the_exact_one_is(values_us: list[int], failures: int) -> None:
    found = quantile(build(values_us), 0.99, failures=failures)
    exact = percentile(sorted(values_us), P99, failures=failures)

    assert (found is FAILS) == (exact.standing == "fails")
    if exact.value is not None:
        assert found is not None
        assert found.low < exact.value / 1e6 <= found.high
        assert found.estimate / (exact.value / 1e6) - 1 <= found.error_ratio_max


def test_fraction_below() -> None:
    assert (0.728553, 0.5, 1.0) == pytest.approx(fraction_below(H, 0.51), abs=1e-6)
    found = fraction_below(H, 0.5)
    assert found is not None
    assert 0.5 == found.estimate
    assert (0.0, 0.0, 0.0) == fraction_below(H, 0.1)
    assert (1.0, 1.0, 1.0) == fraction_below(H, 2.0)
    assert fraction_below({}, 0.5) is None
    assert (0.25, 0.25, 0.25) == fraction_below(H, 0.5, failures=20)


def test_fraction_at_zero_and_below_it() -> None:
    h = {ZERO_KEY: 1, 0: 3}

    assert (0.25, 0.25, 0.25) == fraction_below(h, 0)
    assert (0.0, 0.0, 0.0) == fraction_below(h, -1)


@given(st.lists(DURATIONS_US), st.lists(DURATIONS_US))
def test_merge_of_parts_is_the_histogram_of_all(a: list[int], b: list[int]) -> None:
    assert build(a + b) == merge(build(a), build(b))
    assert {} == merge()


@given(st.lists(DURATIONS_US, min_size=1), st.floats(0.001, 5000))
def test_a_fraction_lies_between_its_bounds_and_holds_the_truth(values_us: list[int], s: float) -> None:
    found = fraction_below(build(values_us), s)
    assert found is not None
    truth = sum(Fraction(us, 10**6) <= Fraction(s) for us in values_us) / len(values_us)

    assert 0 <= found.low <= found.estimate + 1e-12
    assert found.estimate <= found.high + 1e-12 <= 1 + 1e-11
    assert found.low <= truth <= found.high


@given(st.lists(st.integers(1, US_MAX), min_size=1))
def test_the_nearest_rank_quantile_lies_in_the_bucket(values_us: list[int]) -> None:
    found = quantile(build(values_us), 0.99)
    truth_us = nearest_rank(sorted(values_us), P99)
    assert found is not None
    assert truth_us is not None

    assert index(truth_us) == round(math.log2(found.high) * 16) - 1
    assert found.high / found.low == pytest.approx(2 ** (1 / 16))
