"""Knows the buckets of every histogram that goes out; refuses to know what was measured.

A value is placed once, in a cell: the space between two neighbouring ends of the three lists that are shown (ours,
exponential, scale 4; Prometheus's classic ones; those that OpenTelemetry's conventions ask for). Each shown bucket is a
whole number of cells, so every list is exact and none is an estimate of another.

The classic bounds hold the thresholds that people use: 0.8 s and 1 s for a whole answer, 50 ms and 2 s for a gap, and
the limits for first token and pace of the MLPerf inference rules: 0.45, 0.5, 2, 3, 4.5 and 6 s; 30, 40, 80, 100, 175
and 200 ms. A share below such a threshold is exact. Those of inter-token latencies are powers of two, because a record
keeps these only by exponential bucket, and there the ends of both lists meet.

Source: spec/slo.md 2 (templates and presets), spec/store.md 4.2; OpenTelemetry GenAI conventions (telemetry.semconv).
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import accumulate
from math import floor

from telemetry.histogram import SCALE, US_MAX, ZERO_KEY, index, upper_us
from telemetry.semconv import DURATION_BOUNDS_S, FIRST_TOKEN_BOUNDS_S, PER_TOKEN_BOUNDS_S, TOKEN_BOUNDS

FIRST_OUTPUT_S = (
    0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.45, 0.5, 0.75, 0.8, 1.0, 1.5, 2.0, 2.5, 3.0, 4.5, 6.0, 10.0, 30.0, 60.0,
)  # fmt: skip
"""Bounds of TTFT and TTFO, seconds."""
WHOLE_S = (
    0.05, 0.1, 0.25, 0.5, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0, 15.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0,
)  # fmt: skip
"""Bounds of E2E, seconds."""
PACE_S = (0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.08, 0.1, 0.15, 0.175, 0.2, 0.3, 0.5, 1.0)
"""Bounds of TPOT, seconds."""
GAP_S = (0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 60.0)
"""Bounds of the largest gap between arrivals, seconds."""
TOKEN_GAP_S = tuple(2.0**power for power in range(-9, 3))
"""Bounds of inter-token latencies, seconds: 1.95 ms doubling to 4 s."""

_US = 1_000_000
_TOKEN_DOUBLINGS = 27


class Scale:
    """The cells of one kind of value.

    Attributes:
        ends: Largest whole value of every cell but the last, which has no end.
        per_unit: Whole values in one shown unit: 1 000 000 for microseconds shown as seconds.
        classic_bounds: Ends of the classic buckets in the shown unit, but for the last, +Inf.
        otel_bounds: Likewise for OpenTelemetry; empty without a convention.
        classic_of: Number of the classic bucket that a cell lies in.
        otel_of: Number of OpenTelemetry's bucket that a cell lies in.
        exponential_of: Index of the exponential bucket that a cell lies in.
    """

    def __init__(
        self, exponential: Mapping[int, int], per_unit: int, classic: Sequence[float], otel: Sequence[float] = ()
    ) -> None:
        """Cut the cells.

        Args:
            exponential: Largest whole value of each exponential bucket that holds any, by its index, ascending.
            per_unit: Whole values in one shown unit.
            classic: Bounds in the shown unit.
            otel: Bounds in the shown unit.
        """
        keys, uppers = tuple(exponential), tuple(exponential.values())
        classics, otels = _whole(classic, per_unit), _whole(otel, per_unit)
        self.ends = tuple(sorted({*uppers, *classics, *otels}))
        self.per_unit = per_unit
        self.classic_bounds, self.otel_bounds = tuple(classic), tuple(otel)
        places = (*self.ends, self.ends[-1] + 1)
        self.classic_of = tuple(bisect_left(classics, place) for place in places)
        self.otel_of = tuple(bisect_left(otels, place) for place in places)
        self.exponential_of = tuple(keys[min(bisect_left(uppers, place), len(keys) - 1)] for place in places)

    def classic(self, cells: Mapping[int, int]) -> list[int]:
        """Return the cumulative counts of the classic buckets, +Inf last."""
        return list(accumulate(_gathered(cells, self.classic_of, len(self.classic_bounds) + 1)))

    def otel(self, cells: Mapping[int, int]) -> list[int]:
        """Return the counts of OpenTelemetry's buckets, the one without an end last."""
        return _gathered(cells, self.otel_of, len(self.otel_bounds) + 1)

    def exponential(self, cells: Mapping[int, int]) -> dict[int, int]:
        """Return the exponential histogram."""
        h: dict[int, int] = {}
        for cell, count in cells.items():
            key = self.exponential_of[cell]
            h[key] = h.get(key, 0) + count
        return h


def itl_cells(h: Mapping[int, int]) -> dict[int, int]:
    """Return an exponential histogram of microseconds by the cells of `ITL`."""
    cells: dict[int, int] = {}
    for key, count in h.items():
        cell = bisect_left(ITL.ends, upper_us(key))
        cells[cell] = cells.get(cell, 0) + count
    return cells


def _whole(bounds: Iterable[float], per_unit: int) -> list[int]:
    # Decimal, for a bound like 0.45 s must be 450 000 us and not one less.
    return [floor(Decimal(repr(bound)) * per_unit) for bound in bounds]


def _gathered(cells: Mapping[int, int], places: Sequence[int], size: int) -> list[int]:
    counts = [0] * size
    for cell, count in cells.items():
        counts[places[cell]] += count
    return counts


def _first_of_each(uppers: Iterable[tuple[int, int]]) -> dict[int, int]:
    """Drop buckets that are too narrow to hold a whole value."""
    kept, before = dict[int, int](), -1
    for key, upper in uppers:
        if upper > before:
            kept[key] = before = upper
    return kept


_DURATIONS = _first_of_each([(ZERO_KEY, 0), *((i, upper_us(i)) for i in range(index(1), index(US_MAX) + 1))])
_COUNTS = _first_of_each(
    [(ZERO_KEY, 0), *((i, floor(2 ** ((i + 1) / 2**SCALE))) for i in range(-1, _TOKEN_DOUBLINGS * 2**SCALE))]
)

TTFT = Scale(_DURATIONS, _US, FIRST_OUTPUT_S, FIRST_TOKEN_BOUNDS_S)
TTFO = Scale(_DURATIONS, _US, FIRST_OUTPUT_S)
E2E = Scale(_DURATIONS, _US, WHOLE_S, DURATION_BOUNDS_S)
TPOT = Scale(_DURATIONS, _US, PACE_S, PER_TOKEN_BOUNDS_S)
ICL_MAX = Scale(_DURATIONS, _US, GAP_S, DURATION_BOUNDS_S)
ITL = Scale(_DURATIONS, _US, TOKEN_GAP_S, TOKEN_GAP_S)
FIRST_EVENT = Scale(_DURATIONS, _US, (), DURATION_BOUNDS_S)
TOKENS = Scale(_COUNTS, 1, TOKEN_BOUNDS, TOKEN_BOUNDS)
