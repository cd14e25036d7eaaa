from pathlib import Path

from telemetry.accounting import STORED, DropReason, Lane, LaneCounters, SeqSet
from telemetry.dlq import DeadRow
from telemetry.lane_log import Row
from telemetry.segments import create_segment
from telemetry.spool_format import Cursor, Frame, FrameType, scan
from telemetry.spool_state import RANGES_MAX, SYNC_RECORDS_MAX, SpoolLimits, SpoolState

EPOCH = bytes.fromhex("a1b2c3d4" + "00" * 12)


def state_in(directory: Path, **cursor: dict[str, object]) -> SpoolState:
    start = Cursor(1, "n1", EPOCH, 1, **{"folds": {}, "bases": {}, **cursor})  # type: ignore[arg-type]  # a few fields
    return SpoolState(directory, start, 0xABCD, 5, SpoolLimits())


def test_the_collector_is_the_node_and_eight_digits_of_the_epoch(tmp_path: Path) -> None:
    assert state_in(tmp_path).collector == "n1/a1b2c3d4"


def test_a_batch_id_names_node_epoch_boot_lane_and_ends(tmp_path: Path) -> None:
    state = state_in(tmp_path)
    state.append(Lane.REQUESTS, [b"x"] * 5, 0)

    batch = state.freeze(Lane.REQUESTS, [Row(4, b"x"), Row(2, b"x")])

    assert batch.batch_id == "n1-a1b2c3d4-0000abcd-requests-2-4"
    assert (batch.ranges, batch.rows) == ([(2, 2), (4, 4)], 2)
    assert state.log(Lane.REQUESTS).waiting() == SeqSet([(1, 1), (3, 3), (5, 5)])
    assert state.pending_seqs(Lane.REQUESTS) == SeqSet([(2, 2), (4, 4)])
    assert not state.pending_seqs(Lane.GPU)


def test_many_records_wake_the_keeper_at_once(tmp_path: Path) -> None:
    state = state_in(tmp_path)
    segment = create_segment(tmp_path, state.header(Lane.REQUESTS), 0)
    state.log(Lane.REQUESTS).open_segment(segment)

    state.append(Lane.REQUESTS, [b"x"] * (SYNC_RECORDS_MAX - 1), 0)
    assert not state.wake.is_set()
    state.append(Lane.REQUESTS, [b"x"], 0)

    assert state.wake.is_set()
    segment.close()


def test_waiting_for_a_disk_that_does_not_answer_ends(tmp_path: Path) -> None:
    state = state_in(tmp_path)
    assert state.wait_durable(0.0)
    state.append(Lane.REQUESTS, [b"x"], 0)

    assert not state.wait_durable(0.01)


def test_a_checkpoint_says_again_what_left_and_what_is_frozen(tmp_path: Path) -> None:
    state = state_in(tmp_path)
    log = state.log(Lane.REQUESTS)
    state.append(Lane.REQUESTS, [b"x"] * 3 * RANGES_MAX, 0)
    log.ledger.settle(SeqSet((2 * n, 2 * n) for n in range(1, RANGES_MAX + 2)), DropReason.QUOTA)
    state.freeze(Lane.REQUESTS, [Row(1, b"x")])
    segment = create_segment(tmp_path, state.header(Lane.REQUESTS), 0)
    log.durable_lsn = log.lsn
    log.open_segment(segment)

    with state.changed:
        state.checkpoint(log)

    kinds = [item.kind for item in scan(segment.path.read_bytes()) if isinstance(item, Frame)]
    assert kinds == [FrameType.ACK, FrameType.ACK, FrameType.FREEZE]
    segment.close()


def test_a_cursor_folds_only_after_recovery_and_keeps_lanes_that_were_not_used(tmp_path: Path) -> None:
    state = state_in(tmp_path, folds={"gpu": 7}, bases={"gpu": {"accepted": 6, "stored": 6}})
    state.append(Lane.REQUESTS, [b"x"] * 4, 0)
    state.settle(state.freeze(Lane.REQUESTS, [Row(1, b"x"), Row(2, b"x")]), STORED)
    with state.changed:
        early = state.make_cursor()
        state.recovered = True
        late = state.make_cursor()

    assert early.folds == {"gpu": 7, "requests": 0}
    assert late.folds == {"gpu": 7, "requests": 3}
    assert late.bases["requests"] == {"accepted": 2, "stored": 2}
    assert (early.generation, late.generation) == (2, 3)
    assert state.counters()["gpu"] == LaneCounters(accepted=6, stored=6)


def test_rows_that_left_the_dead_letter_queue_count_where_they_went(tmp_path: Path) -> None:
    state = state_in(tmp_path)
    state.append(Lane.REQUESTS, [b"x"] * 5, 0)
    rows = [DeadRow(seq, 0, "b", None, "", b"x", 0) for seq in (1, 2, 3)]
    state.dlq.add(rows)
    state.settle(state.freeze(Lane.REQUESTS, [Row(row.seq, b"x") for row in rows]), "dlq")

    state.dlq.release([1], STORED)
    state.dlq.release([2], DropReason.OPERATOR)

    found = state.counters()["requests"]
    assert found == LaneCounters(accepted=5, stored=1, spooled=2, dropped={"operator": 1}, dlq=1)
    assert found.holds()
    state.dlq.close()
