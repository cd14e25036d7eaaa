"""Knows the running counts of finished requests and how they are read while they grow; refuses to know who reads.

One cell per (endpoint, model, dialect, outcome, phase, judgement): the first two are bounded by `collector.labels`, the
others are closed sets, and few of their combinations ever occur. Region, class and variant are no part of it: they are
configured once per observer and shown once, in `endpoint_info`. A replica is none either, it would multiply every
histogram by the size of the fleet. What is beyond the bound on cells is counted under the model `other`; a cell without
a request for a day is dropped, and counts from zero if it comes back.

Writer and readers: one thread adds, any other may read, and neither waits for a lock. A cell's version is odd while it
changes; a reader copies the cell and keeps the copy only if the version was even and is the same afterwards. Under the
GIL a copy takes microseconds and a thread is interrupted every 5 ms, so nearly every first try succeeds.

Source: spec/store.md 4.1 (which counts) and 6 (bounds), spec/measurement.md 6 to 9.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import UUID

from collector.buckets import E2E, FIRST_EVENT, ICL_MAX, TOKENS, TPOT, TTFO, TTFT, Scale
from collector.labels import OTHER
from telemetry.record import RequestRecord

CELLS_MAX = 1000
"""Most cells; of a new one beyond them the model becomes `other`."""
STALE_MS_MAX = 24 * 3_600_000
"""A cell without a request for this long is dropped."""
EXEMPLAR_MS_MAX = 5 * 60_000
"""For so long the worst request of a bucket is its exemplar; then the next one is, whatever it took."""
TRIES_MAX = 100
"""How often a reader tries to copy a cell; then it is left out of what is read."""


class Key(NamedTuple):
    """What a cell counts."""

    endpoint: str
    model: str
    api: str
    outcome: str
    phase: str
    eligible: str


class Worst(NamedTuple):
    """The request with the largest value of a bucket.

    Attributes:
        value: In whole values of the scale.
        ended_at: Wall time, unix milliseconds.
        trace_id: 16 bytes, zeros if it carried none.
        record_id: Of its row in `requests`.
    """

    value: int
    ended_at: int
    trace_id: bytes
    record_id: UUID


@dataclass(slots=True)
class Spread:
    """A histogram.

    Attributes:
        cells: Values by cell of its scale.
        total: Their exact sum, in whole values.
        worst: Worst request by classic bucket.
    """

    cells: dict[int, int] = field(default_factory=dict[int, int])
    total: int = 0
    worst: dict[int, Worst] = field(default_factory=dict[int, Worst])

    @property
    def n(self) -> int:
        """How many values there are."""
        return sum(self.cells.values())

    def plus(self, other: "Spread") -> "Spread":
        """Return the histogram of the values of both."""
        worst = dict(self.worst)
        for bucket, theirs in other.worst.items():
            worst[bucket] = max(theirs, worst.get(bucket, theirs), key=_value)
        return Spread(dict(Counter(self.cells) + Counter(other.cells)), self.total + other.total, worst)

    def minus(self, before: "Spread") -> "Spread":
        """Return the histogram of the values that came after an earlier reading."""
        return Spread(dict(Counter(self.cells) - Counter(before.cells)), self.total - before.total, self.worst)


@dataclass(slots=True)
class Counted:
    """What is counted of the requests of a cell.

    Attributes:
        since: Wall time of the first of them, unix milliseconds.
        until: Wall time of the last of them.
        n: Requests.
        in_stream: Of these, with a fault seen under HTTP 200.
        tokens_cache_read: Prompt tokens read from a cache.
        tokens_cache_write: Prompt tokens written to a cache.
        tokens_reasoning: Output tokens spent on reasoning.
        spreads: A histogram for each of `MEASURES`, by name.
        itl_h: Inter-token latencies by exponential bucket.
    """

    since: int
    until: int = 0
    n: int = 0
    in_stream: int = 0
    tokens_cache_read: int = 0
    tokens_cache_write: int = 0
    tokens_reasoning: int = 0
    spreads: dict[str, Spread] = field(default_factory=lambda: {name: Spread() for name in MEASURES})
    itl_h: dict[int, int] = field(default_factory=dict[int, int])

    def copy(self) -> "Counted":
        """Return a copy that does not change."""
        spreads = {
            name: Spread(spread.cells.copy(), spread.total, spread.worst.copy())
            for name, spread in self.spreads.items()
        }
        return Counted(
            self.since,
            self.until,
            self.n,
            self.in_stream,
            self.tokens_cache_read,
            self.tokens_cache_write,
            self.tokens_reasoning,
            spreads,
            self.itl_h.copy(),
        )

    def minus(self, before: "Counted") -> "Counted":
        """Return what was counted after an earlier reading."""
        return Counted(
            before.until,
            self.until,
            self.n - before.n,
            self.in_stream - before.in_stream,
            self.tokens_cache_read - before.tokens_cache_read,
            self.tokens_cache_write - before.tokens_cache_write,
            self.tokens_reasoning - before.tokens_reasoning,
            {name: spread.minus(before.spreads[name]) for name, spread in self.spreads.items()},
            dict(Counter(self.itl_h) - Counter(before.itl_h)),
        )


class _Cell:
    """A cell and its version: odd while it changes."""

    __slots__ = ("counted", "places", "version")

    def __init__(self, since: int) -> None:
        self.version = 0
        self.counted = Counted(since)
        self.places = [
            (spread, scale.ends, scale.classic_of)
            for spread, scale in zip(self.counted.spreads.values(), MEASURES.values(), strict=True)
        ]

    def add(self, record: RequestRecord) -> None:
        self.version += 1
        try:
            self._add(record)
        finally:
            self.version += 1

    def _add(self, record: RequestRecord) -> None:
        counted = self.counted
        ended_at = counted.until = record.ended_at
        counted.n += 1
        counted.in_stream += record.in_stream
        counted.tokens_cache_read += record.tokens_cache_read or 0
        counted.tokens_cache_write += record.tokens_cache_write or 0
        counted.tokens_reasoning += record.tokens_reasoning or 0
        whole_us = record.elapsed_us if record.e2e_us is None else record.e2e_us
        # In the order of MEASURES, and everything in one loop: this runs for every request.
        values = (
            record.ttft_us,
            record.ttfo_us,
            whole_us,
            record.tpot_us,
            record.icl_max_us,
            record.tokens_in,
            record.tokens_out,
            record.first_event_us if record.stream else None,
        )
        for (spread, ends, classic_of), value in zip(self.places, values, strict=True):
            if value is None:
                continue
            cell = bisect_left(ends, value)
            spread.cells[cell] = spread.cells.get(cell, 0) + 1
            spread.total += value
            bucket = classic_of[cell]
            worst = spread.worst.get(bucket)
            if worst is None or value >= worst[0] or ended_at - worst[1] > EXEMPLAR_MS_MAX:
                spread.worst[bucket] = Worst(value, ended_at, record.trace_id, record.record_id)
        itl_h = counted.itl_h
        for key, count in record.itl_h.items():
            itl_h[key] = itl_h.get(key, 0) + count

    def read(self, pause: Callable[[], None]) -> Counted | None:
        for _ in range(TRIES_MAX):
            version = self.version
            copied = self.counted.copy()
            if version % 2 == 0 and version == self.version:
                return copied
            pause()
        return None


class Series:
    """The cells of an observer.

    Attributes:
        folded: Requests that were counted under the model `other`, because there were too many cells.
    """

    def __init__(self) -> None:
        self.folded = 0
        self._cells: dict[tuple[str, ...], _Cell] = {}

    def add(self, record: RequestRecord) -> None:
        """Count a finished request."""
        key = (record.endpoint, record.model, record.api, record.outcome, record.phase, record.eligible)
        cell = self._cells.get(key) or self._new(key, record.ended_at)
        cell.add(record)

    def prune(self, now_unix_ms: int) -> None:
        """Drop the cells that are stale."""
        oldest = now_unix_ms - STALE_MS_MAX
        stale = [key for key, cell in self._cells.items() if cell.counted.until < oldest]
        for key in stale:
            del self._cells[key]

    def read(self, pause: Callable[[], None]) -> dict[Key, Counted]:
        """Return what is counted, each cell as it stood at one moment.

        Args:
            pause: Lets the other thread go on, called when a cell was changing.
        """
        copies = ((key, cell.read(pause)) for key, cell in self._cells.copy().items())
        return {Key(*map(str, key)): copied for key, copied in copies if copied is not None}

    def _new(self, key: tuple[str, ...], since: int) -> _Cell:
        if len(self._cells) >= CELLS_MAX:
            self.folded += 1
            endpoint, _, *rest = key
            key = (endpoint, OTHER, *rest)
        # Subtle: `other` is kept even without room; closed sets alone bound what is left of a key.
        return self._cells.setdefault(key, _Cell(since))


def merged(parts: Mapping[Key, Counted], name: str) -> Spread:
    """Return the histogram of one measure over several cells."""
    total = Spread()
    for counted in parts.values():
        total = total.plus(counted.spreads[name])
    return total


def since(now: Mapping[Key, Counted], before: Mapping[Key, Counted]) -> dict[Key, Counted]:
    """Return what was counted between two readings; a cell that was dropped meanwhile began anew."""
    fresh: dict[Key, Counted] = {}
    for key, counted in now.items():
        earlier = before.get(key)
        is_same = earlier is not None and earlier.since == counted.since
        part = counted.minus(earlier) if earlier is not None and is_same else counted
        if part.n:
            fresh[key] = part
    return fresh


def _value(worst: Worst) -> int:
    return worst.value


MEASURES: Mapping[str, Scale] = {
    "ttft": TTFT,
    "ttfo": TTFO,
    "e2e": E2E,
    "tpot": TPOT,
    "icl_max": ICL_MAX,
    "tokens_in": TOKENS,
    "tokens_out": TOKENS,
    "first_event": FIRST_EVENT,
}
"""What has a histogram, and its scale.

`e2e` is the elapsed time of a request that did not come to its end; `first_event` is that of streams.
"""
