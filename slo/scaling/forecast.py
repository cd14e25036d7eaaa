"""Knows how many requests to expect when a replica asked for now is ready; refuses to size by it.

    expected(t + L) = max(now, now * shape(t + L) / shape(t), schedule)

The largest, because a shape alone is worse than what is now, and because a schedule may add and never take.
`p95_rps` is that times the 95 % point of actual over expected at this lead in the last 14 days: for the report and for
calibration, not for sizing.

Source: spec/scaling.md 6.1 (N_fc), 6.5.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from slo.scaling.codes import Reason
from slo.scaling.schedule import Peak


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What to expect.

    Attributes:
        now_rps: What arrives.
        expected_rps: What will, when a replica asked for now is ready.
        p95_rps: What it will hardly exceed; None without a record of past forecasts.
        source: Which part of it is the largest.
        lead_s: How far ahead.
        peak: The scheduled peak that is the largest part; None if another one is.
    """

    now_rps: float
    expected_rps: float
    p95_rps: float | None
    source: Reason
    lead_s: float
    peak: Peak | None = None


def forecast(
    now_rps: float, at_s: float, lead_s: float, growth: float | None, peaks: Iterable[Peak], error_p95: float | None
) -> Forecast:
    """Return what to expect.

    Args:
        now_rps: What arrives.
        at_s: The instant, unix seconds.
        lead_s: How far ahead.
        growth: What the shape of the day says; None without one.
        peaks: Scheduled peaks that are near.
        error_p95: 95 % point of actual over expected at this lead; None if unknown.
    """
    expected, source, peak = now_rps, Reason.CAPACITY_NOW, None
    if growth is not None and now_rps * growth > expected:
        expected, source = now_rps * growth, Reason.CAPACITY_FORECAST
    for one in peaks:
        rate = one.schedule.expected_rps
        if rate is not None and one.asks(at_s) and rate > expected:
            expected, source, peak = rate, Reason.SCHEDULE, one
    return Forecast(
        now_rps=now_rps,
        expected_rps=expected,
        p95_rps=None if error_p95 is None else expected * error_p95,
        source=source,
        lead_s=lead_s,
        peak=peak,
    )
