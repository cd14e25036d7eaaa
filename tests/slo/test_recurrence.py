"""When something comes again; hand-worked days, and the laws of any rule."""

import itertools
from contextlib import suppress
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo.errors import ObjectiveError
from slo.recurrence import DAYS, REPEATED_S_MAX, RULE_CHARS_MAX, Frequency, Repeat, occurrences, repeat, rule

DAY_S = 86_400
YEAR_S = 2 * REPEATED_S_MAX
BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, zone: str = "UTC") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())


def shown(rule: str, start: str, days: int, zone: str = "UTC") -> list[str]:
    start_s = at(start, zone)
    found = occurrences(repeat(rule), start_s, start_s, start_s + days * DAY_S)
    return [f"{datetime.fromtimestamp(one, ZoneInfo(zone)):%a %d %H:%M}" for one in found]


RULES = [
    pytest.param("FREQ=DAILY", Repeat(frequency=Frequency.DAILY), id="each day"),
    pytest.param("RRULE:FREQ=WEEKLY", Repeat(frequency=Frequency.WEEKLY), id="each week, with the property's name"),
    pytest.param(
        "FREQ=WEEKLY;BYDAY=SU,MO;TZID=Europe/Berlin",
        Repeat(frequency=Frequency.WEEKLY, days=("SU", "MO"), zone="Europe/Berlin"),
        id="two days of a zone",
    ),
    pytest.param(
        "FREQ=DAILY;UNTIL=19700102T000000Z", Repeat(frequency=Frequency.DAILY, until_s=DAY_S), id="until a time"
    ),
]
REFUSED = {
    "nothing": "",
    "no frequency": "BYDAY=MO",
    "a frequency that is not taken": "FREQ=MONTHLY",
    "a part that is not taken": "FREQ=DAILY;COUNT=3",
    "a part twice": "FREQ=DAILY;FREQ=DAILY",
    "no day of the week": "FREQ=WEEKLY;BYDAY=XX",
    "the first Monday": "FREQ=WEEKLY;BYDAY=1MO",
    "a day twice": "FREQ=WEEKLY;BYDAY=MO,MO",
    "no days": "FREQ=WEEKLY;BYDAY=",
    "an end before all clocks": "FREQ=DAILY;UNTIL=00010101T000000Z",
    "a day as the end": "FREQ=DAILY;UNTIL=20260101",
    "no zone": "FREQ=DAILY;TZID=",
    "a zone that there is not": "FREQ=DAILY;TZID=Mars/North",
    "a path as a zone": "FREQ=DAILY;TZID=../../etc/passwd",
    "a folder as a zone": "FREQ=DAILY;TZID=Europe",
    "zero bytes": "FREQ=DAILY;TZID=\0",
    "half a character": "FREQ=DAILY;TZID=\ud800",
    "too long": "FREQ=DAILY;TZID=" + "x" * RULE_CHARS_MAX,
}
CALENDAR = [
    pytest.param("FREQ=DAILY", "2026-11-26T02:00", 3, "UTC", ["Thu 26", "Fri 27", "Sat 28"], id="each day"),
    pytest.param(
        "FREQ=WEEKLY", "2026-11-26T02:00", 15, "UTC", ["Thu 26", "Thu 03", "Thu 10"], id="the first one's day"
    ),
    pytest.param("FREQ=WEEKLY;BYDAY=SU", "2026-11-26T02:00", 15, "UTC", ["Sun 29", "Sun 06"], id="the next Sunday"),
    pytest.param("FREQ=DAILY;BYDAY=SA,SU", "2026-11-26T02:00", 7, "UTC", ["Sat 28", "Sun 29"], id="week ends"),
    pytest.param("FREQ=DAILY;UNTIL=20261127T020000Z", "2026-11-26T02:00", 9, "UTC", ["Thu 26", "Fri 27"], id="until"),
]


@pytest.mark.parametrize(("text", "expected"), RULES)
def test_a_rule_is_read(text: str, expected: Repeat) -> None:
    assert repeat(text) == expected


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_what_is_no_rule_of_ours_is_refused(text: str) -> None:
    with pytest.raises(ObjectiveError) as refused:
        repeat(text)

    assert refused.value.key == "rrule"


@given(
    st.one_of(
        st.text(max_size=60),
        st.text(max_size=60).map("FREQ=DAILY;".__add__),
        st.text(max_size=60).map("FREQ=WEEKLY;UNTIL=".__add__),
        st.text(max_size=60).map("FREQ=DAILY;TZID=".__add__),
    )
)
def test_any_text_is_a_rule_that_is_written_back_or_is_refused(text: str) -> None:
    found: Repeat | None = None
    with suppress(ObjectiveError):
        found = repeat(text)

    assert found is None or repeat(rule(found)) == found


def test_a_rule_may_be_so_long() -> None:
    days = ",".join(DAYS)
    text = f"FREQ=WEEKLY;BYDAY={days};TZID=Europe/Berlin"

    assert repeat(text).days == DAYS
    assert len(text) <= RULE_CHARS_MAX


@pytest.mark.parametrize(("rule", "start", "days", "zone", "expected"), CALENDAR)
def test_occurrences_keep_day_and_time(rule: str, start: str, days: int, zone: str, expected: list[str]) -> None:
    assert shown(rule, start, days, zone) == [f"{day} 02:00" for day in expected]


def test_the_wall_clock_rules_when_clocks_change() -> None:
    """Berlin skips 02:30 on 29 March 2026 (03:30 is taken) and has it twice on 25 October (the first is taken)."""
    rule = "FREQ=DAILY;TZID=Europe/Berlin"

    assert shown(rule, "2026-03-28T02:30", 2, "Europe/Berlin") == ["Sat 28 02:30", "Sun 29 03:30", "Mon 30 02:30"]
    start_s = at("2026-10-24T02:30", "Europe/Berlin")
    found = list(occurrences(repeat(rule), start_s, start_s, start_s + 3 * DAY_S))
    assert [after - before for before, after in itertools.pairwise(found)] == [DAY_S, DAY_S + 3_600]


def test_a_rule_without_an_end_ends_all_the_same() -> None:
    start_s = at("2026-11-26T02:00")
    found = list(occurrences(repeat("FREQ=DAILY"), start_s, 0, start_s + YEAR_S))

    assert found[-1] == start_s + REPEATED_S_MAX - DAY_S


@given(
    st.sampled_from(["FREQ=DAILY", "FREQ=WEEKLY", "FREQ=WEEKLY;BYDAY=MO,TH,SU", "FREQ=DAILY;TZID=America/New_York"]),
    st.integers(1_700_000_000, 1_900_000_000),
    st.integers(-40, 400),
    st.integers(0, 40),
)
def test_any_part_of_time_has_what_the_whole_has_there(rule: str, start_s: int, since_day: int, days: int) -> None:
    of, since_s = repeat(rule), start_s + since_day * DAY_S
    whole = list(occurrences(of, start_s, start_s, start_s + YEAR_S))
    part = list(occurrences(of, start_s, since_s, since_s + days * DAY_S))

    assert part == [one for one in whole if since_s <= one < since_s + days * DAY_S]
    assert whole == sorted(set(whole))
    assert all(start_s <= one < start_s + REPEATED_S_MAX for one in whole)
    assert {DAYS[datetime.fromtimestamp(one, ZoneInfo(of.zone)).weekday()] for one in whole} <= set(of.days or DAYS)
    assert datetime.fromtimestamp(start_s, UTC).tzinfo is not None
