"""Schedules that are learnt, as proposals (spec/scaling.md 6.5)."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import yaml

from slo.scaling.proposal import DAYS_MIN, HELD_MIN, PROPOSALS_MAX, days_seen, proposals
from slo.scaling.schedule import schedule
from slo.scaling.shape import SLOT_S

DAY_S = 86_400
MONDAY_S = 1_783_900_800 - 1_783_900_800 % DAY_S
"""2026-07-13, a Monday, in UTC."""


def past(rate: Callable[[int, int], float], days: int = DAYS_MIN, first_s: int = MONDAY_S) -> dict[int, float]:
    """Return the slots of some days; `rate` is asked for the number of the day, and the minute of the day."""
    found = {
        first_s + day * DAY_S + second: rate(day, second // 60)
        for day in range(days)
        for second in range(0, DAY_S, SLOT_S)
    }
    return {at_s: value for at_s, value in found.items() if value}


def busy(day: int, minute: int, low: float = 10.0, high: float = 14.0) -> float:
    """Return two fifths more from 13:40 to 16:00 on working days."""
    return high if day % 7 < 5 and 820 <= minute < 960 else low


def test_the_fixture_begins_on_a_monday() -> None:
    assert 0 == datetime.fromtimestamp(MONDAY_S, UTC).weekday()


def test_a_peak_of_working_days_is_proposed_as_a_schedule_to_copy() -> None:
    (one,) = proposals(past(busy))
    (written,) = yaml.safe_load(one.yaml)

    assert "weekdays 13:40-16:00 UTC, +40%, up to 14 rps, on 10 of 10 days" == one.text
    assert written == {
        "name": "weekdays-1340", "cron": "40 13 * * 1-5", "tz": "UTC", "duration": "140m", "expected_rps": 14,
    }  # fmt: skip


def test_what_is_proposed_is_a_schedule_at_the_time_of_the_peak() -> None:
    (one,) = proposals(past(busy))
    made = schedule(one.name, one.cron, "UTC", one.duration_s, expected_rps=one.expected_rps)

    assert {1, 2, 3, 4, 5} == made.cron.weekdays
    assert (8_400, 14.0) == (made.duration_s, made.expected_rps)


def test_below_fourteen_days_there_are_none() -> None:
    assert () == proposals(past(busy, days=DAYS_MIN - 1))
    assert (0, DAYS_MIN - 1) == (days_seen({}), days_seen(past(busy, days=DAYS_MIN - 1)))
    assert () == proposals({})


def test_days_off_are_looked_at_apart() -> None:
    found = proposals(past(lambda day, minute: 20.0 if day % 7 >= 5 and 600 <= minute < 660 else busy(day, minute)))

    assert ["weekends-1000", "weekdays-1340"] == [one.name for one in found], "the highest rate first"
    assert ("0 10 * * 0,6", 4, 4) == (found[0].cron, found[0].held, found[0].days)


Rate = Callable[[int, int], float]


def case(name: str, found: int, rate: Rate) -> tuple[str, int, Rate]:
    """Return a case, its rate by day and minute."""
    return name, found, rate


CASES = [
    case("every time is like another", 0, lambda _, __: 10.0),
    case("a quarter is not enough", 0, lambda day, minute: busy(day, minute, high=12.5)),
    case("a little more is", 1, lambda day, minute: busy(day, minute, high=12.6)),
    case("twenty minutes", 0, lambda _, minute: 20.0 if 600 <= minute < 620 else 10.0),
    case("half an hour, on all days", 2, lambda _, minute: 20.0 if 600 <= minute < 630 else 10.0),
    case("on nine of ten days", 1, lambda day, minute: busy(day, minute) if day < 11 else 10.0),
    case("on seven of ten days", 0, lambda day, minute: busy(day, minute) if day < 9 else 10.0),
    case("a dip of twenty minutes", 1, lambda day, minute: 10.0 if minute in {880, 890} else busy(day, minute)),
    case("a dip of thirty makes two", 2, lambda day, minute: 10.0 if 880 <= minute < 910 else busy(day, minute)),
    case("a comb", PROPOSALS_MAX, lambda _, minute: 20.0 if minute % 60 < 30 and minute < 720 else 10.0),
]


@pytest.mark.parametrize(("found", "rate"), [pytest.param(*case[1:], id=case[0]) for case in CASES])
def test_what_is_a_peak(found: int, rate: Rate) -> None:
    assert found == len(proposals(past(rate)))


def test_a_peak_out_of_nothing_has_no_percentage() -> None:
    (one,) = proposals(past(lambda day, minute: busy(day, minute, low=0.0) or 1.0 * (day % 7 > 4)))

    assert one.rise_ratio is None
    assert "weekdays 13:40-16:00 UTC, nothing else comes then, up to 14 rps, on 10 of 10 days" == one.text


@pytest.mark.parametrize(
    ("line", "zone", "left"),
    [
        pytest.param("10 14 * * 1-5", "UTC", 0, id="half an hour later"),
        pytest.param("11 14 * * 1-5", "UTC", 1, id="more than that"),
        pytest.param("40 9 * * 1-5", "America/New_York", 0, id="of another zone"),
        pytest.param("40 13 * * 0,6", "UTC", 1, id="on other days"),
    ],
)
def test_a_peak_that_has_a_schedule_is_not_proposed(line: str, zone: str, left: int) -> None:
    named = schedule("mine", line, zone, 3_600, expected_rps=14)

    assert left == len(proposals(past(busy), [named]))


def test_a_kind_of_day_of_which_few_were_seen_has_none() -> None:
    # 14 days over four weeks in which days off were seen three times.
    few = {
        at_s: rate
        for at_s, rate in past(lambda day, minute: 20.0 if day % 7 >= 5 and minute < 60 else 10.0, days=28).items()
        if (day := (at_s - MONDAY_S) // DAY_S) % 7 < 5 or day in (5, 6, 12)
    }

    assert days_seen(few) > DAYS_MIN
    assert () == proposals(few)
    assert HELD_MIN == 4
