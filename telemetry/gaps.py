"""Knows the series of a stream's arrivals and the gaps between them; refuses to know what arrived.

An arrival is all output with one stamp: time inside one chunk is unknowable. Two series come of it: ICL, the gap
between arrivals, undivided; and ITL, that gap divided among the tokens of the later arrival.

Memory: 16 bytes for each arrival up to `ARRIVALS_MAX`; then the series is folded into histograms, counts by second
and a maximum, and begins anew. Up to there the ICL percentiles are exact; past it they are the upper end of their
bucket, at most 4.43 % too long. Maximum, sums and counts are exact always.

Source: spec/measurement.md 5 and 6.
"""

from array import array
from bisect import bisect_left, bisect_right
from itertools import accumulate, pairwise
from typing import NamedTuple

from telemetry import histogram
from telemetry.percentile import P50, P99, nearest_rank, rank

ARRIVALS_MAX = 4096
"""Arrivals kept one by one before they are folded."""
SECONDS_MAX = 7200
"""Bins of one second that are kept; later output is counted in the last one."""

_NS_PER_S = 1_000_000_000


class GapSummary(NamedTuple):
    """The gaps of a stream, in microseconds; None with fewer than two arrivals."""

    icl_p50_us: int | None
    icl_p99_us: int | None
    icl_max_us: int | None
    stall_n: int
    stall_us: int
    itl_h: dict[int, int]


class _Folded:
    """What is left of arrivals that are no longer kept one by one."""

    __slots__ = ("events_by_s", "icl_h", "icl_max_us", "itl_h", "stall_n", "stall_us", "tokens_by_s")

    def __init__(self) -> None:
        self.icl_h: dict[int, int] = {}
        self.itl_h: dict[int, int] = {}
        self.icl_max_us = 0
        self.stall_n = 0
        self.stall_us = 0
        self.tokens_by_s: dict[int, int] = {}
        self.events_by_s: dict[int, int] = {}


class ArrivalSeries:
    """Collects the arrivals of one stream, in order of their stamps.

    Attributes:
        n: Arrivals.
        n_events: Output events.
        first_ns: Stamp of the first arrival; meaningless while `n` is 0.
        last_ns: Stamp of the last one.
    """

    __slots__ = (
        "_before_ns",
        "_events",
        "_folded",
        "_stall_gap_us",
        "_stamps",
        "_tokens",
        "first_ns",
        "last_ns",
        "n",
        "n_events",
    )

    def __init__(self, *, stall_gap_us: int) -> None:
        self.n = 0
        self.n_events = 0
        self.first_ns = 0
        self.last_ns = 0
        self._stall_gap_us = stall_gap_us
        self._stamps = array("q")
        self._events = array("Q")
        self._tokens = array("Q")
        self._before_ns: int | None = None  # the arrival before the first of `_stamps`
        self._folded: _Folded | None = None

    def add(self, at_ns: int, events: int, tokens: int) -> None:
        """Take output events with one stamp, not earlier than the last; `tokens` is 0 if unknown."""
        self.n_events += events
        if at_ns == self.last_ns and self.n:
            self._events[-1] += events
            self._tokens[-1] += tokens
            return
        self.n += 1
        self.last_ns = at_ns
        self._stamps.append(at_ns)
        self._events.append(events)
        self._tokens.append(tokens)
        if len(self._stamps) > ARRIVALS_MAX:
            self._fold()
        elif self.n == 1:
            self.first_ns = at_ns

    def summary(self) -> GapSummary:
        """Return the gaps so far; changes nothing."""
        if self.n < 2:  # noqa: PLR2004 -- two arrivals make a gap
            return GapSummary(None, None, None, 0, 0, {})
        past, gaps_us = self._folded, self._gaps_us(len(self._stamps))
        ordered = sorted(gaps_us)
        if past is None:
            p50, p99, longest = nearest_rank(ordered, P50), nearest_rank(ordered, P99), ordered[-1]
        else:
            icl_h = histogram.merge(past.icl_h, histogram.build(gaps_us))
            longest = max(past.icl_max_us, ordered[-1])
            p50, p99 = min(_upper_rank(icl_h, P50), longest), min(_upper_rank(icl_h, P99), longest)
        stalls = ordered[bisect_right(ordered, self._stall_gap_us) :]
        return GapSummary(
            icl_p50_us=p50,
            icl_p99_us=p99,
            icl_max_us=longest,
            stall_n=len(stalls) + (past.stall_n if past else 0),
            stall_us=sum(stalls) + (past.stall_us if past else 0),
            itl_h=self._itl_h(gaps_us),
        )

    def tokens_by_s(self) -> dict[int, int]:
        """Return the known tokens of each second, by its distance from the second of the first arrival."""
        return self._by_s(self._folded.tokens_by_s if self._folded else {}, self._tokens, len(self._stamps))

    def events_by_s(self) -> dict[int, int]:
        """Return the output events of each second, by its distance from the second of the first arrival."""
        return self._by_s(self._folded.events_by_s if self._folded else {}, self._events, len(self._stamps))

    def _fold(self) -> None:
        # The last arrival stays: more output may come with its stamp.
        kept = len(self._stamps) - 1
        past = self._folded or _Folded()
        gaps_us = self._gaps_us(kept)
        stalls = [gap_us for gap_us in gaps_us if gap_us > self._stall_gap_us]
        past.itl_h = self._itl_h(gaps_us)
        past.icl_h = histogram.merge(past.icl_h, histogram.build(gaps_us))
        past.icl_max_us = max(past.icl_max_us, *gaps_us)
        past.stall_n += len(stalls)
        past.stall_us += sum(stalls)
        past.tokens_by_s = self._by_s(past.tokens_by_s, self._tokens, kept)
        past.events_by_s = self._by_s(past.events_by_s, self._events, kept)
        self._folded = past
        self._before_ns = self._stamps[kept - 1]
        for series in (self._stamps, self._events, self._tokens):
            del series[:kept]

    def _gaps_us(self, end: int) -> list[int]:
        """Return the gaps before the kept arrivals up to `end`, without one for the very first arrival."""
        stamps = self._stamps[:end].tolist()
        if self._before_ns is not None:
            stamps.insert(0, self._before_ns)
        return [(at - before) // 1000 for before, at in pairwise(stamps)]

    def _itl_h(self, gaps_us: list[int]) -> dict[int, int]:
        first = 0 if self._before_ns is not None else 1
        end = first + len(gaps_us)
        counts = [tokens or n for tokens, n in zip(self._tokens[first:end], self._events[first:end], strict=True)]
        ones = histogram.build([gap_us for gap_us, k in zip(gaps_us, counts, strict=True) if k == 1])
        h = histogram.merge(self._folded.itl_h, ones) if self._folded else ones
        for gap_us, k in zip(gaps_us, counts, strict=True):
            if k > 1:
                i = histogram.index(gap_us // k)
                h[i] = h.get(i, 0) + k
        return h

    def _by_s(self, past: dict[int, int], counts: "array[int]", end: int) -> dict[int, int]:
        bins = dict(past)
        stamps = self._stamps
        origin_s = self.first_ns // _NS_PER_S
        start = 0
        while start < end:
            at_s = stamps[start] // _NS_PER_S
            stop = bisect_left(stamps, (at_s + 1) * _NS_PER_S, start, end)
            second = min(at_s - origin_s, SECONDS_MAX - 1)
            bins[second] = bins.get(second, 0) + sum(counts[start:stop])
            start = stop
        return bins


def _upper_rank(h: dict[int, int], p_ppm: int) -> int:
    ordered = sorted(h)
    upto = list(accumulate(h[i] for i in ordered))
    return histogram.upper_us(ordered[bisect_left(upto, rank(p_ppm, upto[-1]))])
