"""Windows, targets and slices of an SLO."""

from datetime import datetime

import pytest
from slo_texts import loaded, slo

from slo.budget import EmptySlice
from slo.errors import ObjectiveError
from slo.objective import Budgeting, Rolling
from slo.openslo_parts import WINDOW_S_MAX
from slo.periods import Calendar, CalendarUnit

CALENDAR = "duration: 1M, calendar: {startTime: 2026-01-01 12:00:00, timeZone: Europe/Berlin}"


def test_a_window_rolls_or_is_of_the_calendar() -> None:
    rolling, civil = (
        loaded(slo(window=text)).objectives[0].window for text in ("duration: 4w, isRolling: true", CALENDAR)
    )

    assert Rolling(length_s=28 * 86_400) == rolling
    start = datetime(2026, 1, 1, 12)  # noqa: DTZ001 -- a wall time
    assert Calendar(start=start, zone="Europe/Berlin", count=1, unit=CalendarUnit.MONTH) == civil


def test_a_zone_without_summer_time_is_worth_a_word() -> None:
    found = loaded(slo(window=CALENDAR.replace("Europe/Berlin", "EST")))

    assert (
        "f0.yaml:6: spec.timeWindow[0].calendar.timeZone: EST is a fixed offset: it has no summer time",
    ) == found.lints


@pytest.mark.parametrize(
    ("window", "expected"),
    [
        ("duration: 30d}, {duration: 7d", "timeWindow: found 2 windows, allowed a list of exactly one window"),
        ("duration: 30s, isRolling: true", "duration: found '30s', allowed a whole number and one of m, h, d, w"),
        ("duration: 1M, isRolling: true", "duration: found '1M', allowed a whole number and one of m, h, d, w"),
        ("duration: 30d, isRolling: false", "isRolling: found neither, allowed isRolling: true, or calendar"),
        (CALENDAR + ", isRolling: true", "isRolling: found both, allowed isRolling: true, or calendar"),
        (CALENDAR.replace("1M", "5h"), "duration: found '5h', allowed a whole number and one of d, w, M, Q, Y"),
        (CALENDAR.replace("Europe/Berlin", "Mars"), "timeZone: found 'Mars', allowed an IANA name"),
        (CALENDAR.replace(", timeZone: Europe/Berlin", ""), "timeZone: found nothing, allowed an IANA name"),
        (
            CALENDAR.replace("2026-01-01 12:00:00", "2026-01-01T12:00:00Z"),
            "startTime: found '2026-01-01T12:00:00Z', allowed",
        ),
        (CALENDAR.replace("startTime: 2026-01-01 12:00:00, ", ""), "startTime: found nothing, allowed a wall time"),
    ],
)
def test_a_mistake_in_a_window(window: str, expected: str) -> None:
    with pytest.raises(ObjectiveError) as told:
        loaded(slo(window=window))

    assert expected in str(told.value)


def test_a_window_is_as_long_as_counts_are_kept() -> None:
    (longest,) = loaded(slo(window="duration: 400d, isRolling: true", burnWindows="scaled_windows")).objectives

    assert Rolling(length_s=WINDOW_S_MAX) == longest.window
    with pytest.raises(ObjectiveError, match="found '401d', allowed at most 400d, which is how long counts are kept"):
        loaded(slo(window="duration: 401d, isRolling: true"))


@pytest.mark.parametrize(
    ("target", "expected"), [("target: 0.9995", 0.9995), ("targetPercent: 99.95", 0.9995), ("targetPercent: 99", 0.99)]
)
def test_a_target_is_a_share_or_a_percentage(target: str, expected: float) -> None:
    assert expected == loaded(slo(target=target)).objectives[0].target


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("target: 1", "target: found 1, allowed a number of at least 0 and below 1"),
        ("targetPercent: 100", "targetPercent: found 100, allowed a number"),
        ("target: -0.1", "target: found -0.1, allowed"),
        ("target: .nan", "target: found nan, allowed"),
        ("target: 0.9, targetPercent: 90", "target: found both, allowed one of target and targetPercent"),
        ("displayName: x", "target: found none, allowed one of target and targetPercent"),
        (
            "target: 0.99, timeSliceWindow: 1m",
            "timeSliceWindow: found Occurrences, allowed timeSliceWindow if and only if",
        ),
    ],
)
def test_a_mistake_in_a_target(target: str, expected: str) -> None:
    with pytest.raises(ObjectiveError) as told:
        loaded(slo(target=target))

    assert expected in str(told.value)


def test_a_slice_without_requests_is_good_unless_the_file_says_otherwise() -> None:
    (usual,), (bad,) = (loaded(slo(emptySlice=word)).objectives for word in ("", "Bad"))

    assert (EmptySlice.GOOD, EmptySlice.BAD) == (usual.empty_slice, bad.empty_slice)
    with pytest.raises(ObjectiveError, match="emptySlice: found 'none', allowed good, bad, skip"):
        loaded(slo(emptySlice="none"))


@pytest.mark.parametrize(
    ("method", "target", "expected"),
    [
        ("timeslices", "timeSliceTarget: 0.95, timeSliceWindow: 5", (Budgeting.TIMESLICES, 300, 0.95)),
        ("Timeslices", "timeSliceTarget: 1, timeSliceWindow: 10m", (Budgeting.TIMESLICES, 600, 1.0)),
        ("RATIOTIMESLICES", "timeSliceWindow: 1h", (Budgeting.RATIO_TIMESLICES, 3_600, None)),
    ],
)
def test_slices(method: str, target: str, expected: tuple[Budgeting, int, float | None]) -> None:
    (one,) = loaded(slo(budgetingMethod=method, target=f"target: 0.99, {target}")).objectives

    assert expected == (one.budgeting, one.slice_s, one.slice_target)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("timeSliceWindow: 5m", "timeSliceTarget: found nothing, allowed timeSliceTarget if and only if"),
        ("timeSliceTarget: 0.9", "timeSliceWindow: found nothing, allowed timeSliceWindow if and only if"),
        ("timeSliceTarget: 0, timeSliceWindow: 5m", "timeSliceTarget: found 0, allowed a number above 0, at most 1"),
        (
            "timeSliceTarget: 0.9, timeSliceWindow: 0.5",
            "timeSliceWindow: found 0.5, allowed a duration, or a whole number",
        ),
        (
            "timeSliceTarget: 0.9, timeSliceWindow: 30s",
            "timeSliceWindow: found '30s', allowed a whole number and one of",
        ),
        ("timeSliceTarget: 0.9, timeSliceWindow: true", "timeSliceWindow: found True, allowed a duration"),
    ],
)
def test_a_mistake_in_a_slice(target: str, expected: str) -> None:
    with pytest.raises(ObjectiveError) as told:
        loaded(slo(budgetingMethod="Timeslices", target=f"target: 0.99, {target}"))

    assert expected in str(told.value)
