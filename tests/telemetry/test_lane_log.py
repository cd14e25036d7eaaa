import errno
from pathlib import Path

from telemetry.accounting import STORED, DropReason, Lane, LaneLedger, SeqSet
from telemetry.lane_log import DISK_FULL, RING_BYTES_MAX, STRIKES_MAX, LaneLog
from telemetry.segments import Segment, create_segment
from telemetry.spool_format import Frame, FrameType, Header, scan

EPOCH = bytes(16)


def log_with(ring_bytes_max: int = RING_BYTES_MAX) -> LaneLog:
    return LaneLog(Lane.REQUESTS, LaneLedger(), ring_bytes_max=ring_bytes_max)


def segment_in(directory: Path, first_seq: int = 1) -> Segment:
    return create_segment(directory, Header(0, 0, EPOCH, 0, first_seq), 0)


def seqs_in(segment: Segment) -> list[int]:
    return [item.seq for item in scan(segment.path.read_bytes()) if isinstance(item, Frame) and item.kind == 1]


def confirm(log: LaneLog) -> None:
    log.synced(*log.to_sync())


def test_a_group_is_one_write_of_consecutive_frames(tmp_path: Path) -> None:
    log, segment = log_with(), segment_in(tmp_path)
    log.open_segment(segment)

    assert log.append(1, [b"a", b"b"]) == 1
    assert log.append_control(2, FrameType.ACK, ["x"]) == 2

    assert seqs_in(segment) == [1, 2]
    assert segment.seqs == SeqSet([(1, 2)])
    segment.close()


def test_groups_without_a_disk_are_written_when_a_segment_opens(tmp_path: Path) -> None:
    log = log_with()
    log.append(1, [b"a"])
    log.append(2, [b"b"])
    segment = segment_in(tmp_path)

    assert log.open_segment(segment)

    assert seqs_in(segment) == [1, 2]
    segment.close()


def test_after_a_failure_only_unconfirmed_groups_are_written_again(tmp_path: Path) -> None:
    log, first, second = log_with(), segment_in(tmp_path), segment_in(tmp_path, 2)
    log.open_segment(first)
    log.append(1, [b"a"])
    confirm(log)
    log.append(2, [b"b"])

    log.fail(first, OSError(errno.EIO, "x"))

    assert log.active is None
    assert log.fault == errno.EIO
    log.open_segment(second)
    assert seqs_in(second) == [2]
    assert first.fd is not None  # another thread may be inside a call with it
    log.bury()
    assert first.fd is None
    second.close()


def test_a_write_that_fails_closes_the_segment_and_raises_nothing(tmp_path: Path) -> None:
    log, segment = log_with(), segment_in(tmp_path)
    log.open_segment(segment)
    segment.close()
    segment.fd = -1

    log.append(1, [b"a"])

    assert log.fault == errno.EBADF
    assert log.ring_seqs() == SeqSet([(1, 1)])
    segment.fd = None


def test_a_second_refusal_while_groups_are_written_again_is_noticed(tmp_path: Path) -> None:
    log, segment = log_with(), segment_in(tmp_path)
    log.append(1, [b"a"])
    segment.close()
    segment.fd = -1

    assert not log.open_segment(segment)
    segment.fd = None


def test_memory_lets_confirmed_groups_go_once_they_are_taken(tmp_path: Path) -> None:
    log, segment = log_with(), segment_in(tmp_path)
    log.open_segment(segment)
    log.append(1, [b"a", b"b"])
    log.append(3, [b"c"])
    log.frozen.add(1, 2)

    confirm(log)

    assert log.ring_seqs() == SeqSet([(3, 3)])
    assert not log.behind
    segment.close()


def test_memory_past_its_bound_lets_confirmed_groups_go_and_falls_behind(tmp_path: Path) -> None:
    log, segment = log_with(ring_bytes_max=100), segment_in(tmp_path)
    log.open_segment(segment)
    log.append(1, [bytes(79)])  # a frame of 100 bytes: at the bound
    confirm(log)
    assert log.ring_seqs() == SeqSet([(1, 1)])

    log.append(2, [b""])

    assert log.behind
    assert log.ring_seqs() == SeqSet([(2, 2)])
    segment.close()


def test_without_a_disk_the_oldest_rows_are_dropped_by_reason() -> None:
    for fault, reason in ((errno.ENOSPC, DropReason.ENOSPC), (errno.EIO, DropReason.IO_ERROR)):
        log = log_with(ring_bytes_max=300)
        log.fault = fault
        for n in range(20):
            log.append(1 + n, [bytes(50)])

        found = log.ledger.counters()

        assert found.holds()
        assert found.dropped[reason] == 20 - found.spooled
        assert [leave.way_out for leave in log.owed] == [reason] * found.dropped[reason]
    assert errno.EDQUOT in DISK_FULL


def test_a_lane_lives_in_memory_after_so_many_strikes() -> None:
    log = log_with()
    log.strikes = STRIKES_MAX - 1
    assert not log.memory_only

    log.strikes = STRIKES_MAX

    assert log.memory_only


def test_groups_come_by_age_or_newest_first_and_not_when_taken() -> None:
    log = log_with()
    for n in range(4):
        log.append(1 + 2 * n, [b"x", b"y"])
    log.frozen.add(1, 3)
    log.ledger.settle(SeqSet([(4, 4)]), STORED)

    assert [group.first for group in log.ring_groups(1000)] == [5, 7]
    assert [group.first for group in log.ring_groups(1000, newest=True)] == [7, 5]
    assert [group.first for group in log.ring_groups(1)] == [5]


def test_segments_are_forgotten_from_the_oldest_on_once_folded(tmp_path: Path) -> None:
    log = log_with()
    for n in range(3):
        segment = segment_in(tmp_path, 1 + n)
        log.open_segment(segment)
        log.append(1 + n, [b"x"])
        confirm(log)
    log.ledger.settle(SeqSet([(2, 2)]), STORED)
    log.advance()
    assert log.forget_segments() == []

    log.ledger.settle(SeqSet([(1, 1)]), STORED)
    log.advance()

    assert [segment.header.first_seq for segment in log.forget_segments()] == [1, 2]
    log.close_active()
    log.close_active()


def test_a_segment_with_rows_of_a_frozen_batch_is_not_dropped(tmp_path: Path) -> None:
    log = log_with()
    for n in range(3):
        log.open_segment(segment_in(tmp_path, 1 + n))
        log.append(1 + n, [b"x"])
        confirm(log)

    found = log.oldest_droppable(SeqSet([(1, 1)]))

    assert found is not None
    assert found.header.first_seq == 2
    assert log.oldest_droppable(SeqSet([(1, 3)])) is None
    log.close_active()


def test_dropping_what_has_left_does_nothing() -> None:
    log = log_with()
    log.append(1, [b"x"])

    assert log.drop(SeqSet([(1, 1)]), DropReason.QUOTA, 5) is not None
    assert log.drop(SeqSet([(1, 1)]), DropReason.OPERATOR) is None
