"""Knows which peaks come again at the same time of day, and how a schedule for one is written; refuses to apply any.

Working days and the days off are looked at apart, in UTC. Of each time of day there is the median of those days; their
level is the median of the day. A peak is where that stays a quarter above the level for half an hour or longer, dips of
20 minutes left aside, and where four fifths of the days, and four of them, had it. The rate to expect is that of the
peak's highest ten minutes.

Error: starts and ends are whole ten minutes, and a peak across midnight is two. A peak of local time moves by an hour
against UTC when clocks change. Below 14 days there are no proposals.

Source: spec/scaling.md 6.5 (learnt schedules are proposals, never applied).
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from slo.scaling import cron
from slo.scaling.schedule import Schedule
from slo.scaling.shape import SLOT_S

DAYS_MIN = 14
"""Days that must have been seen."""
HELD_MIN = 4
"""Days of a kind that must have had the peak."""
PROPOSALS_MAX = 8
"""The highest ones; more are no schedule, but the shape of a day, which is followed anyhow."""

_RISE, _HELD_RATIO = 1.25, 0.8
_LENGTH_MIN, _DIP_MAX = 3, 2
_DAY_S = 86_400
_SLOTS = _DAY_S // SLOT_S
_KINDS = (("weekdays", "1-5", range(5)), ("weekends", "0,6", range(5, 7)))
_NEAR_S = 1_800


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A schedule that people may add.

    Attributes:
        kind: `weekdays` or `weekends`.
        weekdays: The same as crontab says it.
        from_s: When it begins, seconds of the day in UTC.
        duration_s: How long it lasts.
        expected_rps: Rate to expect.
        rise_ratio: Mean rate in it over the level of such days, less 1; None where there is nothing else.
        held: Days that had it.
        days: Such days that were seen.
    """

    kind: str
    weekdays: str
    from_s: int
    duration_s: int
    expected_rps: float
    rise_ratio: float | None
    held: int
    days: int

    @property
    def name(self) -> str:
        """What the schedule may be called."""
        return f"{self.kind}-{_clock(self.from_s).replace(':', '')}"

    @property
    def cron(self) -> str:
        """When it begins, as a line of crontab."""
        minutes = self.from_s // 60
        return f"{minutes % 60} {minutes // 60} * * {self.weekdays}"

    @property
    def text(self) -> str:
        """Say it in a sentence."""
        rise = "nothing else comes then" if self.rise_ratio is None else f"+{self.rise_ratio:.0%}"
        span = f"{_clock(self.from_s)}-{_clock(self.from_s + self.duration_s)} UTC"
        return f"{self.kind} {span}, {rise}, up to {self.expected_rps:.3g} rps, on {self.held} of {self.days} days"

    @property
    def yaml(self) -> str:
        """Return what to add below `schedules` of the target."""
        return (
            f'- {{name: {self.name}, cron: "{self.cron}", tz: UTC, duration: {self.duration_s // 60}m, '
            f"expected_rps: {self.expected_rps:.3g}}}"
        )


def days_seen(history: Mapping[int, float]) -> int:
    """Return how many days of UTC had any traffic."""
    return len({start_s // _DAY_S for start_s in history})


def proposals(history: Mapping[int, float], named: Sequence[Schedule] = ()) -> tuple[Proposal, ...]:
    """Return the peaks that come again, the one with the highest rate first; none below `DAYS_MIN` days.

    Args:
        history: Mean rate of each whole slot that had any, by its first second in unix time.
        named: Schedules that the target has: a peak that begins within half an hour of one of them is left out.
    """
    if days_seen(history) < DAYS_MIN:
        return ()
    last_s = max(history)
    found = [
        one
        for kind, weekdays, of in _KINDS
        for one in _of_kind(kind, weekdays, _days(history, of))
        if not any(_begins(schedule, one, last_s, of) for schedule in named)
    ]
    return tuple(sorted(found, key=lambda one: (-one.expected_rps, one.from_s))[:PROPOSALS_MAX])


def _days(history: Mapping[int, float], of: Sequence[int]) -> list[list[float]]:
    """Return the slots of each day of a kind, oldest first; a slot in which nothing came is 0."""
    days: dict[int, list[float]] = {}
    for start_s, rate in history.items():
        if datetime.fromtimestamp(start_s, UTC).weekday() in of:
            days.setdefault(start_s // _DAY_S, [0.0] * _SLOTS)[start_s % _DAY_S // SLOT_S] = rate
    return [days[day] for day in sorted(days)]


def _of_kind(kind: str, weekdays: str, days: Sequence[Sequence[float]]) -> list[Proposal]:
    if len(days) < HELD_MIN:
        return []
    usual = [statistics.median(slot) for slot in zip(*days, strict=True)]
    level = statistics.median(usual)
    made = [_proposal(kind, weekdays, run, usual, days) for run in _runs([rate > _RISE * level for rate in usual])]
    return [one for one in made if one.held >= max(HELD_MIN, _HELD_RATIO * one.days)]


def _proposal(
    kind: str, weekdays: str, run: range, usual: Sequence[float], days: Sequence[Sequence[float]]
) -> Proposal:
    level = statistics.median(usual)
    rates = [statistics.fmean(day[at] for at in run) for day in days]
    return Proposal(
        kind=kind,
        weekdays=weekdays,
        from_s=run.start * SLOT_S,
        duration_s=len(run) * SLOT_S,
        expected_rps=max(usual[at] for at in run),
        rise_ratio=statistics.fmean(usual[at] for at in run) / level - 1 if level else None,
        held=sum(rate > _RISE * level for rate in rates),
        days=len(days),
    )


def _runs(is_high: Sequence[bool]) -> list[range]:
    """Return where it is high for long enough; dips that are short enough do not end it."""
    joined: list[range] = []
    for at in (at for at, high in enumerate(is_high) if high):
        if joined and at - joined[-1].stop <= _DIP_MAX:
            joined[-1] = range(joined[-1].start, at + 1)
        else:
            joined.append(range(at, at + 1))
    return [run for run in joined if len(run) >= _LENGTH_MIN]


def _begins(schedule: Schedule, one: Proposal, last_s: int, of: Sequence[int]) -> bool:
    """Return whether a schedule begins near a peak, on the last day of its kind."""
    last_day = next(
        day for day in range(last_s // _DAY_S, 0, -1) if datetime.fromtimestamp(day * _DAY_S, UTC).weekday() in of
    )
    at_s = last_day * _DAY_S + one.from_s
    near = cron.fires(schedule.cron, ZoneInfo(schedule.zone), at_s - _NEAR_S, at_s + _NEAR_S + 1)
    return next(near, None) is not None


def _clock(second: int) -> str:
    return f"{second // 3600:02}:{second % 3600 // 60:02}"
