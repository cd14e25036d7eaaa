"""Where windows begin and end: rolling ones, and civil ones across changes of the clock."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slo.errors import ObjectiveError
from slo.periods import HOUR_S, Calendar, CalendarUnit, civil, rolling, zone_notes

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"


def unix_s(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def calendar(start: str, zone: str, unit: str, count: int = 1) -> Calendar:
    return Calendar(start=datetime.fromisoformat(start), zone=zone, count=count, unit=CalendarUnit(unit))


MONTHS = [
    pytest.param(BERLIN, "2026-03-15T12:00", 743, id="March 2026 in Berlin loses an hour"),
    pytest.param(BERLIN, "2026-10-15T12:00", 745, id="October 2026 in Berlin gains one"),
    pytest.param(NEW_YORK, "2026-11-15T12:00", 721, id="November 2026 in New York gains one"),
    pytest.param("UTC", "2026-03-15T12:00", 744, id="March in UTC has 31 days"),
    pytest.param("EST", "2026-11-15T12:00", 720, id="a fixed offset has no summer time"),
]


@pytest.mark.parametrize(("zone", "at", "hours"), MONTHS)
def test_a4_lengths_of_months(zone: str, at: str, hours: int) -> None:
    assert hours * HOUR_S == civil(calendar("2026-01-01T00:00", zone, "M"), unix_s(at)).length_s


def test_a4_a_start_that_the_clock_skips_is_the_time_it_then_shows() -> None:
    found = civil(calendar("2026-03-29T02:30", BERLIN, "d"), unix_s("2026-03-29T12:00"))

    # Clocks in Berlin jump from 02:00 to 03:00 on 2026-03-29; 03:30 CEST is 01:30 UTC.
    assert unix_s("2026-03-29T01:30") == found.start_s
    assert ("2026-03-29 02:30 does not exist in Europe/Berlin: 03:30 is taken",) == found.notes


def test_a_start_that_comes_twice_is_the_first() -> None:
    found = civil(calendar("2026-10-25T02:30", BERLIN, "d"), unix_s("2026-10-25T12:00"))

    assert unix_s("2026-10-25T00:30") == found.start_s  # 02:30 CEST
    assert () == found.notes
    assert 25 * HOUR_S == found.length_s


def test_within_the_hour_that_comes_twice_the_period_has_begun() -> None:
    found = civil(calendar("2026-10-24T02:30", BERLIN, "d"), unix_s("2026-10-25T01:10"))  # 02:10 CET, the second one

    assert unix_s("2026-10-25T00:30") == found.start_s


PERIODS = [
    pytest.param("2026-01-31T00:00", "M", 1, "2026-02-28", "2026-03-31", id="a day that February lacks"),
    pytest.param("2026-01-01T00:00", "Q", 1, "2026-01-01", "2026-04-01", id="a quarter"),
    pytest.param("2024-02-29T00:00", "Y", 1, "2026-02-28", "2027-02-28", id="a leap day, years later"),
    pytest.param("2026-01-05T00:00", "w", 2, "2026-03-02", "2026-03-16", id="two weeks from a Monday"),
    pytest.param("2030-01-01T00:00", "M", 1, "2026-03-01", "2026-04-01", id="a start that lies ahead"),
]


@pytest.mark.parametrize(("start", "unit", "count", "first", "following"), PERIODS)
def test_civil_periods(start: str, unit: str, count: int, first: str, following: str) -> None:
    found = civil(calendar(start, "UTC", unit, count), unix_s("2026-03-10T06:00"))

    assert (unix_s(first), unix_s(following)) == (found.start_s, found.end_s)


@settings(max_examples=50, deadline=None)
@given(
    at_s=st.integers(unix_s("2000-01-01"), unix_s("2060-01-01")),
    zone=st.sampled_from([BERLIN, NEW_YORK, "Pacific/Chatham", "UTC"]),
    unit=st.sampled_from(list(CalendarUnit)),
    count=st.integers(1, 5),
    shift=st.integers(0, 40_000_000),
)
def test_every_instant_lies_in_its_period_and_the_next_begins_where_it_ends(
    at_s: int, zone: str, unit: CalendarUnit, count: int, shift: int
) -> None:
    start = datetime(2020, 1, 31, 2, 30) + timedelta(seconds=shift)  # noqa: DTZ001 -- a wall time has no zone
    asked = Calendar(start=start, zone=zone, count=count, unit=unit)
    found = civil(asked, at_s)

    assert found.start_s <= at_s < found.end_s
    assert found == civil(asked, found.start_s)
    assert found.end_s == civil(asked, found.end_s).start_s


def test_a_rolling_window_ends_at_the_instant() -> None:
    found = rolling(unix_s("2026-03-29T12:00"), 86_400)

    assert (unix_s("2026-03-28T12:00"), unix_s("2026-03-29T12:00"), 86_400) == (
        found.start_s,
        found.end_s,
        found.length_s,
    )


@pytest.mark.parametrize(("zone", "warned"), [("EST", 1), ("Etc/GMT+5", 1), ("UTC", 0), ("Etc/UTC", 0), (BERLIN, 0)])
def test_a_fixed_offset_loads_with_a_warning(zone: str, warned: int) -> None:
    assert warned == len(zone_notes(zone))


@pytest.mark.parametrize("zone", ["Europe/Berlln", "", "/etc/passwd", "../x", "Europe"])
def test_an_unknown_zone_is_refused(zone: str) -> None:
    with pytest.raises(ObjectiveError, match="an IANA name"):
        zone_notes(zone)
