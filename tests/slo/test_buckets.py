"""Windows and slices made of buckets, and spans that are taken out of them."""

from fractions import Fraction

import pytest

from slo.buckets import Adjustment, Bucket, adjusted, between, in_window, slices
from slo.counts import Counts

FIVE = [Bucket(start_s=30 * at, counts=Counts(eligible=10 + at, bad=at)) for at in range(5)]


def test_a_window_holds_the_buckets_that_ended_by_its_instant() -> None:
    assert Counts(eligible=12 + 13, bad=2 + 3) == in_window(FIVE, at_s=120, window_s=60)
    assert Counts() == in_window(FIVE, at_s=0, window_s=60)


def test_buckets_between_two_times_hold_the_first_and_not_the_last() -> None:
    assert [30, 60] == [one.start_s for one in between(FIVE, 30, 90)]
    assert FIVE == between(FIVE, -30, 150)
    assert [] == [*between(FIVE, 150, 300), *between((), 0, 300)]


ADJUSTMENTS = [
    pytest.param([(30, 60, 100)], (Fraction(49), Fraction(9)), id="a bucket is taken out"),
    pytest.param([(30, 60, 50)], (Fraction(109, 2), Fraction(19, 2)), id="half of it is"),
    pytest.param(
        [(30, 60, 50), (30, 60, 50)], (Fraction(109, 2), Fraction(19, 2)), id="the same one twice counts once"
    ),
    pytest.param([(0, 60, 50), (30, 60, 100)], (Fraction(44), Fraction(9)), id="of overlapping ones the largest holds"),
    pytest.param([(59, 61, 100)], (Fraction(37), Fraction(7)), id="a bucket that is only touched is taken out"),
    pytest.param([(150, 900, 100)], (Fraction(60), Fraction(10)), id="a span after the buckets"),
    pytest.param([(0, 150, 100)], (Fraction(0), Fraction(0)), id="everything"),
]


@pytest.mark.parametrize(("spans", "left"), ADJUSTMENTS)
def test_spans_leave_numerator_and_denominator(
    spans: list[tuple[int, int, int]], left: tuple[Fraction, Fraction]
) -> None:
    found = adjusted(FIVE, [Adjustment(start_s=a, end_s=b, excluded_percent=p) for a, b, p in spans])

    assert left == found


def test_slices_are_whole_and_start_at_the_period() -> None:
    found = list(slices(FIVE, since_s=0, until_s=150, slice_s=60))

    assert [(21, 1), (25, 5)] == [(one.eligible, one.bad) for one in found]
    assert {1} == {one.weight for one in found}


def test_a_slice_without_buckets_is_empty() -> None:
    (found,) = slices([], since_s=600, until_s=660, slice_s=60)

    assert (1, 0, 0, False) == (found.weight, found.eligible, found.bad, found.blind)


def test_one_blind_bucket_makes_a_slice_blind() -> None:
    blind = Bucket(start_s=30, counts=Counts(), blind=True)

    assert [True, False] == [one.blind for one in slices([FIVE[0], blind], since_s=0, until_s=120, slice_s=60)]


def test_a_slice_weighs_what_is_left_of_it() -> None:
    gone = Adjustment(start_s=30, end_s=60)
    (half, whole) = slices(FIVE, since_s=0, until_s=120, slice_s=60, adjustments=[gone])

    assert (Fraction(1, 2), 10, 0) == (half.weight, half.eligible, half.bad)
    assert (Fraction(1), 25, 5) == (whole.weight, whole.eligible, whole.bad)
