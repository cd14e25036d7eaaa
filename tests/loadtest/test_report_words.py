import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.report_words import (
    LETTERS_MAX,
    change,
    count,
    digits,
    duration,
    number,
    rate,
    share,
    short,
    shown,
    width,
)


@pytest.mark.parametrize(
    ("value_s", "words"),
    [
        (0.0123, "12.3 ms"),  # spec/ui.md 14.2
        (0.9994, "999 ms"),
        (0.9996, "1.00 s"),
        (75.2, "1 min 15 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 0 s"),
        (3700, "1 h 1 min"),
        (0.0, "0 s"),
        (0.00007, "0.0700 ms"),
        (None, "n/a"),
    ],
)
def test_a_duration_is_written_with_three_digits(value_s: float | None, words: str) -> None:
    assert words == duration(value_s)


@pytest.mark.parametrize(("value_s", "words"), [(0.5, "0.5 s"), (60, "60 s"), (120, "2 min"), (900, "15 min")])
def test_the_width_of_a_bin_is_round(value_s: float, words: str) -> None:
    assert words == width(value_s)


@pytest.mark.parametrize(
    ("value", "words"),
    [(12345, "12.3k"), (999.7, "1.00k"), (0.12345, "0.123"), (2.5e9, "2.50G"), (0, "0"), (None, "n/a")],
)
def test_a_number_has_three_digits_and_a_unit(value: float | None, words: str) -> None:
    assert words == number(value)


def test_a_rate_says_of_what() -> None:
    assert ("12.3k tok/s", "n/a") == (rate(12345, "tok"), rate(None, "tok"))


@pytest.mark.parametrize(
    ("value", "objective", "words"),
    [
        (0.99899, 0.999, "99.899 %"),  # spec/ui.md 14.2
        (1.0, None, "100 %"),
        (0.0, None, "0 %"),
        (0.999999, None, "99.9999 %"),
        (0.99, 0.99, "99 %"),
        (0.999999999999, None, "99.9999999999 %"),
        (None, 0.99, "n/a"),
    ],
)
def test_a_share_is_never_rounded_onto_its_objective(value: float | None, objective: float | None, words: str) -> None:
    assert words == share(value, objective)


@given(st.floats(0, 1), st.sampled_from([0.9, 0.95, 0.99, 0.999]))
def test_a_share_stays_on_its_side_of_the_objective(value: float, objective: float) -> None:
    read = float(share(value, objective).removesuffix(" %"))

    assert (read < 100 * objective) == (value < objective) or math.isclose(value, objective, rel_tol=1e-12)


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.0712, "+7.1 %"), (-0.02, "-2.0 %"), (math.inf, "fails"), (-math.inf, "failed before"), (None, "n/a")],
)
def test_a_change_has_a_sign_and_an_infinite_one_is_a_word(value: float | None, words: str) -> None:
    assert words == change(value)


def test_a_count_has_its_thousands_apart() -> None:
    assert ("12,345", "n/a") == (count(12345), count(None))


@pytest.mark.parametrize(("value", "words"), [(0, "0"), (0.0001234, "0.000123"), (123456, "123000")])
def test_digits_come_without_an_exponent(value: float, words: str) -> None:
    assert words == digits(value)


def test_what_cannot_be_seen_is_an_escape() -> None:
    assert "a\\u202eb\\u200bc\\u000ad\\U000e0001" == shown("a\u202eb\u200bc\nd\U000e0001")
    assert "<img src=x>" == shown("<img src=x>")
    assert "\\ud800" == shown("\ud800")


def test_a_name_in_a_heading_is_cut() -> None:
    assert "a" * LETTERS_MAX == short("a" * LETTERS_MAX)
    assert "a" * (LETTERS_MAX - 1) + "…" == short("a" * (LETTERS_MAX + 1))
