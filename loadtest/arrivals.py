"""Knows when the arrivals of a synthetic plan come; refuses to know what they ask for.

A plan ends by time (then their number is random) or by number (then its end is). Gaps are never stretched to fit.

Source: spec/loadtest.md 2.
"""

from array import array

from loadtest.curve import Curve
from loadtest.errors import PlanError
from loadtest.gaps import gaps
from loadtest.plan_spec import ARRIVALS_MAX, PlanSpec
from loadtest.random_streams import Stream, stream

PLAN_S_MAX = 31 * 86_400.0
"""Longest plan, seconds."""

_NS = 1_000_000_000


def planned_times(spec: PlanSpec) -> "array[int]":
    """Return the arrivals in nanoseconds after the start, ascending.

    Args:
        spec: With a rate.

    Raises:
        PlanError: There are more than `ARRIVALS_MAX`, the last comes after `PLAN_S_MAX`, or the rate falls to 0 before
            their number is reached.
    """
    if spec.rate is None:
        raise PlanError("rate: found none, allowed: a curve")
    curve = Curve(spec.rate.points, spec.rate.shape)
    end_ns = round(min(spec.duration_s or PLAN_S_MAX, PLAN_S_MAX) * _NS)
    times, expected = array("q"), 0.0
    for gap in gaps(spec.process, spec.shape, stream(spec.seed, Stream.ARRIVALS)):
        expected += gap
        t_s = curve.reaches(expected)
        if t_s is None or t_s * _NS >= end_ns or len(times) == (spec.count or ARRIVALS_MAX + 1):
            break
        times.append(round(t_s * _NS))
    _check(spec, len(times))
    return times


def _check(spec: PlanSpec, planned: int) -> None:
    if planned > ARRIVALS_MAX:
        raise PlanError(f"rate: found more than {ARRIVALS_MAX} arrivals in {spec.duration_s} s, allowed {ARRIVALS_MAX}")
    if spec.duration_s and spec.duration_s > PLAN_S_MAX:
        raise PlanError(f"duration_s: found {spec.duration_s}, allowed {PLAN_S_MAX}")
    if spec.count and planned < spec.count:
        raise PlanError(f"count: found {spec.count}, allowed {planned}: the rate is 0, or longer than {PLAN_S_MAX} s")
