"""Knows how to fetch the next rows of a lane, from memory while the shipper keeps up and from disk when it lags.

The disk is read front to back, one segment at a time; a row that is settled, frozen or seen is skipped, so a row that
lies in two segments travels once. One pass ends at the end of the open segment; what was accepted, is not in memory and
was found nowhere is lost to damage, and counted.

Source: spec/store.md 10.2, 11.5.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from telemetry.accounting import DropReason, SeqSet
from telemetry.lane_log import LaneLog, Row
from telemetry.segments import Segment
from telemetry.spool_format import HEADER_BYTES, Frame, FrameType, frames_of, scan
from telemetry.spool_record import day_of
from telemetry.spool_state import SpoolState

ROWS_MAX = 20_000
"""Rows of one batch."""
BATCH_BYTES_MAX = 4 << 20
"""Payload bytes of one batch, unless its first row alone is larger."""
HELD_ROWS_MAX = 4 * ROWS_MAX
"""Rows of another day that are set aside while a batch is cut."""


class LaneReader:
    """Fetches rows of one lane for one shipper."""

    def __init__(self, state: SpoolState, log: LaneLog) -> None:
        """Start at the oldest segment."""
        self._state, self._log = state, log
        self._path: Path | None = None
        self._offset = HEADER_BYTES
        self._frames: Iterator[Row] = iter(())
        self._held: list[Row] = []

    @property
    def behind(self) -> bool:
        """Say whether rows of this lane wait on disk that memory no longer holds."""
        return self._log.behind

    def cut(self, rows_max: int = ROWS_MAX, *, newest: bool = False) -> list[Row]:
        """Return rows of one partition day for the next batch, by seq; empty if none waits.

        Args:
            rows_max: As many rows at most.
            newest: Take the newest rows in memory, whatever waits on disk.
        """
        if self._log.behind and not newest:
            held, self._held = self._held, []
            rows, self._held = _pick(self._from_disk(held), rows_max)
            if rows or not self._end_pass():
                return sorted(rows)
        rows, _ = _pick(self._from_memory(newest=newest), rows_max)
        return sorted(rows)

    def find(self, seqs: SeqSet) -> list[Row]:
        """Return given rows, from memory or disk, by seq; those that cannot be read are missing."""
        found: dict[int, Row] = {}
        first, last = seqs.first(), seqs.last()
        if first is None or last is None:
            return []
        with self._state.changed:
            paths = [s.path for s in self._log.segments if s.seqs.within(first, last)]
        for path in paths:
            for row in _rows_of(path, HEADER_BYTES, lambda seq: seq in seqs):
                found.setdefault(row.seq, row)
        return sorted(found.values())

    def _from_memory(self, *, newest: bool) -> Iterator[Row]:
        with self._state.changed:
            groups = self._log.ring_groups(2 * BATCH_BYTES_MAX, newest=newest)
        for group in groups:
            for frame in frames_of(group.data):
                if frame.kind == FrameType.RECORD and not self._taken(frame.seq):
                    yield Row(frame.seq, frame.payload)

    def _from_disk(self, held: list[Row]) -> Iterator[Row]:
        for rows in (held, self._frames):
            yield from (row for row in rows if not self._taken(row.seq))
        while self._next_segment():
            yield from (row for row in self._frames if not self._taken(row.seq))

    def _taken(self, seq: int) -> bool:
        with self._state.changed:
            return self._log.is_taken(seq)

    def _next_segment(self) -> bool:
        """Go on to what lies behind the place that was read; False at the end of the open segment."""
        with self._state.changed:
            segment = self._next()
            if segment is None:
                return False
            start = self._offset if segment.path == self._path else HEADER_BYTES
            self._path, self._offset = segment.path, segment.size
        self._frames = _rows_of(self._path, start, lambda _: True, self._offset)
        return True

    def _next(self) -> Segment | None:
        for segment in self._log.segments:
            if self._path is None or segment.path > self._path:
                return segment
            if segment.path == self._path and segment.size > self._offset:
                return segment
        return None

    def _end_pass(self) -> bool:
        """Let memory take over, unless the log has grown since; count what is nowhere."""
        with self._state.changed:
            if self._next() is not None:
                return False
            self._log.behind = False
            lost = self._log.waiting().minus(self._log.ring_seqs())
            if lost and self._state.recovered:
                self._log.drop(lost, DropReason.CORRUPT)
                self._state.cursor_due = True
            return True


def _rows_of(path: Path, start: int, wanted: Callable[[int], bool], end: int | None = None) -> Iterator[Row]:
    data = b""
    with suppress(OSError), path.open("rb") as file:
        file.seek(start)
        data = file.read(-1 if end is None else max(0, end - start))
    for item in scan(data, 0):
        if isinstance(item, Frame) and item.kind == FrameType.RECORD and wanted(item.seq):
            yield Row(item.seq, item.payload)


def _pick(rows: Iterator[Row], rows_max: int) -> tuple[list[Row], list[Row]]:
    """Take rows of the first row's day up to the bounds; return them and those of other days met on the way."""
    picked: list[Row] = []
    others: list[Row] = []
    seen: set[int] = set()
    size = 0
    day = -1
    for row in rows:
        if row.seq in seen:
            continue
        seen.add(row.seq)
        day = day_of(row.payload) if day < 0 else day
        fits = size + len(row.payload) <= BATCH_BYTES_MAX or not picked
        if day_of(row.payload) != day or not fits:
            others.append(row)
        else:
            picked.append(row)
            size += len(row.payload)
        if len(picked) >= rows_max or len(others) >= HELD_ROWS_MAX or not fits:
            break
    return picked, others
