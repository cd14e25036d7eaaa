"""Peaks that people named: when replicas are asked for (acceptance A6)."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from slo.errors import ObjectiveError
from slo.scaling.schedule import DURATION_S_MAX, PRE_SCALE_S, Schedule, near, peaks, schedule

NEW_YORK = ZoneInfo("America/New_York")
PEAK = schedule("weekday-peak", "0 14 * * 1-5", "America/New_York", 7_200, expected_rps=14.1)


def unix(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


@pytest.mark.parametrize(
    ("day", "lead_min", "utc", "local"),
    [
        pytest.param("2026-07-15", 9, "17:45", "13:45", id="summer, 9 minutes: the seed's 15"),
        pytest.param("2026-12-15", 9, "18:45", "13:45", id="winter, the same by the wall clock"),
        pytest.param("2026-07-15", 20, "17:38", "13:38", id="summer, 20 minutes and two"),
        pytest.param("2026-03-06", 9, "18:45", "13:45", id="the last weekday before summer time"),
        pytest.param("2026-03-09", 9, "17:45", "13:45", id="the first weekday of summer time"),
        pytest.param("2026-10-30", 9, "17:45", "13:45", id="the last weekday of summer time"),
        pytest.param("2026-11-02", 9, "18:45", "13:45", id="the first weekday after it"),
    ],
)
def test_replicas_are_asked_for_before_the_peak(day: str, lead_min: float, utc: str, local: str) -> None:
    peak = near(PEAK, datetime.fromisoformat(f"{day}T13:50").replace(tzinfo=NEW_YORK).timestamp(), lead_min * 60)
    assert peak is not None
    at = datetime.fromtimestamp(peak.pre_scale_at_s, UTC)

    assert (utc, local) == (f"{at:%H:%M}", f"{at.astimezone(NEW_YORK):%H:%M}")
    assert not peak.asks(peak.pre_scale_at_s - 1)
    assert peak.asks(peak.pre_scale_at_s)
    assert peak.asks(peak.end_s - 1)
    assert not peak.asks(peak.end_s)


@pytest.mark.parametrize(
    ("clock", "expected"),
    [
        pytest.param("13:35", False, id="25 minutes before"),
        pytest.param("13:36", True, id="a lead of 9 and 15 minutes before"),
        pytest.param("15:59", True, id="until its end"),
        pytest.param("16:00", False, id="and not after"),
    ],
)
def test_nothing_is_taken_away_before_a_peak(clock: str, expected: bool) -> None:
    at_s = unix(f"2026-07-15T{clock}:00-04:00")
    peak = near(PEAK, at_s, 540)

    assert expected is (peak is not None and peak.forbids_removal(at_s))


def test_a_long_pre_scale_forbids_removal_from_its_beginning() -> None:
    early = schedule("early", "0 14 * * *", "UTC", 3_600, replicas_min=6, pre_scale_s=7_200)
    peak = near(early, unix("2026-07-15T12:00Z"), 540)

    assert peak is not None
    assert peak.forbids_removal(unix("2026-07-15T12:00Z"))
    assert not peak.forbids_removal(unix("2026-07-15T11:59:59Z"))


def test_only_peaks_that_matter_are_told() -> None:
    night = schedule("night", "0 2 * * *", "UTC", 600, replicas_min=3)

    assert (PEAK,) == tuple(peak.schedule for peak in peaks([night, PEAK], unix("2026-07-15T17:50Z"), 540))
    assert () == peaks([night, PEAK], unix("2026-07-15T12:00Z"), 540)


def test_a_zone_without_summer_time_warns() -> None:
    assert ("EST is a fixed offset: it has no summer time",) == schedule(
        "x", "0 14 * * *", "EST", 60, replicas_min=1
    ).notes
    assert () == PEAK.notes
    assert (PRE_SCALE_S, None, 14.1) == (PEAK.pre_scale_s, PEAK.replicas_min, PEAK.expected_rps)


@pytest.mark.parametrize(
    ("duration_s", "asks", "named"),
    [
        pytest.param(0, {"replicas_min": 1}, "duration", id="no length"),
        pytest.param(DURATION_S_MAX + 1, {"replicas_min": 1}, "duration", id="too long"),
        pytest.param(60, {}, "expected_rps or min_replicas", id="asks for nothing"),
        pytest.param(60, {"replicas_min": 1, "expected_rps": 1}, "expected_rps or min_replicas", id="asks for both"),
        pytest.param(60, {"replicas_min": -1}, "negative", id="a negative number"),
    ],
)
def test_what_cannot_be_is_refused(duration_s: int, asks: dict[str, float], named: str) -> None:
    with pytest.raises(ObjectiveError, match=named):
        schedule("x", "0 14 * * *", "UTC", duration_s, **asks)


def test_the_longest_duration_is_taken() -> None:
    assert isinstance(schedule("x", "0 0 * * *", "UTC", DURATION_S_MAX, replicas_min=1), Schedule)
    with pytest.raises(ObjectiveError, match="timeZone"):
        schedule("x", "0 0 * * *", "Nowhere/City", 60, replicas_min=1)
