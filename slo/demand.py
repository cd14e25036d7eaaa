"""Knows how many requests a span is expected to bring, from the same hours of past weeks; refuses to know outcomes.

The value of an hour of the week is the median of that hour over the last weeks; hours that were blind are not handed
in. With less than a week of history there is one mean for all hours, and it says so.

Source: spec/slo.md 4 (`n_hat`: median of the same weekday-hour over 4 weeks; less than 7 d: a flat mean, flagged).
"""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

HOUR_S = 3_600
HOURS_PER_WEEK = 168
WEEKS = 4
"""Weeks that a profile looks back."""

_THURSDAY = 72  # 1970-01-01 was a Thursday: its first hour is number 72 of a week that starts on Monday


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Requests to expect.

    Attributes:
        per_hour: One value for each hour of the week, Monday 00:00 UTC first.
        flat: Whether history was too short, so that all hours have the same value.
    """

    per_hour: tuple[float, ...]
    flat: bool


def profile(hours: Mapping[int, int], at_s: int) -> Profile | None:
    """Return the profile that past hours give.

    Args:
        hours: Requests of each whole hour that was seen, by its first second in unix time; 0 where none came.
        at_s: Hours from here on are left out, and those older than `WEEKS`.

    Returns:
        None without any hour.
    """
    past = {start_s: n for start_s, n in hours.items() if at_s - WEEKS * HOURS_PER_WEEK * HOUR_S <= start_s < at_s}
    if not past:
        return None
    mean = statistics.fmean(past.values())
    flat = max(past) - min(past) + HOUR_S < HOURS_PER_WEEK * HOUR_S
    of_hour: dict[int, list[int]] = {}
    for start_s, n in past.items():
        of_hour.setdefault(_hour_of_week(start_s), []).append(n)
    per_hour = [mean if flat or at not in of_hour else statistics.median(of_hour[at]) for at in range(HOURS_PER_WEEK)]
    return Profile(per_hour=tuple(map(float, per_hour)), flat=flat)


def expected(of: Profile, since_s: int, until_s: int) -> float:
    """Return the requests to expect in [since_s, until_s); hours that are cut count in part."""
    weeks, rest_s = divmod(max(0, until_s - since_s), HOURS_PER_WEEK * HOUR_S)
    sum_n, at_s, end_s = weeks * sum(of.per_hour), since_s, since_s + rest_s
    while at_s < end_s:
        next_s = min(end_s, (at_s // HOUR_S + 1) * HOUR_S)
        sum_n += of.per_hour[_hour_of_week(at_s)] * (next_s - at_s) / HOUR_S
        at_s = next_s
    return sum_n


def _hour_of_week(at_s: int) -> int:
    return (at_s // HOUR_S + _THURSDAY) % HOURS_PER_WEEK
