"""What an hour of the week brings: medians over four weeks, a flat mean below one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slo.demand import HOUR_S, HOURS_PER_WEEK, WEEKS, expected, profile

MONDAY_S = 1_767_571_200  # 2026-01-05 00:00 UTC, a Monday (date -u -d @1767571200)
WEEK_S = HOURS_PER_WEEK * HOUR_S


def weeks(*per_hour: int) -> dict[int, int]:
    """Hours of the weeks before MONDAY_S, oldest week first, each with one value for all its hours."""
    start_s = MONDAY_S - len(per_hour) * WEEK_S
    return {start_s + at * HOUR_S: per_hour[at // HOURS_PER_WEEK] for at in range(len(per_hour) * HOURS_PER_WEEK)}


def test_the_median_of_four_weeks_shrugs_off_one_odd_week() -> None:
    found = profile(weeks(10, 20, 20, 9_000), MONDAY_S)

    assert found is not None
    assert not found.flat
    assert {20.0} == set(found.per_hour)


def test_the_first_value_is_monday_midnight() -> None:
    hours = weeks(5)
    hours[MONDAY_S - WEEK_S] = 77
    found = profile(hours, MONDAY_S)

    assert found is not None
    assert (77.0, 5.0) == found.per_hour[:2]
    assert 77 + 5 == expected(found, MONDAY_S, MONDAY_S + 2 * HOUR_S)


def test_weeks_older_than_four_are_left_out() -> None:
    assert WEEKS == 4
    assert profile(weeks(999, 1, 1, 1, 1), MONDAY_S) == profile(weeks(1, 1, 1, 1), MONDAY_S)
    assert profile({MONDAY_S - 4 * WEEK_S: 5}, MONDAY_S) is not None
    assert profile({MONDAY_S - 4 * WEEK_S - HOUR_S: 5}, MONDAY_S) is None


def test_less_than_a_week_is_a_flat_mean_and_says_so() -> None:
    hours = dict(list(weeks(0).items())[:-1])
    hours[MONDAY_S - WEEK_S] = 167
    found = profile(hours, MONDAY_S)

    assert found is not None
    assert found.flat
    assert {1.0} == set(found.per_hour)


def test_an_hour_that_was_never_seen_has_the_mean() -> None:
    hours = weeks(4)
    del hours[MONDAY_S - WEEK_S + 3 * HOUR_S]
    found = profile(hours, MONDAY_S)

    assert found is not None
    assert 4.0 == found.per_hour[3]


def test_no_history_no_profile() -> None:
    assert profile({}, MONDAY_S) is None
    assert profile({MONDAY_S: 5}, MONDAY_S) is None


@settings(deadline=None)
@given(since=st.integers(0, 3 * WEEK_S), first=st.integers(0, 3 * WEEK_S), second=st.integers(0, 3 * WEEK_S))
def test_spans_add_up(since: int, first: int, second: int) -> None:
    hours = {start_s: (start_s // HOUR_S) % 13 for start_s in weeks(1, 1)}
    found = profile(hours, MONDAY_S)

    assert found is not None
    whole = expected(found, since, since + first + second)
    assert whole == pytest.approx(
        expected(found, since, since + first) + expected(found, since + first, since + first + second)
    )


def test_a_week_is_the_sum_of_its_hours_and_an_empty_span_brings_nothing() -> None:
    found = profile(weeks(6), MONDAY_S)

    assert found is not None
    assert 6 * HOURS_PER_WEEK == expected(found, MONDAY_S + 1_234, MONDAY_S + 1_234 + WEEK_S)
    assert 3.0 == expected(found, MONDAY_S, MONDAY_S + HOUR_S // 2)
    assert 0.0 == expected(found, MONDAY_S, MONDAY_S - 5)
