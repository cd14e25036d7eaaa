"""Knows how finished records wait for the store so that a crash loses none; refuses to know the store.

Promise: what `append_requests` has returned from survives kill -9 of the process (one write per group); a power loss
takes at most the last 100 ms (fdatasync in a thread); no disk fault raises or waits in the caller. What cannot be kept
is counted by reason, and accepted = stored + spooled + dropped + dlq holds at any time (`telemetry.accounting`).

One directory per writing process, which owns it by `flock`. The directory keeps the node name and the epoch that it was
born with, whoever opens it later.

Source: spec/store.md 11, 12.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from threading import Lock

from telemetry.accounting import DropReason, Lane, LaneCounters, SeqSet
from telemetry.clock import wall_ms
from telemetry.dlq import Dlq
from telemetry.errors import SpoolError
from telemetry.lane_log import Row
from telemetry.record import RequestRecord
from telemetry.sample_record import encode_sample
from telemetry.samples import SAMPLES, Sample
from telemetry.segments import (
    LOCK_NAME,
    Segment,
    find_segments,
    is_free,
    quarantine_move,
    read_cursor,
    take_lock,
    write_cursor,
)
from telemetry.spool_format import VERSION, Batch, Cursor
from telemetry.spool_keeper import RESERVE_NAME, Keeper
from telemetry.spool_reader import LaneReader
from telemetry.spool_record import RequestEncoder
from telemetry.spool_recovery import recover
from telemetry.spool_state import SpoolLimits, SpoolState

__all__ = ["Spool", "SpoolLimits", "SpoolStatus", "orphans"]

SEQ_JUMP = 1 << 20
"""A start skips so many seqs behind the highest seen, so that one lost with an unflushed tail is never used again."""
SEGMENT_RECORDS_MAX = 1 << 20
"""No segment holds more records (16 MiB of frames of 21 bytes), so names alone tell the highest seq."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoolStatus:
    """What an operator wants to know about a spool.

    Attributes:
        bytes_n: Size of all segments.
        segments_n: Number of segments.
        memory_only: The disk failed and records are kept in memory.
        behind: Rows wait on disk that memory no longer holds.
        recovered: What earlier processes left has been read; counters are complete from then on.
        faults: What went wrong so far, by name.
    """

    bytes_n: int
    segments_n: int
    memory_only: bool
    behind: bool
    recovered: bool
    faults: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontier:
    """Where a lane stands between what was accepted and what is settled.

    Attributes:
        boot: Number of this opening of the directory, random.
        seq_last: Last sequence number given out, to any lane.
        first_waiting: Lowest number of the lane that is not settled; None if all are.
    """

    boot: int
    seq_last: int
    first_waiting: int | None


class Spool:
    """The records of one writing process that are not in the store yet.

    Args:
        directory: Its directory; made if missing.
        node: Name of this machine or pod, for the rows of a new directory.
        limits: Bounds.
        fdatasync: The system call; another one in a test of a failing disk.

    Raises:
        SpoolOwnedError: Another process owns the directory.
        SpoolVersionError: A newer version wrote it; nothing was touched.
        SpoolError: The directory cannot be used; the message says why.
    """

    def __init__(
        self,
        directory: Path,
        *,
        node: str,
        limits: SpoolLimits | None = None,
        fdatasync: Callable[[int], None] = os.fdatasync,
    ) -> None:
        """Take the directory and open the first segment; earlier segments are read later, by `recover`."""
        self.directory = directory
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock_fd = take_lock(directory, {"pid": os.getpid(), "started_at": wall_ms(), "version": VERSION})
        except OSError as error:
            raise SpoolError(f"spool directory {directory} cannot be used: {error.strerror}") from error
        try:
            self.state, self._old = _open(directory, node, limits or SpoolLimits())
            self._keeper = Keeper(self.state, fdatasync)
            self._keeper.start()
        except BaseException:
            os.close(self._lock_fd)
            raise
        self._encoder = RequestEncoder()
        self._recovering = Lock()
        self._closed = False

    @property
    def collector(self) -> str:
        """`<node>/<epoch8>`, the identity of this directory in every row."""
        return self.state.collector

    @property
    def dlq(self) -> Dlq:
        """The dead letter queue of this directory."""
        return self.state.dlq

    def append_requests(self, records: Sequence[RequestRecord]) -> None:
        """Append finished requests by one write; never raises for the disk and never waits for it to be durable.

        Args:
            records: The group; one that the store could never take is counted as dropped, reason `invalid`.
        """
        now_ms = wall_ms()
        encoded = [self._encoder.encode(record, now_ms) for record in records]
        payloads = [one.payload for one in encoded if one is not None]
        repaired_n = sum(one.repaired for one in encoded if one is not None)
        if repaired_n:
            self.state.faults["repaired"] += repaired_n
        self.append(Lane.REQUESTS, payloads, len(records) - len(payloads))

    def append_samples(self, samples: Sequence[Sample]) -> None:
        """Append samples by one write for each lane; the same holds for them as for requests."""
        now_ms = wall_ms()
        lanes: dict[Lane, list[bytes | None]] = {}
        for sample in samples:
            lanes.setdefault(SAMPLES[type(sample)].lane, []).append(encode_sample(sample, now_ms))
        for lane, encoded in lanes.items():
            payloads = [payload for payload in encoded if payload is not None]
            self.append(lane, payloads, len(encoded) - len(payloads))

    def append(self, lane: Lane, payloads: Sequence[bytes], invalid_n: int = 0) -> None:
        """Append encoded records of a lane, and count those that could not be encoded."""
        self.state.append(lane, payloads, invalid_n)

    def recover(self) -> None:
        """Read what earlier processes left; the shipper does this first, and a second call waits for it."""
        with self._recovering:
            if not self.state.recovered:
                recover(self.state, self._old)

    def reader(self, lane: Lane = Lane.REQUESTS) -> LaneReader:
        """Return a reader of the rows that wait."""
        with self.state.changed:
            return LaneReader(self.state, self.state.log(lane))

    def freeze(self, rows: Sequence[Row], lane: Lane = Lane.REQUESTS) -> Batch:
        """Make rows a batch for ever; nothing of it may be sent before `wait_durable` says yes."""
        return self.state.freeze(lane, rows)

    def split(self, batch: Batch, parts: Sequence[Batch]) -> None:
        """Let a batch give way to parts; the same holds for them."""
        self.state.split(batch, parts)

    def wait_durable(self, timeout_s: float) -> bool:
        """Wait until everything appended so far is on the disk.

        Returns:
            Whether it is; also True when the disk is given up, for then memory is all there is.
        """
        return self.state.wait_durable(timeout_s)

    def settle(self, batch: Batch, way_out: str) -> None:
        """Let the rows of a batch leave by `accounting.STORED` or another way out."""
        self.state.settle(batch, way_out)

    def drop(self, seqs: SeqSet, reason: DropReason, lane: Lane = Lane.REQUESTS) -> None:
        """Give up rows and count them."""
        with self.state.changed:
            self.state.log(lane).drop(seqs, reason)

    def pending(self) -> list[Batch]:
        """Return the frozen batches of which some row waits, oldest first."""
        with self.state.changed:
            return sorted(self.state.pending.values(), key=lambda batch: batch.ranges)

    def counters(self) -> Mapping[str, LaneCounters]:
        """Return the counters of each lane, by name; complete once `recover` has run."""
        return self.state.counters()

    def status(self) -> SpoolStatus:
        """Return the state of the directory."""
        with self.state.changed:
            logs, segments = list(self.state.logs.values()), [s for _, s in self.state.segments()]
            return SpoolStatus(
                bytes_n=sum(segment.size for segment in segments),
                segments_n=len(segments),
                memory_only=any(log.memory_only for log in logs),
                behind=any(log.behind for log in logs),
                recovered=self.state.recovered,
                faults=dict(self.state.faults),
            )

    def frontier(self, lane: Lane = Lane.REQUESTS) -> Frontier:
        """Return which sequence numbers of a lane still wait."""
        with self.state.changed:
            unsettled = self.state.log(lane).ledger.unsettled()
            return Frontier(boot=self.state.boot, seq_last=self.state.next_seq - 1, first_waiting=unsettled.first())

    def close(self) -> None:
        """Make everything durable, remove what is settled and give the directory back."""
        if not self._closed:
            self._closed = True
            self._keeper.stop()
            self.state.dlq.close()
            os.close(self._lock_fd)


def _open(directory: Path, node: str, limits: SpoolLimits) -> tuple[SpoolState, list[Segment]]:
    """Look at everything, and only then write: a newer version's files stop the start untouched."""
    try:
        cursor = read_cursor(directory)
        born_as = node if cursor is None else cursor.node
        node_hash = _hash_of(born_as)
        old, foreign = find_segments(directory, None if cursor is None else cursor.epoch, node_hash)
        cursor = _next_cursor(cursor, old, born_as)
        write_cursor(directory, cursor)
    except OSError as error:
        raise SpoolError(f"spool directory {directory} cannot be used: {error.strerror}") from error
    state = SpoolState(directory, cursor, int.from_bytes(os.urandom(4), "little"), node_hash, limits)
    for path in foreign:
        state.faults["foreign_files"] += quarantine_move(directory, path)
    for segment in old:
        state.log(Lane(segment.header.lane)).segments.append(segment)
    state.log(Lane.REQUESTS)
    return state, old


def _next_cursor(cursor: Cursor | None, old: Sequence[Segment], node: str) -> Cursor:
    seen = max((segment.header.first_seq + SEGMENT_RECORDS_MAX for segment in old), default=0)
    if cursor is None:
        epoch = old[0].header.epoch if old else os.urandom(16)
        return Cursor(1, node, epoch, seen + SEQ_JUMP if old else 1, {}, {})
    next_seq = max(seen, cursor.next_seq) + SEQ_JUMP
    return Cursor(cursor.generation + 1, node, cursor.epoch, next_seq, cursor.folds, cursor.bases)


def _hash_of(node: str) -> int:
    return int.from_bytes(blake2b(node.encode(errors="replace"), digest_size=8).digest(), "little")


def orphans(parent: Path) -> list[Path]:
    """Return the spool directories under a directory that nobody owns and that still hold segments.

    Each can be opened as a `Spool` and drained by a `Shipper`; a drained and closed one is not listed again.
    """
    found: list[Path] = []
    with suppress(OSError):
        for directory in sorted(parent.iterdir()):
            has_segments = any(path.name != RESERVE_NAME for path in directory.glob("*.seg"))
            if has_segments and (directory / LOCK_NAME).exists() and is_free(directory):
                found.append(directory)
    return found
