"""What the budget methods answer at their edges; worked cases stand in test_budget_golden.py."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slo.buckets import Slice
from slo.budget import (
    BlindPolicy,
    EmptySlice,
    composite,
    exhaustion,
    occurrences,
    projected_remaining,
    ratio_timeslices,
    timeslices,
)


def part(eligible: int, bad: int, weight: Fraction = Fraction(1), *, blind: bool = False) -> Slice:
    return Slice(weight=weight, eligible=Fraction(eligible), bad=Fraction(bad), blind=blind)


def test_nothing_judged_is_unknown_and_never_whole() -> None:
    found = [
        occurrences(0, 0, 0.99),
        timeslices([part(0, 0)], 0.99, 0.9, EmptySlice.SKIP),
        ratio_timeslices([part(0, 0)], 0.99),
        composite([(None, 1.0)], 0.99),
        composite([], 0.99),
    ]

    assert [(None, None)] * 5 == [(budget.sli, budget.remaining) for budget in found]


def test_a_remainder_is_exact_where_floats_err() -> None:
    assert 1 - 1 / ((1 - 0.999) * 1000) != 0

    assert 0.0 == occurrences(1_000, 1, 0.999).remaining


@settings(deadline=None)
@given(good=st.integers(0, 10**9), bad=st.integers(0, 10**9), target=st.floats(0, 0.9999))
def test_shares_stay_within_their_bounds(good: int, bad: int, target: float) -> None:
    found = occurrences(good + bad, bad, target)

    if found.sli is not None and found.remaining is not None:
        assert 0 <= found.sli <= 1
        assert found.remaining <= 1
        assert (found.remaining >= 0) == (bad * 10**9 <= (1 - Fraction(repr(target))) * (good + bad) * 10**9)


def test_projection_uses_what_is_expected_of_the_whole_period() -> None:
    # 500 bad of 100,000 so far would be half the budget of 99 %; a million expected make it a twentieth.
    assert occurrences(100_000, 500, 0.99).remaining == 0.5
    assert projected_remaining(500, 0.99, 1_000_000) == 0.95
    assert projected_remaining(0, 0.99, 0.0) is None


EMPTY = [(EmptySlice.GOOD, 2.0, 1.0, 0), (EmptySlice.BAD, 2.0, 0.5, 0), (EmptySlice.SKIP, 1.0, 1.0, 1)]


@pytest.mark.parametrize(("policy", "judged", "sli", "empty"), EMPTY)
def test_an_empty_slice_is_what_the_objective_says(policy: EmptySlice, judged: float, sli: float, empty: int) -> None:
    found = timeslices([part(10, 0), part(0, 0)], 0.9, 0.5, policy)

    assert (judged, sli, empty, 0) == (found.judged, found.sli, found.empty, found.blind)


def test_a_slice_that_meets_its_target_exactly_is_good() -> None:
    assert 1.0 == timeslices([part(10, 3)], 0.9, 0.7).sli
    assert 0.0 == timeslices([part(1000, 301)], 0.9, 0.7).sli


BLIND = [
    pytest.param(part(10, 0, blind=True), BlindPolicy.EXCLUDE, (1.0, 0.0, 1), id="good so far: skipped, counted"),
    pytest.param(part(10, 0, blind=True), BlindPolicy.COUNT_BAD, (2.0, 1.0, 1), id="good so far, counted as bad"),
    pytest.param(part(0, 0, blind=True), BlindPolicy.EXCLUDE, (1.0, 0.0, 1), id="nothing seen is not empty"),
    pytest.param(part(10, 9, blind=True), BlindPolicy.EXCLUDE, (2.0, 1.0, 0), id="what was seen is bad"),
]


@pytest.mark.parametrize(("second", "policy", "answer"), BLIND)
def test_missing_data_never_counts_as_good(
    second: Slice, policy: BlindPolicy, answer: tuple[float, float, int]
) -> None:
    found = timeslices([part(10, 0), second], 0.9, 0.5, blind=policy)

    assert answer == (found.judged, found.bad, found.blind)


def test_a_slice_weighs_what_is_left_of_it_and_nothing_if_all_is_taken_out() -> None:
    found = timeslices([part(10, 0), part(5, 5, Fraction(1, 2)), part(0, 0, Fraction(0))], 0.9, 0.5)

    assert (1.5, 0.5) == (found.judged, found.bad)
    assert found.sli == pytest.approx(2 / 3)


def test_ratio_timeslices_weigh_slices_alike_and_show_the_requests_beside() -> None:
    found = ratio_timeslices([part(1_000, 500), part(10, 0), part(0, 0), part(5, 5, blind=True)], 0.9)

    assert (0.75, 2.0, 1, 1) == (found.sli, found.judged, found.empty, found.blind)
    assert found.sli_by_requests == pytest.approx(0.50495, abs=1e-5)
    assert found.remaining == pytest.approx(-1.5)


def test_a_composite_leaves_out_parts_of_which_nothing_is_known() -> None:
    assert composite([(0.9, 3.0), (None, 100.0), (0.5, 1.0)], 0.9).sli == pytest.approx(0.8)


def test_exhaustion_in_minutes_and_in_requests() -> None:
    # 30 d, 99 %: 400 of 1,000 allowed are spent; at burn 6 the rest lasts 0.6 * 43,200 / 6 = 4,320 min, and 600 bad
    # ones at 6 % bad come within 10,000 requests.
    found = exhaustion(occurrences(100_000, 400, 0.99), 0.99, 30 * 86_400, 6.0)

    assert found is not None
    assert (found.minutes, found.bad_left, found.requests_left) == pytest.approx((4_320, 600, 10_000))


def test_exhaustion_of_what_is_spent_and_of_what_does_not_burn() -> None:
    spent = exhaustion(occurrences(100, 50, 0.99), 0.99, 86_400, 2.0)

    assert spent is not None
    assert (0, 0, 0) == (spent.minutes, spent.bad_left, spent.requests_left)
    assert exhaustion(occurrences(100, 0, 0.99), 0.99, 86_400, 0.0) is None
    assert exhaustion(occurrences(0, 0, 0.99), 0.99, 86_400, 1.0) is None
    assert exhaustion(composite([(0.9, 1)], 0.99), 0.99, 86_400, 1.0) is None
