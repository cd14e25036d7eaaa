"""Knows when the arrivals of a synthetic plan come; refuses to know what they ask for.

A plan ends by time (then their number is random) or by number (then its end is). Gaps are never stretched to fit. In a
closed loop nobody knows when a request will come: then all times are 0, and `loadtest.closed` says which part is next.

Source: spec/loadtest.md 2.
"""

from array import array

from loadtest.curve import Curve
from loadtest.errors import PlanError
from loadtest.gaps import gaps
from loadtest.plan_spec import ARRIVALS_MAX, PLAN_S_MAX, PlanSpec
from loadtest.random_streams import Stream, stream

PREPARED_MAX = 4096
"""Requests of a closed loop that are drawn; behind them they begin again, each with another nonce."""
_NS = 1_000_000_000


def planned_times(spec: PlanSpec) -> "array[int]":
    """Return the arrivals in nanoseconds after the start, ascending.

    Args:
        spec: With a rate, or of a closed loop.

    Raises:
        PlanError: There are more than `ARRIVALS_MAX`, the last comes after `PLAN_S_MAX`, or the rate falls to 0 before
            their number is reached.
    """
    if spec.slots is not None:
        return array("q", bytes(8 * min(spec.count or PREPARED_MAX, PREPARED_MAX)))
    if spec.rate is None:
        raise PlanError("rate: found none, allowed: a curve")
    curve = Curve(spec.rate.points, spec.rate.shape)
    end_ns = round((spec.duration_s or PLAN_S_MAX) * _NS)
    if spec.duration_s and curve.integral(spec.duration_s) > 2 * ARRIVALS_MAX:  # seen before any of them is drawn
        raise _too_many(spec)
    times, expected = array("q"), 0.0
    for gap in gaps(spec.process, spec.shape, stream(spec.seed, Stream.ARRIVALS)):
        expected += gap
        t_s = curve.reaches(expected)
        if t_s is None or t_s * _NS >= end_ns or len(times) == (spec.count or ARRIVALS_MAX + 1):
            break
        times.append(round(t_s * _NS))
    if len(times) > ARRIVALS_MAX:
        raise _too_many(spec)
    if spec.count and len(times) < spec.count:
        raise PlanError(
            f"count: found {spec.count}, allowed {len(times)}: the rest comes never, or after {PLAN_S_MAX} s"
        )
    return times


def _too_many(spec: PlanSpec) -> PlanError:
    return PlanError(f"rate: found more than {ARRIVALS_MAX} arrivals in {spec.duration_s} s, allowed {ARRIVALS_MAX}")
