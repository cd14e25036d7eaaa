"""Requests in flight that are too old already: only buckets wholly above the limit."""

from hypothesis import given, settings
from hypothesis import strategies as st

from slo.overdue import overdue
from telemetry.histogram import ZERO_KEY, build, index, upper_us


def test_a5_a_hundred_hung_requests_are_overdue() -> None:
    assert 100 == overdue(build([180_000_000] * 100), 2_000_000)


def test_a_bucket_that_the_limit_cuts_is_not_counted() -> None:
    age_us = 2_000_000
    within = index(age_us)

    assert 0 == overdue({within: 5}, age_us)
    assert 0 == overdue({within: 5}, upper_us(within - 1) + 1)
    assert 5 == overdue({within: 5}, upper_us(within - 1))


def test_nothing_in_flight_and_nothing_that_waited() -> None:
    assert 0 == overdue({}, 0)
    assert 0 == overdue({ZERO_KEY: 3}, 1)


@settings(max_examples=50, deadline=None)
@given(ages_us=st.lists(st.integers(0, 10**9), max_size=50), limit_us=st.integers(1, 10**9))
def test_never_one_too_many_and_none_missed_beyond_the_error(ages_us: list[int], limit_us: int) -> None:
    found = overdue(build(ages_us), limit_us)

    assert sum(age > 1.0443 * limit_us + 1 for age in ages_us) <= found <= sum(age > limit_us for age in ages_us)
