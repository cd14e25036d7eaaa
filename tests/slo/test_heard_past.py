"""Tests of slo.heard_past."""

from dataclasses import replace

from pasts import STRICT

from slo.heard_past import EXPECTED_S, NOW_S, Beat, gaps, overdue
from slo.objective import Traffic
from slo.past import Gap
from slo.patience import Patience
from slo.sight import Heard
from slo.telemetry_state import Heartbeats
from telemetry.histogram import index

AT_S = 1_790_000_010 // 30 * 30
A, B = ("chat", "a", "m", ""), ("chat", "b", "m", "")


def beats(sender: tuple[str, ...], *spans: tuple[int, int]) -> list[Beat]:
    """Heartbeats each second in spans of seconds from the start, as they were before each instant."""
    return [
        Beat(at_s=AT_S + s, sender=sender, heard_s=AT_S + s) for start, end in spans for s in range(start, end + 1, 30)
    ]


def in_order(*found: list[Beat]) -> list[Beat]:
    return sorted((beat for each in found for beat in each), key=lambda beat: beat.at_s)


def test_nobody_is_missed_who_was_heard_within_two_minutes() -> None:
    assert gaps(beats(A, (0, 300), (390, 600)), "chat", AT_S, AT_S + 600) == []


def test_a_silence_is_a_gap_until_somebody_is_heard_again() -> None:
    assert gaps(beats(A, (0, 300), (600, 900)), "chat", AT_S, AT_S + 900) == [Gap(start_s=AT_S + 420, end_s=AT_S + 570)]


def test_one_of_two_is_part_of_the_telemetry() -> None:
    found = gaps(in_order(beats(A, (0, 900)), beats(B, (0, 300))), "", AT_S, AT_S + 600)

    assert found == [Gap(start_s=AT_S + 420, end_s=AT_S + 600, seen=Heartbeats.SOME_STALE, coverage_ratio=0.5)]


def test_after_a_day_nobody_waits_for_it_any_more() -> None:
    found = gaps(in_order(beats(A, (0, EXPECTED_S + 600)), beats(B, (0, 300))), "chat", AT_S, AT_S + EXPECTED_S + 600)

    assert found[-1].end_s == AT_S + 300 + EXPECTED_S - 30


def test_what_is_not_kept_any_more_is_no_gap() -> None:
    assert gaps([], "chat", AT_S, AT_S + 600) == []
    assert gaps(beats(A, (300, 600)), "code", AT_S, AT_S + 600) == []
    assert gaps(beats(A, (300, 600)), "chat", AT_S, AT_S + 600) == []


def test_what_waits_too_long_is_counted_over_all_that_are_heard_now() -> None:
    old, young = index(5_000_000), index(1_000_000)
    held = [
        Beat(at_s=AT_S, sender=A, heard_s=AT_S - 1, ages=Heard(waiting_ages={old: 3, young: 4})),
        Beat(at_s=AT_S, sender=B, heard_s=AT_S - NOW_S + 0.5, ages=Heard(waiting_ages={old: 2})),
        Beat(at_s=AT_S + 30, sender=A, heard_s=AT_S + 30 - NOW_S, ages=Heard(waiting_ages={old: 9})),
        Beat(at_s=AT_S + 60, sender=A, heard_s=AT_S + 60, ages=Heard(waiting_ages={young: 9})),
        Beat(at_s=AT_S + 90, sender=A, heard_s=AT_S + 90),
    ]
    one = replace(STRICT, patience=Patience(first_us=2_000_000, whole_us=None))

    assert overdue(held, "chat", one) == {AT_S: 5}
    assert overdue(held, "code", one) == {}
    assert overdue(held, "", one) == {AT_S: 5}
    assert overdue(held, "", STRICT) == {}


def test_probes_are_no_users() -> None:
    indicator = replace(STRICT.objective.indicator, traffic=Traffic.PROBE)
    one = replace(
        STRICT,
        objective=replace(STRICT.objective, indicator=indicator),
        patience=Patience(first_us=1, whole_us=None),
    )
    held = [Beat(at_s=AT_S, sender=A, heard_s=AT_S, ages=Heard(waiting_ages={index(5_000_000): 3}))]

    assert overdue(held, "", one) == {}
