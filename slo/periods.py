"""Knows where the window of an objective begins: rolling, or a civil period in a time zone; refuses to read a clock.

A civil period starts where `startTime` plus a whole number of durations stands on the wall clock of the zone, so its
length follows the zone's summer time: March 2026 has 743 h in Berlin, October 745 h, November 721 h in New York. A
wall time that a change of clocks skips means the time the clock then shows (02:30 becomes 03:30); one that comes twice
means the first.

Source: spec/slo.md 4; OpenSLO v1, timeWindow.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from slo.errors import ObjectiveError

HOUR_S = 3_600

_MONTHS_PER_YEAR = 12
_FIXED = ("EST", "MST", "HST")
_ALWAYS_UTC = ("UTC", "Etc/UTC", "GMT", "Etc/GMT", "Zulu", "Etc/Zulu", "Universal", "Etc/Universal")


class CalendarUnit(StrEnum):
    """Units of a civil duration, as OpenSLO writes them."""

    DAY = "d"
    WEEK = "w"
    MONTH = "M"
    QUARTER = "Q"
    YEAR = "Y"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """A window that starts anew at civil times.

    Attributes:
        start: A wall time at which a period starts, without a zone.
        zone: IANA name.
        count: Units of one period, 1 or more.
        unit: Days, weeks, months, quarters or years.
    """

    start: datetime
    zone: str
    count: int
    unit: CalendarUnit


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """One period of a window.

    Attributes:
        start_s: First second, unix time.
        end_s: The second after the last one; of a rolling window the instant itself.
        notes: What a person should know of its ends, one sentence each.
    """

    start_s: int
    end_s: int
    notes: tuple[str, ...] = ()

    @property
    def length_s(self) -> int:
        """Seconds from start to end."""
        return self.end_s - self.start_s


def rolling(at_s: int, length_s: int) -> Period:
    """Return the rolling window that ends at an instant."""
    return Period(start_s=at_s - length_s, end_s=at_s)


def civil(calendar: Calendar, at_s: int) -> Period:
    """Return the civil period that contains an instant, before the first start too.

    Raises:
        ObjectiveError: The zone is not known.
    """
    zone = _zone(calendar.zone)
    wall = datetime.fromtimestamp(at_s, UTC).astimezone(zone).replace(tzinfo=None)
    number = _number_near(calendar, wall)
    while _unix_s(_wall(calendar, number), zone) > at_s:
        number -= 1
    while _unix_s(_wall(calendar, number + 1), zone) <= at_s:
        number += 1
    ends = [_wall(calendar, number), _wall(calendar, number + 1)]
    notes = [note for end in ends if (note := _skipped(end, zone))]
    return Period(start_s=_unix_s(ends[0], zone), end_s=_unix_s(ends[1], zone), notes=tuple(notes))


def zone_notes(name: str) -> tuple[str, ...]:
    """Return what to warn of when a zone is loaded: one with a fixed offset has no summer time.

    Raises:
        ObjectiveError: The zone is not known.
    """
    _zone(name)
    fixed = name in _FIXED or (name.startswith("Etc/") and name not in _ALWAYS_UTC)
    return (f"{name} is a fixed offset: it has no summer time",) if fixed else ()


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # an absolute path is a ValueError, a directory an OSError
        raise ObjectiveError("", "timeZone", repr(name), "an IANA name such as Europe/Berlin") from None


def _number_near(calendar: Calendar, wall: datetime) -> int:
    """Return the number of periods from the first start to a wall time, give or take one."""
    if calendar.unit in _DAYS:
        return (wall - calendar.start).days // (_DAYS[calendar.unit] * calendar.count)
    months = (wall.year - calendar.start.year) * _MONTHS_PER_YEAR + wall.month - calendar.start.month
    return months // (_MONTHS[calendar.unit] * calendar.count)


def _wall(calendar: Calendar, number: int) -> datetime:
    """Return the wall time at which period `number` starts; a day that a month lacks is its last one."""
    if calendar.unit in _DAYS:
        return calendar.start + timedelta(days=_DAYS[calendar.unit] * calendar.count * number)
    months = calendar.start.month - 1 + _MONTHS[calendar.unit] * calendar.count * number
    first = calendar.start.replace(day=1, year=calendar.start.year + months // _MONTHS_PER_YEAR, month=months % 12 + 1)
    following = (first + timedelta(days=31)).replace(day=1)
    return first.replace(day=min(calendar.start.day, (following - timedelta(days=1)).day))


def _unix_s(wall: datetime, zone: ZoneInfo) -> int:
    """Return when a wall time is; `fold=0` moves a skipped one forward and takes the first of two."""
    return int(wall.replace(tzinfo=zone, fold=0).timestamp())


def _skipped(wall: datetime, zone: ZoneInfo) -> str | None:
    shown = datetime.fromtimestamp(_unix_s(wall, zone), zone).replace(tzinfo=None)
    return None if shown == wall else f"{wall:%Y-%m-%d %H:%M} does not exist in {zone.key}: {shown:%H:%M} is taken"


_DAYS = {CalendarUnit.DAY: 1, CalendarUnit.WEEK: 7}
_MONTHS = {CalendarUnit.MONTH: 1, CalendarUnit.QUARTER: 3, CalendarUnit.YEAR: 12}
