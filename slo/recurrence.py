"""Knows times that come again, daily or on some weekdays, by the wall clock of a zone; refuses the rest of RFC 5545.

    FREQ=DAILY | FREQ=WEEKLY  needed
    BYDAY=MO,TU,..            days of the week; without it those of DAILY are all, that of WEEKLY is the first one's
    UNTIL=20261231T230000Z    no occurrence begins later; by default, and at most, `REPEATED_S_MAX` after the first
    TZID=Europe/Berlin        zone whose wall clock names the time of day; UTC without it (RFC 5545: beside DTSTART)

The first occurrence begins at the start itself if its day is one of them. A wall time that a change of clocks skips
means the time that the clock then shows; of one that comes twice the first is meant.

Source: RFC 5545, 3.3.10 (RRULE), 3.2.19 (TZID); spec/slo.md 4 (adjustments).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from slo.errors import ObjectiveError

RULE_CHARS_MAX = 200
"""Longest text of a rule."""
REPEATED_S_MAX = 366 * 86_400
"""For how long after the first occurrence others follow."""
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_UNTIL_FORM = "%Y%m%dT%H%M%SZ"


class Frequency(StrEnum):
    """How often."""

    DAILY = "DAILY"
    WEEKLY = "WEEKLY"


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat:
    """When something comes again.

    Attributes:
        frequency: Each day, or on days of the week.
        days: Of `DAYS`; empty leaves it to the frequency.
        until_s: No occurrence begins later, unix time; None: as long as is allowed.
        zone: IANA name.
    """

    frequency: Frequency
    days: tuple[str, ...] = ()
    until_s: int | None = None
    zone: str = "UTC"


def repeat(text: str) -> Repeat:
    """Read a rule.

    Raises:
        ObjectiveError: It is none of those above; `rrule` is its key.
    """
    if len(text) > RULE_CHARS_MAX:
        raise _wrong(f"{len(text)} characters", f"up to {RULE_CHARS_MAX}")
    parts = [part.partition("=") for part in text.removeprefix("RRULE:").split(";")]
    values = {name.upper(): value for name, _, value in parts}
    if len(values) < len(parts) or not values.keys() <= {"FREQ", "BYDAY", "UNTIL", "TZID"}:
        raise _wrong(repr(text), "FREQ, BYDAY, UNTIL and TZID, each once")
    if values.get("FREQ") not in set(Frequency):
        raise _wrong(f"FREQ={values.get('FREQ', '')}", "FREQ=DAILY or FREQ=WEEKLY")
    zone = values.get("TZID", "UTC")
    _zone(zone)
    return Repeat(
        frequency=Frequency(values["FREQ"]), days=_days(values.get("BYDAY")), until_s=_until(values), zone=zone
    )


def rule(of: Repeat) -> str:
    """Return the text of a rule; `repeat` reads it back."""
    until = "" if of.until_s is None else f"{datetime.fromtimestamp(of.until_s, UTC):{_UNTIL_FORM}}"
    values = {"FREQ": of.frequency.value, "BYDAY": ",".join(of.days), "UNTIL": until, "TZID": of.zone}
    return ";".join(f"{name}={value}" for name, value in values.items() if value)


def occurrences(of: Repeat, start_s: int, since_s: int, until_s: int) -> Iterator[int]:
    """Yield when the occurrences of [since, until) begin, unix time, oldest first.

    Args:
        of: The rule.
        start_s: The earliest one; its wall time is that of each.
        since_s: Earlier ones are left out.
        until_s: This and later ones are left out.
    """
    zone = _zone(of.zone)
    first = datetime.fromtimestamp(start_s, zone)
    end_s = min(until_s, start_s + REPEATED_S_MAX, *(() if of.until_s is None else (of.until_s + 1,)))
    days = of.days or (DAYS if of.frequency is Frequency.DAILY else (DAYS[first.weekday()],))
    begun_s = max(start_s, since_s)
    if begun_s >= end_s:
        return
    day = datetime.fromtimestamp(begun_s, zone).date() - timedelta(days=1)
    last = datetime.fromtimestamp(end_s, zone).date()
    while day <= last:
        at_s = _at_s(day, first, zone)
        if DAYS[day.weekday()] in days and begun_s <= at_s < end_s:
            yield at_s
        day += timedelta(days=1)


def _at_s(day: date, first: datetime, zone: ZoneInfo) -> int:
    return int(datetime.combine(day, first.time(), zone).replace(fold=0).timestamp())


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise _wrong(f"TZID={name}", "an IANA name such as Europe/Berlin") from None


def _days(text: str | None) -> tuple[str, ...]:
    found = () if text is None else tuple(text.split(","))
    if len(set(found)) < len(found) or not set(found) <= set(DAYS):
        raise _wrong(f"BYDAY={text}", "some of " + ",".join(DAYS) + ", each once")
    return found


def _until(values: dict[str, str]) -> int | None:
    if "UNTIL" not in values:
        return None
    try:
        until_s = int(datetime.strptime(values["UNTIL"], _UNTIL_FORM).replace(tzinfo=UTC).timestamp())
    except ValueError:
        until_s = -1
    if until_s < 0:
        raise _wrong(f"UNTIL={values['UNTIL']}", "a time in UTC from 1970 on such as 20261231T230000Z")
    return until_s


def _wrong(found: str, allowed: str) -> ObjectiveError:
    return ObjectiveError("", "rrule", found, allowed)
