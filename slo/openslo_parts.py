"""Knows how OpenSLO writes time windows, targets and slices; refuses to know what is counted.

Source: OpenSLO v1 README, timeWindow, objectives; spec/slo.md 1, 4 (calendar windows).
"""

from datetime import datetime

from slo.documents import Section
from slo.durations import calendar, duration_s
from slo.errors import ObjectiveError
from slo.objective import Budgeting, Rolling
from slo.periods import Calendar, zone_notes

WINDOW_S_MAX = 400 * 86_400
"""Longest rolling window: counts are kept as long."""
MINUTE_S = 60
_TARGET = "a number of at least 0 and below 1, or targetPercent below 100"
_START_FORMS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M:%S")


def window(spec: Section) -> Rolling | Calendar | None:
    """Return the one time window of an SLO; None if it is a mistake."""
    sections = list(spec.sections("timeWindow", required=True))
    if len(sections) != 1:
        if sections or "timeWindow" in spec:
            spec.wrong("timeWindow", "a list of exactly one window", f"{len(sections)} windows")
        return None
    section = sections[0]
    civil = section.section("calendar")
    rolling = section.flag("isRolling", default=civil is None)
    if rolling == (civil is not None):
        section.wrong("isRolling", "isRolling: true, or calendar", "both" if rolling else "neither")
    found = _calendar(section, civil) if civil is not None else _rolling(section)
    section.end()
    return found


def _rolling(section: Section) -> Rolling | None:
    length_s = duration_s(section, "duration", required=True)
    if length_s is not None and length_s > WINDOW_S_MAX:
        section.wrong("duration", f"at most {WINDOW_S_MAX // 86_400}d, which is how long counts are kept")
    return None if length_s is None else Rolling(length_s=length_s)


def _calendar(section: Section, civil: Section) -> Calendar | None:
    span = calendar(section, "duration")
    start = _start(civil)
    zone = civil.text("timeZone", required=True, allowed="an IANA name such as Europe/Berlin")
    civil.end()
    try:
        for note in zone_notes(zone) if zone else ():
            civil.lint("timeZone", note)
    except ObjectiveError as error:
        civil.wrong("timeZone", error.allowed)
        return None
    if span is None or start is None or not zone:
        return None
    return Calendar(start=start, zone=zone, count=span[0], unit=span[1])


def _start(civil: Section) -> datetime | None:
    allowed = "a wall time without zone, for example 2026-01-01 00:00:00"
    text = civil.text("startTime", required=True, allowed=allowed)
    for form in _START_FORMS:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 -- a wall time; its zone stands beside it
        except ValueError:
            continue
    if text:
        civil.wrong("startTime", allowed)
    return None


def target_ratio(section: Section) -> float | None:
    """Return the share that is to be good; None if it is a mistake."""
    target, percent = section.number("target", _TARGET), section.number("targetPercent", _TARGET)
    if (target is None) == (percent is None):
        section.wrong("target", "one of target and targetPercent", "none" if target is None else "both")
        return None
    # 99.95 % is 0.9995 exactly: the decimal is shifted, not the float divided.
    found = target if target is not None else float(f"{percent!r}e-2")
    if not 0 <= found < 1:
        section.wrong("target" if target is not None else "targetPercent", _TARGET)
        return None
    return found


def slices(section: Section, method: Budgeting) -> tuple[int | None, float | None]:
    """Return the length of a slice, and the share of its requests that makes it good; None where there is none."""
    sliced, timed = method is not Budgeting.OCCURRENCES, method is Budgeting.TIMESLICES
    for name, wanted in (("timeSliceWindow", sliced), ("timeSliceTarget", timed)):
        if (name in section) != wanted:
            section.wrong(name, f"{name} if and only if the budgetingMethod has it", None if wanted else method.value)
    share = section.number("timeSliceTarget", "a number above 0, at most 1")
    if share is not None and not 0 < share <= 1:
        section.wrong("timeSliceTarget", "a number above 0, at most 1")
    raw = section.raw("timeSliceWindow")
    if raw is None or isinstance(raw.value, str):
        length_s = duration_s(section, "timeSliceWindow")
    else:
        minutes = section.number("timeSliceWindow", "a duration, or a whole number of minutes")
        length_s = None if minutes is None else int(minutes * MINUTE_S)
        if minutes is not None and (minutes < 1 or minutes != int(minutes)):
            section.wrong("timeSliceWindow", "a duration, or a whole number of minutes")
    return length_s, share
