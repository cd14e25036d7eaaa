"""Knows when a line of crontab fires in a time zone; refuses to read a clock and to run anything.

Five fields, minute, hour, day of month, month, day of week, each `*`, a number, a range `a-b`, a step `*/n` or
`a-b/n`, or a list of those; months and days also by their English three letters; 7 is Sunday too. If both days are
restricted either is enough. A wall time that a change of clocks skips means the time the clock then shows, and one that
comes twice means the first, as in `slo.periods`.

Source: crontab(5); spec/scaling.md 6.5 (schedule).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from slo.errors import ObjectiveError

_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12), ("day of week", 0, 7))
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NAMES = {
    "month": {name: number for number, name in enumerate(_MONTHS, 1)},
    "day of week": {name: number for number, name in enumerate(_DAYS)},
}
_PART = re.compile(
    r"((?P<any>\*)|(?P<low>[a-z]{3}|[0-9]{1,2})(-(?P<high>[a-z]{3}|[0-9]{1,2}))?)(/(?P<step>[0-9]{1,2}))?"
)
_WEEK = 7
_NO_NUMBER = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """A line of crontab, taken apart.

    Attributes:
        minutes: 0 to 59.
        hours: 0 to 23.
        days: Of the month, 1 to 31.
        months: 1 to 12.
        weekdays: 0 to 6, Sunday is 0.
        either_day: Whether a day that matches one of `days` and `weekdays` is enough.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool

    def on(self, day: date) -> bool:
        """Return whether it fires on a day."""
        of_month, of_week = day.day in self.days, day.isoweekday() % _WEEK in self.weekdays
        return day.month in self.months and (of_month or of_week if self.either_day else of_month and of_week)


def parse(text: str) -> Cron:
    """Take a line apart.

    Raises:
        ObjectiveError: It is no line of crontab.
    """
    fields = text.split()
    if len(fields) != len(_FIELDS):
        raise ObjectiveError("", "cron", repr(text), "five fields: minute, hour, day of month, month, day of week")
    minutes, hours, days, months, weekdays = (
        frozenset(number for part in field.split(",") for number in _numbers(part, *about))
        for field, about in zip(fields, _FIELDS, strict=True)
    )
    return Cron(
        minutes=minutes,
        hours=hours,
        days=days,
        months=months,
        weekdays=frozenset(number % _WEEK for number in weekdays),
        either_day=not fields[2].startswith("*") and not fields[4].startswith("*"),
    )


def fires(cron: Cron, zone: ZoneInfo, since_s: int, until_s: int) -> Iterator[int]:
    """Yield the instants in [since_s, until_s), unix seconds, oldest first; ask for days, not for years."""
    first = datetime.fromtimestamp(since_s, UTC).astimezone(zone).date() - timedelta(days=1)
    last = datetime.fromtimestamp(until_s, UTC).astimezone(zone).date()
    before_s = since_s - 1
    for number in range((last - first).days + 1):
        for at_s in _of_day(cron, zone, first + timedelta(days=number)):
            if before_s < at_s < until_s:  # a skipped hour and the one after it may fall together
                yield at_s
                before_s = at_s


def _of_day(cron: Cron, zone: ZoneInfo, day: date) -> list[int]:
    if not cron.on(day):
        return []
    walls = (time(hour, minute) for hour in cron.hours for minute in cron.minutes)
    return sorted(int(datetime.combine(day, wall, zone).timestamp()) for wall in walls)


def _numbers(part: str, name: str, low: int, high: int) -> range:
    found = _PART.fullmatch(part.lower())
    if found is None or found["step"] == "0":
        raise _refusal(part, name, low, high)
    if found["any"]:
        return range(low, high + 1, int(found["step"] or 1))
    first, last = (_number(word, name) for word in (found["low"], found["high"] or found["low"]))
    if not low <= first <= last <= high or (found["step"] and not found["high"]):
        raise _refusal(part, name, low, high)
    return range(first, last + 1, int(found["step"] or 1))


def _number(word: str, name: str) -> int:
    """Return a number, or that of a name; one that is none is beyond every field."""
    return int(word) if word.isdecimal() else _NAMES.get(name, {}).get(word, _NO_NUMBER)


def _refusal(part: str, name: str, low: int, high: int) -> ObjectiveError:
    return ObjectiveError("", f"cron {name}", repr(part), f"*, {low} to {high}, a range a-b, a step */n or a-b/n")
