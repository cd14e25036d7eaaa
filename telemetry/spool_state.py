"""Knows what the threads of one spool share, under one lock; refuses to know when anything is due.

Three threads meet here: the owner appends, the keeper makes durable and tidies, the shipper freezes and settles.

Source: spec/store.md 10.1, 11.4, 12.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Condition, Event

from telemetry.accounting import STORED, DropReason, Lane, LaneCounters, LaneLedger, SeqSet
from telemetry.dlq import Dlq
from telemetry.lane_log import RING_BYTES_MAX, LaneLog, Row
from telemetry.segments import Segment
from telemetry.spool_format import Batch, Cursor, FrameType, Header, Leave, Split

SYNC_RECORDS_MAX = 256
"""As many unconfirmed records wake the keeper at once."""
RANGES_MAX = 10_000
"""Ranges in one frame of a checkpoint; further ones go into further frames."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolLimits:
    """Bounds of a spool; the defaults are those of spec/store.md 11.

    Attributes:
        bytes_max: Quota of all segments; beyond it the oldest rows of the lowest lane are dropped.
        free_bytes_min: The spool shrinks rather than leave less free on its file system.
        free_ratio_min: The same, as a share of the file system; the greater of both holds.
        segment_bytes_max: A segment is closed beyond this size.
        segment_age_s_max: A segment with records is closed after this time.
        ring_bytes_max: Memory for the newest groups of a lane.
        sync_s: Time between two fdatasyncs.
        cursor_s: Least time between two cursors.
        retry_s: Time between two tries of a disk that failed three times in a row.
    """

    bytes_max: int = 4 << 30
    free_bytes_min: int = 1 << 30
    free_ratio_min: float = 0.10
    segment_bytes_max: int = 16 << 20
    segment_age_s_max: float = 60.0
    ring_bytes_max: int = RING_BYTES_MAX
    sync_s: float = 0.1
    cursor_s: float = 1.0
    retry_s: float = 60.0


class SpoolState:
    """Everything that the threads of a spool share.

    Attributes:
        changed: The lock; notified when groups became durable.
        wake: Set to let the keeper work at once.
        logs: One log per lane that was ever used.
        pending: Frozen batches of which some row waits, by id.
        next_seq: The next record's sequence number.
        recovered: The segments of earlier processes have been read.
        unsynced: Records appended since the keeper last looked.
        faults: Counts of what went wrong, by name.
        cursor_due: Something was settled since the last cursor.
        generation: Number of the last cursor.
    """

    def __init__(self, directory: Path, cursor: Cursor, boot: int, node_hash: int, limits: SpoolLimits) -> None:
        """Start from a cursor."""
        self.directory, self.limits, self.dlq = directory, limits, Dlq(directory)
        self.node, self.epoch, self.boot, self.node_hash = cursor.node, cursor.epoch, boot, node_hash
        self.changed = Condition()
        self.wake = Event()
        self.logs: dict[Lane, LaneLog] = {}
        self.pending: dict[str, Batch] = {}
        self.next_seq, self.generation = cursor.next_seq, cursor.generation
        self.recovered = self.cursor_due = False
        self.unsynced = 0
        self.faults: Counter[str] = Counter()
        self._cursor = cursor

    @property
    def collector(self) -> str:
        """Identity of the directory in every row."""
        return self._cursor.collector

    def log(self, lane: Lane) -> LaneLog:
        """Return the log of a lane."""
        found = self.logs.get(lane)
        if found is None:
            name = lane.name.lower()
            ledger = LaneLedger(self._cursor.folds.get(name, 0), self._cursor.bases.get(name, {}))
            found = self.logs[lane] = LaneLog(lane, ledger, ring_bytes_max=self.limits.ring_bytes_max)
        return found

    def header(self, lane: Lane) -> Header:
        """Return the head of a new segment; called under the lock."""
        return Header(lane, self.node_hash, self.epoch, self.boot, self.next_seq)

    def append(self, lane: Lane, payloads: Sequence[bytes], invalid_n: int) -> None:
        """Append records of a lane, and count those that no frame can hold."""
        with self.changed:
            log, first = self.log(lane), self.next_seq
            self.next_seq += len(payloads) + invalid_n
            if payloads:
                log.append(first, payloads)
            if invalid_n:
                log.drop(SeqSet([(first + len(payloads), self.next_seq - 1)]), DropReason.INVALID)
            self.unsynced += len(payloads)
        if self.unsynced >= SYNC_RECORDS_MAX or log.active is None:
            self.wake.set()

    def freeze(self, lane: Lane, rows: Sequence[Row]) -> Batch:
        """Make rows a batch for ever."""
        seqs = SeqSet.of(row.seq for row in rows)
        first, last = seqs.first(), seqs.last()
        batch_id = f"{self.node}-{self.epoch[:4].hex()}-{self.boot:08x}-{lane.name.lower()}-{first}-{last}"
        batch = Batch(batch_id, lane, list(seqs.ranges()), len(seqs))
        with self.changed:
            log = self.log(lane)
            log.frozen.update(seqs)
            self.pending[batch_id] = batch
            log.append_control(self.next_seq - 1, FrameType.FREEZE, batch)
        return batch

    def split(self, batch: Batch, parts: Sequence[Batch]) -> None:
        """Let a batch give way to its parts."""
        with self.changed:
            log = self.log(Lane(batch.lane))
            self.pending.pop(batch.batch_id, None)
            self.pending.update((part.batch_id, part) for part in parts)
            log.append_control(self.next_seq - 1, FrameType.SPLIT, Split(batch.batch_id, list(parts)))

    def settle(self, batch: Batch, way_out: str) -> None:
        """Let the rows of a batch leave."""
        with self.changed:
            log = self.log(Lane(batch.lane))
            log.ledger.settle(SeqSet(batch.ranges), way_out)
            leave = Leave(batch.lane, way_out, batch.ranges, batch.batch_id)
            log.append_control(self.next_seq - 1, FrameType.ACK, leave)
            self.pending.pop(batch.batch_id, None)
            self.cursor_due = True

    def wait_durable(self, timeout_s: float) -> bool:
        """Wait until every group appended so far is on disk, or its lane has given the disk up."""
        with self.changed:
            marks = [(log, log.lsn) for log in self.logs.values()]
            self.wake.set()
            return self.changed.wait_for(
                lambda: all(log.durable_lsn >= lsn or log.memory_only for log, lsn in marks), timeout_s
            )

    def checkpoint(self, log: LaneLog) -> None:
        """Write down again all that the log says about rows above the fold; called under the lock."""
        for way_out, ranges in log.ledger.ways_out().items():
            for at in range(0, len(ranges), RANGES_MAX):
                leave = Leave(log.lane, way_out, ranges[at : at + RANGES_MAX])
                log.append_control(self.next_seq - 1, FrameType.ACK, leave)
        for batch in self.pending.values():
            if batch.lane == log.lane:
                log.append_control(self.next_seq - 1, FrameType.FREEZE, batch)

    def make_cursor(self) -> Cursor:
        """Fold what is settled and return the cursor that says so; called under the lock."""
        self.generation += 1
        self.cursor_due = False
        if self.recovered:
            for log in self.logs.values():
                log.advance()
        names = {lane.name.lower(): log.ledger for lane, log in self.logs.items()}
        folds = {**self._cursor.folds, **{name: ledger.fold for name, ledger in names.items()}}
        bases = {**self._cursor.bases, **{name: dict(ledger.base) for name, ledger in names.items()}}
        return Cursor(self.generation, self.node, self.epoch, self.next_seq, folds, bases)

    def segments(self) -> Iterator[tuple[LaneLog, Segment]]:
        """Yield every segment with its log; called under the lock."""
        for log in self.logs.values():
            for segment in log.segments:
                yield log, segment

    def pending_seqs(self, lane: Lane) -> SeqSet:
        """Return the seqs of the frozen batches of a lane of which some row waits; called under the lock."""
        return SeqSet(pair for batch in self.pending.values() if batch.lane == lane for pair in batch.ranges)

    def counters(self) -> Mapping[str, LaneCounters]:
        """Return the counters of every lane that was ever used."""
        with self.changed:
            for name in self._cursor.folds:
                self.log(Lane[name.upper()])
            plain = {lane: log.ledger.counters() for lane, log in self.logs.items()}
        return {lane.name.lower(): self._with_dlq(lane, counters) for lane, counters in plain.items()}

    def _with_dlq(self, lane: Lane, plain: LaneCounters) -> LaneCounters:
        gone = self.dlq.gone(lane)
        stored = gone.pop(STORED, 0)
        dropped = Counter(plain.dropped)
        dropped.update(gone)
        return LaneCounters(
            accepted=plain.accepted,
            stored=plain.stored + stored,
            spooled=plain.spooled,
            dropped=dict(dropped),
            dlq=plain.dlq - stored - sum(gone.values()),
        )
