"""Durations: OpenSLO's shorthand, no seconds."""

import pytest
from slo_texts import section, told

from slo.durations import DURATION_DIGITS_MAX, calendar, duration_s, seconds, shorthand
from slo.periods import CalendarUnit


@pytest.mark.parametrize(
    ("text", "expected"),
    [("5m", 300), ("12h", 43_200), ("30d", 2_592_000), ("4w", 2_419_200), ("0m", 0)]
    + [(text, None) for text in ("30s", "1M", "1Q", "1Y", "1.5h", "h", "-1h", " 1h", "1 h", "1hh", "٣h", "")],
)
def test_a_duration_is_read(text: str, expected: int | None) -> None:
    assert expected == seconds(text)


def test_digits_are_bounded() -> None:
    assert seconds("9" * DURATION_DIGITS_MAX + "m")
    assert seconds("9" * (DURATION_DIGITS_MAX + 1) + "m") is None


def test_zero_is_refused_unless_it_is_a_delay() -> None:
    found = section("a: 0m\nb: 10s\nc: 5m")

    assert (None, 0, None, 300, None) == (
        duration_s(found, "a"),
        duration_s(found, "a", zero=True),
        duration_s(found, "b"),
        duration_s(found, "c"),
        duration_s(found, "d"),
    )
    assert [
        "f0.yaml:1: a: found '0m', allowed a whole number and one of m, h, d, w, for example 30d, above 0",
        "f0.yaml:2: b: found '10s', allowed a whole number and one of m, h, d, w, for example 30d",
    ] == told(found)


def test_civil_durations_have_units_of_their_own() -> None:
    found = section("a: 1M\nb: 2Q\nc: 5h\nd: 0d\n")

    assert [(1, CalendarUnit.MONTH), (2, CalendarUnit.QUARTER), None, None, None] == [
        calendar(found, name) for name in "abcde"
    ]
    assert 3 == len(told(found))


@pytest.mark.parametrize(
    ("length_s", "text"), [(300, "5m"), (3_600, "1h"), (90_000, "25h"), (604_800, "7d"), (0, "0d")]
)
def test_a_length_is_written_in_its_largest_unit(length_s: int, text: str) -> None:
    assert text == shorthand(length_s)
    assert length_s == seconds(text)


def test_a_length_of_half_a_minute_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="90 s is not made of whole minutes"):
        shorthand(90)
