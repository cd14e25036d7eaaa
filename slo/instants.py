"""Knows at which instants rules are evaluated, and what a jump of the wall clock means; refuses to read a clock.

Every replica asks at the same aligned instants, late enough for all live collectors' rows to be there. Instants never
go back. Those that a pause or a restart missed are replayed in order for an hour, and older ones are left out.

Source: spec/slo.md 8.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

STEP_S = 30
"""From one instant to the next; a multiple of the bucket of counts."""
LAG_S_MAX = 30
"""A collector whose watermark lags by more is stale and waited for no longer."""
REPLAY_S_MAX = 3_600
"""Instants older than this are not replayed."""
CLOCK_STEP_S_MAX = 60
"""A wall clock that runs away from the monotonic one by more has been set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Instants to evaluate.

    Attributes:
        instants: Unix times, oldest first.
        skipped: How many were missed and are too old; a note says so.
    """

    instants: range
    skipped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """Both clocks when they were read last.

    Attributes:
        wall_unix_s: The wall clock.
        monotonic_s: The monotonic clock.
        stepped_unix_s: The wall time after its last forward step; None without one.
    """

    wall_unix_s: float
    monotonic_s: float
    stepped_unix_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockStep:
    """The wall clock was set, or the machine slept; becomes a `clock_event`.

    Attributes:
        at_unix_s: The wall time after it.
        by_s: Seconds that it went forward, negative for back.
    """

    at_unix_s: float
    by_s: float


def lag_s(watermark_lags_s: Iterable[float]) -> float:
    """Return how far behind the wall clock to evaluate: the largest lag of a live collector.

    Returns:
        `LAG_S_MAX` if none is live.
    """
    return max((lag for lag in watermark_lags_s if lag <= LAG_S_MAX), default=float(LAG_S_MAX))


def instant_s(now_unix_s: float, lag: float, step_s: int = STEP_S) -> int:
    """Return the latest aligned instant whose rows are there."""
    return math.floor((now_unix_s - lag) / step_s) * step_s


def due(last_s: int | None, current_s: int, step_s: int = STEP_S) -> Due:
    """Return the instants after the last one, up to the current one.

    Args:
        last_s: The last instant that was evaluated; None before the first, when only the current one is due.
        current_s: From `instant_s`. Before `last_s`, when the wall clock went back: nothing is due until it is there.
        step_s: From one instant to the next.
    """
    if last_s is None:
        return Due(instants=range(current_s, current_s + step_s, step_s), skipped=0)
    missed = range(last_s + step_s, current_s + 1, step_s)
    kept = range(max(missed.start, current_s - REPLAY_S_MAX), missed.stop, step_s)
    return Due(instants=kept, skipped=len(missed) - len(kept))


def read_clocks(before: Clocks, wall_unix_s: float, monotonic_s: float) -> tuple[Clocks, ClockStep | None]:
    """Return the clocks, and whether the wall clock was set since they were read last."""
    by_s = (wall_unix_s - before.wall_unix_s) - (monotonic_s - before.monotonic_s)
    now = replace(before, wall_unix_s=wall_unix_s, monotonic_s=monotonic_s)
    if abs(by_s) <= CLOCK_STEP_S_MAX:
        return now, None
    if by_s > 0:
        now = replace(now, stepped_unix_s=wall_unix_s)
    return now, ClockStep(at_unix_s=wall_unix_s, by_s=by_s)


def may_start(clocks: Clocks, at_s: int, short_s: int) -> bool:
    """Return whether a rule may begin to fire: not for one short window after the clock went forward.

    Args:
        clocks: As read last.
        at_s: The instant.
        short_s: The short window of the rule.
    """
    return clocks.stepped_unix_s is None or at_s >= clocks.stepped_unix_s + short_s
