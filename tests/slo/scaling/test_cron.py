"""Lines of crontab, in zones with summer time."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from slo.errors import ObjectiveError
from slo.scaling.cron import fires, parse

NEW_YORK = ZoneInfo("America/New_York")


def unix(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def shown(line: str, zone: ZoneInfo, since: str, until: str) -> list[str]:
    found = fires(parse(line), zone, unix(since), unix(until))
    return [f"{datetime.fromtimestamp(at_s, UTC):%a %d %H:%M}" for at_s in found]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param("0 14 * * 1-5", ["Mon 01 14:00", "Tue 02 14:00"], id="weekdays"),
        pytest.param("30 6,18 * * mon", ["Mon 01 06:30", "Mon 01 18:30"], id="two hours of a day by its name"),
        pytest.param("0 */8 1 * *", ["Mon 01 00:00", "Mon 01 08:00", "Mon 01 16:00"], id="each eighth hour of a first"),
        pytest.param("5 10-14/2 * * 7", ["Sun 31 10:05", "Sun 31 12:05", "Sun 31 14:05"], id="7 is Sunday"),
        pytest.param("0 12 2 * sun", ["Sun 31 12:00", "Tue 02 12:00"], id="both days named: either is enough"),
        pytest.param("0 12 * jul *", [], id="another month"),
        pytest.param("0 12 */2 * tue", [], id="a step over all days restricts nothing by itself, so both must match"),
    ],
)
def test_when_a_line_fires(line: str, expected: list[str]) -> None:
    # 2026-05-31 is a Sunday.
    assert expected == shown(line, ZoneInfo("UTC"), "2026-05-31T00:00Z", "2026-06-03T00:00Z")


def test_the_span_has_its_first_second_and_not_its_last() -> None:
    assert ["Mon 01 14:00"] == shown("0 14 * * *", ZoneInfo("UTC"), "2026-06-01T14:00Z", "2026-06-02T14:00Z")
    assert [] == shown("0 14 * * *", ZoneInfo("UTC"), "2026-06-01T14:00:01Z", "2026-06-02T14:00Z")


def test_a_line_follows_the_summer_time_of_its_zone() -> None:
    assert ["Wed 15 18:00"] == shown("0 14 * * 1-5", NEW_YORK, "2026-07-15T00:00Z", "2026-07-16T00:00Z")
    assert ["Tue 15 19:00"] == shown("0 14 * * 1-5", NEW_YORK, "2026-12-15T00:00Z", "2026-12-16T00:00Z")


def test_a_skipped_time_is_the_one_the_clock_then_shows_and_fires_once() -> None:
    # 2026-03-08, 02:00 to 03:00 do not exist in New York: 02:30 is 03:30, 07:30Z.
    assert ["Sun 08 07:30"] == shown("30 2 * * *", NEW_YORK, "2026-03-08T00:00Z", "2026-03-09T00:00Z")
    assert ["Sun 08 07:30"] == shown("30 2,3 * * *", NEW_YORK, "2026-03-08T00:00Z", "2026-03-09T00:00Z")


def test_of_a_time_that_comes_twice_the_first_is_meant() -> None:
    # 2026-11-01, 01:30 comes at 05:30Z and 06:30Z.
    assert ["Sun 01 05:30"] == shown("30 1 * * *", NEW_YORK, "2026-11-01T00:00Z", "2026-11-02T00:00Z")


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("0 14 * *", "cron"),
        ("0 14 * * 1-5 2026", "cron"),
        ("60 14 * * *", "cron minute"),
        ("0 24 * * *", "cron hour"),
        ("0 14 0 * *", "cron day of month"),
        ("0 14 * 13 *", "cron month"),
        ("0 14 * * 8", "cron day of week"),
        ("0 14 * * fry", "cron day of week"),
        ("mon 14 * * *", "cron minute"),
        ("30-10 14 * * *", "cron minute"),
        ("*/0 14 * * *", "cron minute"),
        ("5/2 14 * * *", "cron minute"),
        ("*/x 14 * * *", "cron minute"),
        ("1, 14 * * *", "cron minute"),
        ("-1 14 * * *", "cron minute"),
    ],
)
def test_what_is_no_line_of_crontab_is_refused_by_its_field(line: str, key: str) -> None:
    with pytest.raises(ObjectiveError) as refused:
        parse(line)

    assert key == refused.value.key
