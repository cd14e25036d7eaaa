"""Knows the log of one lane: its segments on disk and the newest groups in memory; refuses to know threads and stores.

The memory ring serves twice. Groups that fdatasync has not confirmed are written again after a disk error, because a
failed fsync may have thrown their pages away. Groups that are not frozen yet feed the shipper without a read, as long
as it keeps up; when it lags, the ring lets confirmed groups go and `behind` sends the shipper to the segments.

The caller holds the spool's lock for every method, except where a docstring says otherwise.

Source: spec/store.md 11.4.
"""

import errno
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from telemetry.accounting import DropReason, Lane, LaneLedger, SeqSet
from telemetry.segments import Segment
from telemetry.spool_format import FrameType, Leave, encode_frame

RING_BYTES_MAX = 64 << 20
"""Memory of a lane's ring."""
STRIKES_MAX = 3
"""Disk errors in a row after which the lane lives in memory only."""
DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Group(NamedTuple):
    """Frames that were written together; `first` > `last` if none of them is a record."""

    lsn: int
    first: int
    last: int
    data: bytes


class Row(NamedTuple):
    """A record as it lies in the spool."""

    seq: int
    payload: bytes


class LaneLog:
    """The log of one lane.

    Attributes:
        lane: Which lane.
        ledger: Where its records are.
        segments: Its files, oldest first; the last may be open.
        frozen: Seqs that are part of a frozen batch.
        behind: Some rows that wait are on disk only.
        lsn: Number of groups appended since the start.
        durable_lsn: Groups up to this one are on the disk for sure.
        fault: Error number that closed the open segment; None while writing works.
        strikes: Disk errors in a row.
        retry_at_ns: Monotonic stamp before which the disk is left alone.
        owed: Drops that no segment knows yet, for the reserve.
    """

    def __init__(self, lane: Lane, ledger: LaneLedger, *, ring_bytes_max: int = RING_BYTES_MAX) -> None:
        """Start without an open segment."""
        self.lane, self.ledger = lane, ledger
        self.segments: list[Segment] = []
        self.frozen = SeqSet()
        self.behind = False
        self.lsn = self.durable_lsn = 0
        self.fault: int | None = None
        self._active: Segment | None = None
        self._dirty: list[Segment] = []
        self._doomed: list[Segment] = []
        self.strikes = 0
        self.owed: list[Leave] = []
        self.retry_at_ns = 0
        self._ring: deque[Group] = deque()
        self._ring_bytes = 0
        self._ring_bytes_max = ring_bytes_max

    def append(self, first_seq: int, payloads: Sequence[bytes]) -> int:
        """Append records with ascending seqs by one write and return the group's number."""
        frames = [encode_frame(seq, FrameType.RECORD, payload) for seq, payload in enumerate(payloads, first_seq)]
        last = first_seq + len(payloads) - 1
        self.ledger.accept(first_seq, last)
        return self._append(Group(self.lsn + 1, first_seq, last, b"".join(frames)))

    def append_control(self, seq: int, kind: FrameType, payload: object) -> int:
        """Append one control frame and return the group's number."""
        return self._append(Group(self.lsn + 1, 1, 0, encode_frame(seq, kind, msgspec.msgpack.encode(payload))))

    def _append(self, group: Group) -> int:
        self.lsn = group.lsn
        self._ring.append(group)
        self._ring_bytes += len(group.data)
        if self._active is not None:
            self._write(self._active, group)
        self._trim()
        return group.lsn

    def _write(self, segment: Segment, group: Group) -> None:
        try:
            segment.write(group.data)
        except OSError as error:
            self.fail(segment, error)
            return
        if group.first <= group.last:
            segment.seqs.add(group.first, group.last)
        if segment not in self._dirty:
            self._dirty.append(segment)

    @property
    def memory_only(self) -> bool:
        """Say whether the disk is given up for now."""
        return self._active is None and self.strikes >= STRIKES_MAX

    @property
    def active(self) -> Segment | None:
        """The segment that is written; None while the disk fails."""
        return self._active

    def open_segment(self, segment: Segment) -> bool:
        """Write on into a new segment, starting with every group that is not confirmed.

        Returns:
            Whether the disk took it all.
        """
        self.segments.append(segment)
        rewrite = self._active is None
        if self._active is not None and self._active not in self._dirty:
            self._dirty.append(self._active)  # it is closed by the next confirmation
        self._active, self.fault = segment, None
        for group in [g for g in self._ring if g.lsn > self.durable_lsn] if rewrite else []:
            self._write(segment, group)
            if self.fault is not None:
                return False
        return True

    def to_sync(self) -> tuple[list[Segment], int]:
        """Return the segments that need an fdatasync and the group number that it will confirm."""
        if self._active is None:
            return list(self._dirty), self.durable_lsn
        return list(self._dirty), self.lsn

    def synced(self, segments: Sequence[Segment], lsn: int) -> None:
        """Confirm the groups up to `lsn`; bytes written during the fdatasync keep their segment on the list."""
        self.durable_lsn = max(self.durable_lsn, lsn)
        self._dirty = [s for s in self._dirty if s not in segments or (s is self._active and self.lsn > lsn)]
        for segment in segments:
            if segment is not self._active:
                segment.close()
        self._trim()

    def fail(self, segment: Segment, error: OSError) -> None:
        """Never use a segment's descriptor again; it is closed by `bury`, for another thread may be inside a call."""
        # The unconfirmed groups may straddle a rotation: whichever file failed, they are all written again.
        lost = [segment] if self._active is None or self._active is segment else [segment, self._active]
        self._doomed += lost
        self._dirty = [s for s in self._dirty if s not in lost]
        self.fault = error.errno or errno.EIO
        self._active = None

    def close_active(self) -> None:
        """Close the open segment after its last confirmation, for good."""
        if self._active is not None:
            self._active.close()
            self._active = None

    def oldest_droppable(self, pending: SeqSet) -> Segment | None:
        """Return the oldest closed segment that holds no row of a frozen batch; None if there is none."""
        for segment in self.segments:
            first, last = segment.seqs.first(), segment.seqs.last()
            if segment.fd is not None or not segment.scanned or segment.kept or first is None or last is None:
                continue
            if not pending.within(first, last):
                return segment
        return None

    def bury(self) -> None:
        """Close the descriptors that failed; only for the thread that syncs."""
        while self._doomed:
            self._doomed.pop().close()

    def waiting(self) -> SeqSet:
        """Return the seqs that are neither settled nor frozen."""
        return self.ledger.unsettled().minus(self.frozen)

    def ring_groups(self, bytes_max: int, *, newest: bool = False) -> list[Group]:
        """Return groups in memory of which some row is neither settled nor frozen; newest first if asked."""
        found: list[Group] = []
        for group in reversed(self._ring) if newest else self._ring:
            if bytes_max <= 0:
                break
            if not self._is_taken(group):
                found.append(group)
                bytes_max -= len(group.data)
        return found

    def ring_seqs(self) -> SeqSet:
        """Return the seqs of the records in memory."""
        return SeqSet((g.first, g.last) for g in self._ring if g.first <= g.last)

    def is_taken(self, seq: int) -> bool:
        """Say whether a seq is settled or frozen."""
        return seq < self.ledger.fold or seq in self.frozen or seq in self.ledger.settled

    def _is_taken(self, group: Group) -> bool:
        first, last = group.first, group.last
        if first > last or last < self.ledger.fold or self.frozen.covers(first, last):
            return True
        return self.is_taken(first) and self.is_taken(last) and all(map(self.is_taken, range(first, last + 1)))

    def _trim(self) -> None:
        while self._ring and self._ring[0].lsn <= self.durable_lsn:
            over = self._ring_bytes > self._ring_bytes_max
            taken = self._is_taken(self._ring[0])
            if not (over or taken):
                return
            self.behind = self.behind or not taken
            self._pop()
        while self._ring_bytes > self._ring_bytes_max and len(self._ring) > 1:
            self._let_go(self._pop())

    def _pop(self) -> Group:
        group = self._ring.popleft()
        self._ring_bytes -= len(group.data)
        return group

    def _let_go(self, group: Group) -> None:
        """Give up the oldest unconfirmed group: written, it may still be read; unwritten, it is lost and counted."""
        if group.first > group.last:
            return
        if self._active is not None:
            self.behind = True
            return
        lost = SeqSet([(group.first, group.last)]).minus(self.frozen)
        self.drop(lost, DropReason.ENOSPC if self.fault in DISK_FULL else DropReason.IO_ERROR, len(group.data))

    def drop(self, seqs: SeqSet, reason: DropReason, bytes_n: int = 0) -> Leave | None:
        """Give up rows, count them and write that down; None if none of them waited."""
        gone = self.ledger.settle(seqs, reason)
        if not gone:
            return None
        leave = Leave(self.lane, reason, list(gone.ranges()), "", bytes_n)
        last = gone.last() or 0
        frame = encode_frame(last, FrameType.DROP, msgspec.msgpack.encode(leave))
        group = Group(self.lsn + 1, 1, 0, frame)
        self.lsn = group.lsn
        self._ring.append(group)
        self._ring_bytes += len(frame)
        if self._active is not None:
            self._write(self._active, group)
        if self._active is None:
            self.owed.append(leave)
        return leave

    def advance(self) -> None:
        """Fold what is settled."""
        self.frozen.discard_below(self.ledger.advance())

    def forget_segments(self) -> list[Segment]:
        """Forget the oldest segments, as long as everything in them is folded, and return them.

        Subtle: a segment goes only when all older ones have gone. A frame that settles or freezes rows lies behind
        them, so no segment is removed that says something about rows which are still there.
        """
        n = 0
        while n < len(self.segments) and self._is_done(self.segments[n]):
            n += 1
        gone, self.segments = self.segments[:n], self.segments[n:]
        return gone

    def _is_done(self, segment: Segment) -> bool:
        if segment.fd is not None or not segment.scanned or segment.kept:
            return False
        last = segment.seqs.last()
        return last is None or last < self.ledger.fold
