"""Tests of telemetry.watermark."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.watermark import NOTES_MAX, Watermark


def test_the_mark_follows_what_is_settled() -> None:
    mark = Watermark(1_000)
    mark.note(10, 2_000)
    mark.note(10, 3_000)
    mark.note(25, 4_000)

    assert mark.at_ms(5) == 1_000
    assert mark.at_ms(10) == 1_000
    assert mark.at_ms(11) == 3_000
    assert mark.at_ms(25) == 3_000
    assert mark.at_ms(None) == 4_000


def test_an_instant_that_lies_behind_is_not_noted() -> None:
    mark = Watermark(1_000)
    mark.note(10, 5_000)
    mark.note(99, 4_000)  # the wall clock went back

    assert mark.at_ms(11) == 5_000
    assert mark.at_ms(None) == 5_000


@pytest.mark.parametrize("beyond", [0, 1])
def test_instants_beyond_the_bound_are_forgotten(beyond: int) -> None:
    mark = Watermark(0)
    for at in range(1, NOTES_MAX + beyond + 1):
        mark.note(at, at)

    assert mark.at_ms(2) == 1 - beyond, "the mark waits, and never runs ahead"
    assert mark.at_ms(None) == NOTES_MAX + beyond


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), max_size=40))
def test_it_never_claims_what_waits(steps: list[tuple[int, int]]) -> None:
    mark, seq, now, first_waiting, noted = Watermark(0), 0, 0, 0, list[tuple[int, int]]()
    for ahead, waits in steps:
        seq, now = seq + ahead, now + 1
        noted.append((seq, now))
        mark.note(seq, now)
        first_waiting = max(first_waiting, seq - waits)  # what is settled stays so
        at = mark.at_ms(first_waiting)

        assert all(last < first_waiting for last, at_ms in noted if at_ms <= at)
