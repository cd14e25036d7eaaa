"""Knows how to read what earlier processes left in a spool directory; refuses to know how it is shipped.

Reads every old segment once, front to back, and learns which rows there are, which of them left and which are frozen.
It keeps no payloads: memory stays bounded however long the store was away. Damage costs the frames it hit; the seqs
that are missing around it are known from their neighbours and become rows that wait until the shipper, finding them
nowhere, counts them as corrupt.

Source: spec/store.md 11.3, 11.5; spec/reliability.md 5.2.
"""

import os
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from telemetry.accounting import DLQ, WAYS_OUT, Lane, SeqSet
from telemetry.segments import Segment, quarantine_copy
from telemetry.spool_format import HEADER_BYTES, Batch, Damage, Frame, FrameType, Leave, Split, scan
from telemetry.spool_keeper import RESERVE_NAME
from telemetry.spool_state import SpoolState

_KNOWN_TYPES = frozenset(FrameType)


class _Found:
    """What one file says."""

    def __init__(self) -> None:
        self.seqs = SeqSet()
        self.gaps: list[tuple[int, int | None]] = []
        self.leaves: list[Leave] = []
        self.batches: list[Batch | Split] = []
        self.unknown = False
        self.good_end = 0


def recover(state: SpoolState, segments: list[Segment]) -> None:
    """Read the segments of earlier processes, oldest first, and complete the state."""
    found = [_recover_segment(state, segment, segments[n + 1 :]) for n, segment in enumerate(segments)]
    _recover_reserve(state)
    with state.changed:
        for n, segment in enumerate(segments):
            _miss(state, segment, _gap(found[n].gaps, _next_seq(segment, segments[n + 1 :])))
        _settle_dead(state)
        state.pending = {name: batch for name, batch in state.pending.items() if _waits(state, batch)}
        for lane, log in state.logs.items():
            log.frozen.update(state.pending_seqs(lane))
            log.behind = log.behind or bool(log.segments)
        state.recovered = state.cursor_due = True
    state.wake.set()


def _recover_segment(state: SpoolState, segment: Segment, later: Sequence[Segment]) -> _Found:
    found = _read(segment)
    is_torn = bool(found.gaps) and found.gaps[-1][1] is None and not any(_follows(segment, other) for other in later)
    if is_torn:
        with suppress(OSError):  # a crash cut the last write of a process
            os.truncate(segment.path, found.good_end)
            segment.size = found.good_end
    if len(found.gaps) > is_torn:
        state.faults["damaged_segments"] += 1
        quarantine_copy(state.directory, segment.path)
    with state.changed:
        _apply(state, segment, found)
    return found


def _follows(segment: Segment, other: Segment) -> bool:
    """Say whether the same process wrote the other one later, for the same lane."""
    return (other.header.boot, other.header.lane) == (segment.header.boot, segment.header.lane)


def _next_seq(segment: Segment, later: Sequence[Segment]) -> int | None:
    firsts = (other.seqs.first() for other in later if _follows(segment, other))
    return next((first for first in firsts if first is not None), None)


def _gap(gaps: Sequence[tuple[int, int | None]], next_seq: int | None) -> SeqSet:
    """Return the seqs between the neighbours of the damage; the neighbour behind the end is in the next segment."""
    ends = [(first, next_seq if last is None else last) for first, last in gaps]
    return SeqSet((first + 1, last - 1) for first, last in ends if last is not None and last > first + 1)


def _miss(state: SpoolState, segment: Segment, gap: SeqSet) -> None:
    """Accept the seqs around damage that no lane knows: they were rows of this one."""
    for log in state.logs.values():
        gap = gap.minus(log.ledger.known)
    segment.seqs.update(gap)
    for first, last in gap.ranges():
        state.log(Lane(segment.header.lane)).ledger.accept(first, last)


def _read(segment: Segment) -> _Found:
    found = _Found()
    found.good_end = HEADER_BYTES
    gap_after: int | None = None
    newest = segment.header.first_seq - 1
    for item in scan(segment.path.read_bytes()):
        if isinstance(item, Damage):
            gap_after = newest
            continue
        if gap_after is not None:
            _note_gap(found, gap_after, item)
            gap_after = None
        _note(found, item)
        newest = max(newest, item.seq)
        found.good_end = item.end
    if gap_after is not None:
        found.gaps.append((gap_after, None))
    return found


def _note_gap(found: _Found, gap_after: int, item: Frame) -> None:
    """Remember between which two seqs rows may be missing; a control frame carries the seq of the row before it."""
    before = item.seq if item.kind == FrameType.RECORD else item.seq + 1
    found.gaps.append((gap_after, before))


def _note(found: _Found, frame: Frame) -> None:
    if frame.kind == FrameType.RECORD:
        found.seqs.add(frame.seq, frame.seq)
    elif frame.kind not in _KNOWN_TYPES:
        found.unknown = True
    else:
        _note_control(found, frame)


def _note_control(found: _Found, frame: Frame) -> None:
    with suppress(msgspec.MsgspecError):
        if frame.kind in (FrameType.ACK, FrameType.DROP):
            found.leaves.append(msgspec.msgpack.decode(frame.payload, type=Leave))
        elif frame.kind == FrameType.FREEZE:
            found.batches.append(msgspec.msgpack.decode(frame.payload, type=Batch))
        elif frame.kind == FrameType.SPLIT:
            found.batches.append(msgspec.msgpack.decode(frame.payload, type=Split))


def _apply(state: SpoolState, segment: Segment, found: _Found) -> None:
    ledger = state.log(Lane(segment.header.lane)).ledger
    for first, last in found.seqs.ranges():
        ledger.accept(first, last)
    segment.seqs, segment.scanned, segment.kept = found.seqs, True, found.unknown
    for leave in found.leaves:
        _leave(state, leave)
    for batch in found.batches:
        _freeze(state, batch)


def _leave(state: SpoolState, leave: Leave) -> None:
    if leave.way_out in WAYS_OUT and leave.lane in set(Lane):
        state.log(Lane(leave.lane)).ledger.settle(SeqSet(leave.ranges), leave.way_out)


def _freeze(state: SpoolState, batch: Batch | Split) -> None:
    """Know a batch; its rows lie before its frame, so a batch that is settled by now needs no place.

    Subtle: rows of which nothing is known here lie below the fold, or were frozen by a process that had no disk.
    """
    state.pending.pop(batch.batch_id, None)
    parts = batch.parts if isinstance(batch, Split) else [batch]
    state.pending.update((part.batch_id, part) for part in parts)


def _waits(state: SpoolState, batch: Batch) -> bool:
    ledger = state.log(Lane(batch.lane)).ledger
    top = max((last for _, last in batch.ranges), default=0)
    waiting = ledger.unsettled().within(0, top)
    return any(waiting.within(first, last) for first, last in batch.ranges)


def _recover_reserve(state: SpoolState) -> None:
    found = _Found()
    with suppress(OSError):
        for item in scan((state.directory / RESERVE_NAME).read_bytes(), 0):
            if isinstance(item, Frame) and item.kind == FrameType.DROP:
                _note_control(found, item)
    with state.changed:
        for leave in found.leaves:
            _leave(state, leave)


def _settle_dead(state: SpoolState) -> None:
    """Let rows leave that reached the dead letter queue just before the frame that says so."""
    for lane, log in state.logs.items():
        fresh = log.ledger.settle(SeqSet.of(state.dlq.seqs(lane)).within(log.ledger.fold, state.next_seq), DLQ)
        if fresh:
            leave = Leave(lane, DLQ, list(fresh.ranges()))
            log.append_control(state.next_seq - 1, FrameType.ACK, leave)
