"""Knows which time a panel is about and in which steps it is told; refuses to know what is asked.

    range       up to 15 min   1 d     2 d     60 d   more
    step        1 s (10 s)     1 min   2 min   1 h    6 h     percentiles take the one in brackets
    live tick   1 s            10 s    10 s    60 s   60 s

A roll-up of seconds is kept for three days and one of minutes for ninety, so an older start has a coarser step. A
series ends with its last whole step: half a step would look like half the requests. Of a map only so many steps
can be told apart; its step is a multiple of the one above.

Source: spec/ui.md 3 (step and table by range); spec/store.md 4.1 (retention).
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from math import ceil

from slo.telemetry_state import STALE_S

STEPS_MAX = 11_000
"""Steps of one series; beyond it a coarser step is asked for."""
STEP_S_MAX = 86_400
"""Longest step."""
SPAN_S_MAX = 800 * 86_400
"""Longest time: no roll-up is kept for longer."""
TIME_CHARS_MAX = 40
"""Longest text of a time."""
_DEFAULT_S = 900
_DAY_S = 86_400
_RELATIVE = re.compile(r"now(?:-([0-9]{1,6})([smhdw]))?")
_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": _DAY_S, "w": 7 * _DAY_S}
_LATEST_UNIX_S = 4_102_444_800
"""The year 2100: a number beyond it is no time of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Range:
    """Up to which length, seconds; then step, step of percentiles, and live tick."""

    span_s: float
    step_s: int
    quantile_step_s: int
    tick_s: int


_RANGES = (
    _Range(span_s=900, step_s=1, quantile_step_s=10, tick_s=1),
    _Range(span_s=_DAY_S, step_s=60, quantile_step_s=60, tick_s=10),
    _Range(span_s=2 * _DAY_S, step_s=120, quantile_step_s=120, tick_s=10),
    _Range(span_s=60 * _DAY_S, step_s=3_600, quantile_step_s=3_600, tick_s=60),
    _Range(span_s=float("inf"), step_s=21_600, quantile_step_s=21_600, tick_s=60),
)
_KEPT_S = ((3 * _DAY_S, 60), (90 * _DAY_S, 3_600))
"""Age of a start beyond which steps cannot be finer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A time and its steps.

    Attributes:
        since_ms: Start, unix milliseconds, included.
        until_ms: End, excluded.
        step_s: Step of a series.
        tick_s: How often it changes while somebody looks.
    """

    since_ms: int
    until_ms: int
    step_s: int
    tick_s: int


def span(
    since: str, until: str, step_s: int | None, now_ms: int, *, is_quantile: bool, steps_max: int = STEPS_MAX
) -> Span:
    """Return the time that is meant.

    Args:
        since: Its start: RFC 3339, unix seconds, or `now-15m`; empty: a quarter of an hour before the end.
        until: Its end; empty: now.
        step_s: Step, seconds; None: by the length of the time.
        now_ms: The present, unix milliseconds.
        is_quantile: Whether percentiles are asked for, which need more requests to a step.
        steps_max: Most steps, where none is asked for and the longest one allows it.

    Raises:
        ValueError: A time is none, it ends before it begins, or it is too long for its step.
    """
    until_ms = now_ms if not until else instant_ms(until, now_ms)
    since_ms = until_ms - _DEFAULT_S * 1000 if not since else instant_ms(since, now_ms)
    if not 0 <= since_ms < until_ms:
        raise ValueError("`from` must be before `to`")
    length_s = (until_ms - since_ms) / 1000
    if length_s > SPAN_S_MAX:
        raise ValueError(f"{round(length_s)} s; nothing is kept for longer than {SPAN_S_MAX}")
    usual = next(one for one in _RANGES if length_s <= one.span_s)
    finest_s = max((step for age_s, step in _KEPT_S if now_ms - since_ms > age_s * 1000), default=1)
    least = max(usual.quantile_step_s if is_quantile else usual.step_s, finest_s)
    step = step_s or _times(least, length_s / least / steps_max)
    if length_s / step > STEPS_MAX:
        raise ValueError(f"a step of {step} s makes {round(length_s / step)} of them; allowed are {STEPS_MAX}")
    return Span(since_ms=since_ms, until_ms=until_ms, step_s=step, tick_s=usual.tick_s)


def whole_steps(one: Span) -> Span:
    """Return the same from the step that it begins in to the end of its last whole step; of one step at least."""
    step_ms = one.step_s * 1000
    since_ms = one.since_ms // step_ms * step_ms
    until_ms = max(one.until_ms // step_ms * step_ms, since_ms + step_ms)
    return Span(since_ms=since_ms, until_ms=until_ms, step_s=one.step_s, tick_s=one.tick_s)


def coarser(one: Span, times: float) -> Span | None:
    """Return the same in steps that are at least so many times as long; None if none are longer.

    Args:
        one: The time.
        times: More than 1; beyond a day no step grows.
    """
    step_s = _times(one.step_s, times)
    return None if step_s == one.step_s else whole_steps(replace(one, step_s=step_s))


def _times(step_s: int, times: float) -> int:
    """Return a whole multiple of a step, so that roll-ups fit it: at least so many times, up to the longest step."""
    return step_s * max(1, min(ceil(times), STEP_S_MAX // step_s))


def stored(one: Span, mark_ms: int | None) -> Span:
    """Return a time without its end, if not everything of that is stored yet; what is old is stale, not absent.

    Args:
        one: The time.
        mark_ms: Everything that ended before is stored, as of now, unix milliseconds; None if nobody says so.
    """
    if mark_ms is None or not one.until_ms - STALE_S * 1000 <= mark_ms < one.until_ms:
        return one
    return replace(one, until_ms=max(mark_ms, one.since_ms + 1))


def instant_ms(text: str, now_ms: int) -> int:
    """Return a time, unix milliseconds.

    Raises:
        ValueError: It is none.
    """
    if found := _RELATIVE.fullmatch(text):
        return now_ms - (int(found[1]) * _UNITS_S[found[2]] * 1000 if found[1] else 0)
    if text.isascii() and text.isdigit() and int(text) <= _LATEST_UNIX_S:
        return int(text) * 1000
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or not 0 <= at.timestamp() <= _LATEST_UNIX_S:
        raise ValueError(f"{text[:TIME_CHARS_MAX]!r} is no time; allowed are 2026-01-31T12:00:00Z, now, now-15m")
    return round(at.timestamp() * 1000)
