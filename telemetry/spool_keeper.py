"""Knows when a spool's disk work is due and does it in a thread of its own; refuses to know records and stores.

Per tick: sync what was written, open a new segment after an error or when the old one is full, drop what is over quota,
write the cursor and remove the segments in which everything is settled.

After an error of write or fdatasync the descriptor is never used again: the kernel may have thrown the pages away and
say nothing the second time. The unconfirmed groups are written again into a new segment. Three errors in a row: the
lane lives in memory, and the disk is tried again from time to time.

Source: spec/store.md 11.4, 11.5; spec/reliability.md 5.2.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread

import msgspec

from telemetry.accounting import DROP_ORDER, DropReason, Lane, SeqSet
from telemetry.clock import monotonic_ns
from telemetry.lane_log import STRIKES_MAX, LaneLog
from telemetry.segments import Segment, create_segment, sync_directory, write_cursor
from telemetry.spool_format import Frame, FrameType, Leave, encode_frame, scan
from telemetry.spool_state import SpoolState

RESERVE_NAME = "reserve.seg"
RESERVE_BYTES = 1 << 20
NAME_TRIES_MAX = 8
"""First seqs that are tried for a new segment before the directory counts as broken."""
SEGMENTS_KEPT_MIN = 4
"""A file system that is nearly full never shrinks a spool below so many segments."""


class Keeper:
    """The thread that keeps a spool durable and within its bounds."""

    def __init__(self, state: SpoolState, fdatasync: Callable[[int], None] = os.fdatasync) -> None:
        """Keep a state; nothing runs until `start`."""
        self._state, self._fdatasync = state, fdatasync
        self._thread = Thread(target=self._run, name="spool-keeper", daemon=True)
        self._stopping = False
        self._cursor_at_ns = 0
        self._reserve: Reserve | None = None

    def start(self) -> None:
        """Open the first segment and start the thread."""
        with suppress(OSError):
            self._reserve = Reserve(self._state.directory)
        self.tick()
        self._thread.start()

    def stop(self) -> None:
        """End the thread after a last tick that leaves everything durable."""
        self._stopping = True
        self._state.wake.set()
        self._thread.join()
        self.tick(final=True)
        for log in self._state.logs.values():
            for segment in log.segments:
                segment.close()
        if self._reserve is not None:
            self._reserve.close()

    def _run(self) -> None:
        while not self._stopping:
            self._state.wake.wait(self._state.limits.sync_s)
            self._state.wake.clear()
            self.tick()

    def tick(self, *, final: bool = False) -> None:
        """Do what is due."""
        state = self._state
        with state.changed:
            state.unsynced = 0
            logs = list(state.logs.values())
        for log in logs:
            if log.lsn or log.lane == Lane.REQUESTS:  # the first group of the main lane finds its segment open
                self._tend(log, final=final)
        self._enforce_quota()
        self._keep_cursor(final=final)

    def _tend(self, log: LaneLog, *, final: bool) -> None:
        if log.active is None:
            self._reopen(log, final=final)
        if self._sync(log) and (final or self._is_full(log)):
            self._rotate(log, final=final)
        with self._state.changed:
            log.bury()
        self._save_drops(log)

    def _reopen(self, log: LaneLog, *, final: bool) -> None:
        """Try the disk again, unless it has just failed three times; the end is the last chance and always tries."""
        if not final and monotonic_ns() < log.retry_at_ns:
            return
        log.strikes += log.fault is not None
        if log.strikes >= STRIKES_MAX:
            log.retry_at_ns = monotonic_ns() + int(self._state.limits.retry_s * 1e9)
        if log.strikes == STRIKES_MAX and not final:
            self._state.faults["memory_only"] += 1
            self._notify()
            return
        segment = self._create(log)
        if segment is not None:
            with self._state.changed:
                log.open_segment(segment)

    def _create(self, log: LaneLog) -> Segment | None:
        for _ in range(NAME_TRIES_MAX):
            with self._state.changed:
                header = self._state.header(log.lane)
            try:
                return create_segment(self._state.directory, header, monotonic_ns())
            except FileExistsError:
                with self._state.changed:
                    self._state.next_seq += 1
            except OSError as error:
                self._state.faults["create"] += 1
                log.fault = error.errno
                return None
        return None

    def _sync(self, log: LaneLog) -> bool:
        """Make the written groups durable; False if the disk refused."""
        with self._state.changed:
            segments, lsn = log.to_sync()
        for segment in segments:
            try:
                if segment.fd is not None:
                    self._fdatasync(segment.fd)
            except OSError as error:
                self._state.faults["fdatasync"] += 1
                with self._state.changed:
                    log.fail(segment, error)
                self._state.wake.set()
                return False
        with self._state.changed:
            log.synced(segments, lsn)
            if segments and log.active is not None:
                log.strikes = log.retry_at_ns = 0
        self._notify()
        return log.active is not None

    def _notify(self) -> None:
        with self._state.changed:
            self._state.changed.notify_all()

    def _is_full(self, log: LaneLog) -> bool:
        limits, active = self._state.limits, log.active
        if active is None:
            return False
        old = monotonic_ns() - active.born_ns > limits.segment_age_s_max * 1e9
        return active.size >= limits.segment_bytes_max or (old and bool(active.seqs))

    def _rotate(self, log: LaneLog, *, final: bool) -> None:
        if final:
            with self._state.changed:
                log.close_active()
            return
        segment = self._create(log)
        if segment is not None:
            with self._state.changed:
                log.open_segment(segment)

    def _save_drops(self, log: LaneLog) -> None:
        """Tell the reserve what a full disk cannot be told, and clear it once the log says the same."""
        with self._state.changed:
            owed, log.owed = log.owed, []
        if self._reserve is None:
            return
        if owed:
            with suppress(OSError):
                self._reserve.write(owed)
        elif log.active is not None and self._reserve.used and self._state.recovered:
            with self._state.changed:
                self._state.checkpoint(log)
            if self._sync(log):
                self._reserve.clear()

    def _enforce_quota(self) -> None:
        while True:
            with self._state.changed:
                total = sum(segment.size for _, segment in self._state.segments())
                gone = None if total <= self._bytes_max(total) else self._drop_one()
                if gone is None:
                    return
            self._tend_all()
            _unlink(self._state.directory, [gone])

    def _tend_all(self) -> None:
        for log in list(self._state.logs.values()):
            self._sync(log)

    def _bytes_max(self, total: int) -> int:
        limits = self._state.limits
        try:
            disk = os.statvfs(self._state.directory)
        except OSError:
            return limits.bytes_max
        floor = max(limits.free_bytes_min, int(disk.f_blocks * disk.f_frsize * limits.free_ratio_min))
        short = floor - disk.f_bavail * disk.f_frsize
        if short <= 0:
            return limits.bytes_max
        return min(limits.bytes_max, max(SEGMENTS_KEPT_MIN * limits.segment_bytes_max, total - short))

    def _drop_one(self) -> Path | None:
        """Give up the oldest closed segment of the lowest lane; called under the lock."""
        if not self._state.recovered:
            return None
        for lane in DROP_ORDER:
            log = self._state.logs.get(lane)
            segment = None if log is None else log.oldest_droppable(self._state.pending_seqs(lane))
            if log is not None and segment is not None:
                log.drop(segment.seqs, DropReason.QUOTA, segment.size)
                log.segments.remove(segment)
                self._state.checkpoint(log)
                self._state.cursor_due = True
                return segment.path
        return None

    def _keep_cursor(self, *, final: bool) -> None:
        state = self._state
        due = state.cursor_due and monotonic_ns() - self._cursor_at_ns >= state.limits.cursor_s * 1e9
        if not (due or final):
            return
        self._cursor_at_ns = monotonic_ns()
        with state.changed:
            cursor = state.make_cursor()
        try:
            write_cursor(state.directory, cursor)
        except OSError:
            state.faults["cursor"] += 1
            state.cursor_due = True
            return
        with state.changed:
            gone = [segment.path for log in state.logs.values() for segment in log.forget_segments()]
        _unlink(state.directory, gone)


def _end_of_frames(data: bytes) -> int:
    return max((item.end for item in scan(data, 0) if isinstance(item, Frame)), default=0)


def _unlink(directory: Path, paths: list[Path]) -> None:
    for path in paths:
        with suppress(OSError):
            path.unlink()
    if paths:
        with suppress(OSError):
            sync_directory(directory)


class Reserve:
    """A preallocated file in which drops can be written down when the disk is full."""

    def __init__(self, directory: Path) -> None:
        """Open or make it; raises OSError if there is no room."""
        self._fd = os.open(directory / RESERVE_NAME, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        os.posix_fallocate(self._fd, 0, RESERVE_BYTES)
        self.used = _end_of_frames(os.pread(self._fd, RESERVE_BYTES, 0))

    def write(self, leaves: list[Leave]) -> None:
        """Write drops down durably, one frame per reason; beyond its size the oldest are written over."""
        for way_out in {leave.way_out for leave in leaves}:
            of_reason = [leave for leave in leaves if leave.way_out == way_out]
            seqs = SeqSet(pair for leave in of_reason for pair in leave.ranges)
            bytes_n = sum(leave.bytes_n for leave in of_reason)
            merged = Leave(of_reason[0].lane, way_out, list(seqs.ranges()), "", bytes_n)
            frame = encode_frame(seqs.last() or 0, FrameType.DROP, msgspec.msgpack.encode(merged))
            at = self.used if self.used + len(frame) <= RESERVE_BYTES else 0
            os.pwrite(self._fd, frame, at)
            self.used = at + len(frame)
        os.fdatasync(self._fd)

    def clear(self) -> None:
        """Forget what is written; the room stays."""
        os.pwrite(self._fd, bytes(RESERVE_BYTES), 0)
        self.used = 0

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)
