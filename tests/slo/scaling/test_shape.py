"""The shape of a day, from days past."""

import pytest

from slo.scaling.shape import SLOT_S, shape

DAY_S = 86_400
MONDAY_S = 1_767_571_200  # 2026-01-05T00:00Z, a Monday
NIGHT, NOON = 3 * 3_600, 12 * 3_600


def history(days: int, weekend: float = 10.0) -> dict[int, float]:
    """Return nights of 2 and noons of 10, the latter of weekends otherwise."""
    found: dict[int, float] = {}
    for day in range(days):
        start_s = MONDAY_S + day * DAY_S
        found[start_s + NIGHT] = 2.0
        found[start_s + NOON] = weekend if day % 7 >= 5 else 10.0
    return found


def test_below_three_days_there_is_no_shape() -> None:
    assert shape({}, MONDAY_S) is None
    assert shape(history(4), MONDAY_S + NIGHT + 3 * DAY_S - 1) is None
    assert shape(history(4), MONDAY_S + NIGHT + 3 * DAY_S) is not None


def test_growth_is_from_one_time_of_day_to_another() -> None:
    found = shape(history(5), MONDAY_S + 5 * DAY_S)

    assert found is not None
    assert not found.weekly
    assert 5.0 == found.growth(MONDAY_S + 5 * DAY_S + NIGHT, 9 * 3_600)
    assert found.growth(MONDAY_S + NIGHT, SLOT_S) is None, "never seen"
    assert found.growth(MONDAY_S + NIGHT + SLOT_S, 3_600) is None, "never seen"


def test_one_wild_day_does_not_change_the_median() -> None:
    days = history(5)
    days[MONDAY_S + NOON] = 1_000.0
    found = shape(days, MONDAY_S + 5 * DAY_S)

    assert found is not None
    assert 5.0 == found.growth(MONDAY_S + NIGHT, 9 * 3_600)


@pytest.mark.parametrize(("days", "weekly", "growth"), [(13, False, 5.0), (15, True, 0.5)])
def test_two_weeks_tell_weekends_from_weekdays(days: int, weekly: bool, growth: float) -> None:
    found = shape(history(days, weekend=1.0), MONDAY_S + days * DAY_S)

    assert found is not None
    assert (weekly, growth) == (found.weekly, found.growth(MONDAY_S + 5 * DAY_S + NIGHT, 9 * 3_600))


def test_from_nothing_there_is_no_growth() -> None:
    days = {MONDAY_S + day * DAY_S + hour: rate for day in range(4) for hour, rate in ((NIGHT, 0.0), (NOON, 9.0))}
    found = shape(days, MONDAY_S + 4 * DAY_S)

    assert found is not None
    assert found.growth(MONDAY_S + NIGHT, 9 * 3_600) is None
    assert 0.0 == found.growth(MONDAY_S + NOON, 15 * 3_600)


def test_the_future_is_left_out() -> None:
    assert shape(history(5), MONDAY_S) is None
