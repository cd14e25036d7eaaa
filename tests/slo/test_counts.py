"""Counts that are added as integers, and those that cannot be."""

import math
from fractions import Fraction
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slo.counts import Counts, allowed_ratio, exact, total, with_overdue
from slo.errors import CountsError

NAN = cast("int", math.nan)
INFINITY = cast("int", math.inf)


@pytest.mark.parametrize(
    ("eligible", "bad", "censored", "excluded"),
    [
        pytest.param(10, -1, 0, 0, id="negative bad"),
        pytest.param(10, 11, 0, 0, id="more bad than eligible"),
        pytest.param(-1, -1, 0, 0, id="negative eligible"),
        pytest.param(10, NAN, 0, 0, id="bad is not a number"),
        pytest.param(NAN, 1, 0, 0, id="eligible is not a number"),
        pytest.param(INFINITY, 1, 0, 0, id="eligible is infinite"),
        pytest.param(10, 2, 3, 0, id="more censored than bad"),
        pytest.param(10, 2, -1, 0, id="negative censored"),
        pytest.param(10, 2, 0, -1, id="negative excluded"),
        pytest.param(10, 2, 0, NAN, id="excluded is not a number"),
        pytest.param(10, 2, 0, INFINITY, id="excluded is infinite"),
    ],
)
def test_what_cannot_be_counted_is_refused(eligible: int, bad: int, censored: int, excluded: int) -> None:
    with pytest.raises(CountsError, match="cannot be"):
        Counts(eligible=eligible, bad=bad, censored_bad=censored, excluded=excluded)


def test_a3_ratios_are_formed_from_sums() -> None:
    both = Counts(eligible=1_000, bad=500) + Counts(eligible=10, bad=0)

    # spec/slo.md 4: 1,000 requests at 50 % and 10 at 100 % give 0.50495; the mean of the two ratios is 0.75.
    assert 0.50495 == round(both.good / both.eligible, 5)
    assert Fraction(500, 1010) == both.bad_ratio


def test_nothing_counted_has_no_ratio() -> None:
    assert Counts().bad_ratio is None
    assert Counts() == total([])


def whole(censored: int, bad: int, good: int, excluded: int) -> Counts:
    return Counts(eligible=censored + bad + good, bad=censored + bad, censored_bad=censored, excluded=excluded)


COUNTS = st.builds(whole, *[st.integers(0, 10**9)] * 4)


@settings(deadline=None)
@given(parts=st.lists(COUNTS, max_size=5), cut=st.integers(0, 5))
def test_the_sum_does_not_depend_on_how_it_is_parted(parts: list[Counts], cut: int) -> None:
    assert total(parts) == total(parts[:cut]) + total(parts[cut:])


def test_a5_hung_requests_are_bad_now() -> None:
    stored = Counts(eligible=0, bad=0)

    assert Counts(eligible=100, bad=100) == with_overdue(stored, 100)
    assert Counts() == stored


def test_numbers_are_the_decimals_that_were_written() -> None:
    assert 1 - 0.999 != 0.001

    assert Fraction(999, 1000) == exact(0.999)
    assert Fraction(1, 1000) == allowed_ratio(0.999)
