"""Knows OpenSLO's durations, `5m` to `1Y`; refuses seconds and fractions, which OpenSLO does not have.

Source: OpenSLO v1 README, duration-shorthand; spec/slo.md 1 (M, Q, Y calendar only).
"""

import re

from slo.documents import Section
from slo.periods import CalendarUnit

DURATION_DIGITS_MAX = 6
"""Digits of a duration's number."""
_UNITS = {"m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}
_FORM = re.compile(rf"([0-9]{{1,{DURATION_DIGITS_MAX}}})([mhdwMQY])")
_ALLOWED = "a whole number and one of m, h, d, w, for example 30d"
_ALLOWED_CALENDAR = "a whole number and one of d, w, M, Q, Y, for example 1M"


def duration_s(section: Section, name: str, *, required: bool = False, zero: bool = False) -> int | None:
    """Return a duration in seconds; None if there is none, or it is a mistake."""
    text = section.text(name, allowed=_ALLOWED, required=required)
    found = seconds(text)
    if text and (found is None or (found == 0 and not zero)):
        section.wrong(name, _ALLOWED if found is None else _ALLOWED + ", above 0")
        return None
    return found


def calendar(section: Section, name: str) -> tuple[int, CalendarUnit] | None:
    """Return a civil duration; None if it is a mistake."""
    text = section.text(name, allowed=_ALLOWED_CALENDAR, required=True)
    found = _FORM.fullmatch(text)
    unit = next((one for one in CalendarUnit if found and found[2] == one.value), None)
    if not found or unit is None or not int(found[1]):
        if text:
            section.wrong(name, _ALLOWED_CALENDAR)
        return None
    return int(found[1]), unit


def seconds(text: str) -> int | None:
    """Return the length of a duration in seconds; None if it is none, or of the calendar."""
    found = _FORM.fullmatch(text)
    return int(found[1]) * _UNITS[found[2]] if found and found[2] in _UNITS else None


def shorthand(length_s: int) -> str:
    """Return a length of whole minutes as a duration, in the largest unit up to days that holds it exactly.

    Raises:
        ValueError: It is not made of whole minutes.
    """
    for unit in ("d", "h", "m"):
        if length_s % _UNITS[unit] == 0:
            return f"{length_s // _UNITS[unit]}{unit}"
    raise ValueError(f"{length_s} s is not made of whole minutes")
