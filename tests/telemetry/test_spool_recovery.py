from pathlib import Path
from random import Random

from telemetry.accounting import DLQ, STORED, LaneCounters
from telemetry.dlq import DeadRow
from telemetry.shipper import Cut, Shipper
from telemetry.spool import Spool, SpoolLimits
from telemetry.spool_format import HEADER_BYTES, Frame, encode_frame, scan
from telemetry.spool_recovery import recover
from telemetry.testing.memory_store import MemoryStore, sample_request

QUICK = SpoolLimits(sync_s=0.01, cursor_s=0.01)


def filled(directory: Path, n: int = 20, limits: SpoolLimits = QUICK) -> Path:
    """Fill a spool with one record per group, close it and return its first segment."""
    spool = Spool(directory, node="n1", limits=limits)
    for i in range(n):
        spool.append_requests([sample_request(i)])
        if limits is not QUICK:
            assert spool.wait_durable(5)
    spool.close()
    return min(directory.glob("0*.seg"))


def opened(directory: Path) -> tuple[Spool, LaneCounters]:
    spool = Spool(directory, node="n1", limits=QUICK)
    spool.recover()
    found = spool.counters()["requests"]

    assert found.holds()
    return spool, found


def drained(spool: Spool) -> tuple[MemoryStore, LaneCounters]:
    store = MemoryStore()
    shipper = Shipper(spool, store, cut=Cut(cut_s=0.001))
    shipper.start()

    assert shipper.stop(20) == 0
    found = spool.counters()["requests"]
    assert found.holds()
    spool.close()
    return store, found


def test_damage_in_the_middle_costs_the_frames_it_hit_and_keeps_a_copy(tmp_path: Path) -> None:
    path = filled(tmp_path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))

    spool, found = opened(tmp_path)

    assert found == LaneCounters(accepted=20, spooled=20)
    assert spool.status().faults["damaged_segments"] == 1
    assert (tmp_path / "quarantine" / path.name).read_bytes() == bytes(data)
    store, after = drained(spool)
    assert after == LaneCounters(accepted=20, stored=19, dropped={"corrupt": 1})
    assert len(store.rows) == 19


def test_a_zeroed_block_is_counted_record_by_record(tmp_path: Path) -> None:
    path = filled(tmp_path, 60)
    data = bytearray(path.read_bytes())
    data[4096:8192] = bytes(4096)
    path.write_bytes(bytes(data))
    left = sum(isinstance(item, Frame) for item in scan(bytes(data)))

    spool, _ = opened(tmp_path)
    store, after = drained(spool)

    assert after == LaneCounters(accepted=60, stored=left, dropped={"corrupt": 60 - left})
    assert len(store.rows) == left < 60


def test_a_torn_tail_is_cut_off_at_the_last_whole_frame(tmp_path: Path) -> None:
    path = filled(tmp_path)
    data = path.read_bytes()
    whole = [item.end for item in scan(data) if isinstance(item, Frame)]
    path.write_bytes(data[: whole[10] + 7])

    spool, found = opened(tmp_path)

    assert path.stat().st_size == whole[10]
    assert found == LaneCounters(accepted=11, spooled=11)
    spool.close()


def test_random_damage_never_gives_a_wrong_record_and_always_balances(tmp_path: Path) -> None:
    random = Random(11)  # noqa: S311  # seeded on purpose
    truth = [sample_request(n) for n in range(20)]
    for case in range(15):
        directory = tmp_path / str(case)
        path = filled(directory)
        data = bytearray(path.read_bytes())
        for _ in range(5):
            data[random.randrange(HEADER_BYTES, len(data))] ^= 1 << random.randrange(8)
        path.write_bytes(bytes(data))

        spool, _ = opened(directory)
        store, after = drained(spool)

        assert all(record in truth for _, _, record in store.rows)
        assert after.stored == len(store.rows) >= 15


def test_a_damaged_tail_before_another_segment_of_the_same_process_is_counted(tmp_path: Path) -> None:
    path = filled(tmp_path, 40, SpoolLimits(sync_s=0.001, segment_bytes_max=2048))
    data = path.read_bytes()
    path.write_bytes(data[:-10])

    spool, found = opened(tmp_path)
    _, after = drained(spool)

    assert found.accepted == 40
    assert after == LaneCounters(accepted=40, stored=39, dropped={"corrupt": 1})


def test_what_left_before_the_restart_is_not_shipped_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path, node="n1", limits=QUICK)
    spool.append_requests([sample_request(n) for n in range(10)])
    reader = spool.reader()
    spool.settle(spool.freeze(reader.cut(4)), STORED)
    part = spool.freeze(reader.cut(3))
    spool.close()

    again, found = opened(tmp_path)

    assert found == LaneCounters(accepted=10, stored=4, spooled=6)
    assert again.pending() == [part]
    assert len(again.reader().cut()) == 3
    again.close()


def test_a_split_batch_comes_back_as_its_parts(tmp_path: Path) -> None:
    spool = Spool(tmp_path, node="n1", limits=QUICK)
    spool.append_requests([sample_request(n) for n in range(10)])
    batch = spool.freeze(spool.reader().cut())
    parts = [type(batch)(f"{batch.batch_id}.{n}", 0, [(1 + 5 * n, 5 + 5 * n)], 5) for n in range(2)]
    spool.split(batch, parts)
    spool.settle(parts[0], STORED)
    spool.close()

    again, _ = opened(tmp_path)

    assert again.pending() == [parts[1]]
    again.close()


def test_a_row_that_reached_the_dead_letter_queue_just_before_the_crash_is_there_once(tmp_path: Path) -> None:
    spool = Spool(tmp_path, node="n1", limits=QUICK)
    spool.append_requests([sample_request(n) for n in range(3)])
    row = spool.reader().cut()[1]
    spool.dlq.add([DeadRow(row.seq, 0, "batch", 27, "cannot parse", row.payload, 0)])
    spool.close()

    again, found = opened(tmp_path)
    store, after = drained(again)

    assert found == LaneCounters(accepted=3, spooled=2, dlq=1)
    assert after == LaneCounters(accepted=3, stored=2, dlq=1)
    assert len(store.rows) == 2
    assert DLQ == "dlq"


def test_a_frame_of_an_unknown_type_is_skipped_and_its_segment_kept(tmp_path: Path) -> None:
    path = filled(tmp_path, 3)
    with path.open("ab") as file:
        file.write(encode_frame(4, 99, b"from the future"))

    spool, found = opened(tmp_path)
    store, _ = drained(spool)

    assert found == LaneCounters(accepted=3, spooled=3)
    assert len(store.rows) == 3
    assert path.exists()


def test_a_missing_and_a_reordered_segment_lose_only_what_is_missing(tmp_path: Path) -> None:
    filled(tmp_path, 40, SpoolLimits(sync_s=0.001, segment_bytes_max=2048))
    paths = sorted(tmp_path.glob("0*.seg"))
    gone = sum(isinstance(item, Frame) for item in scan(paths[1].read_bytes()))
    paths[1].unlink()

    spool, found = opened(tmp_path)
    store, _ = drained(spool)

    assert found.accepted == 40 - gone
    assert len(store.rows) == 40 - gone


def test_drops_that_only_the_reserve_knows_are_learnt(tmp_path: Path) -> None:
    path = filled(tmp_path, 5)
    spool, _ = opened(tmp_path)
    spool.close()
    (tmp_path / "reserve.seg").write_bytes(encode_frame(9, 4, b"\x95\x00\xa6enospc\x91\x92\x08\x09\xa0\x00"))

    again, found = opened(tmp_path)

    assert path.exists()
    assert found == LaneCounters(accepted=7, spooled=5, dropped={"enospc": 2})
    again.close()


def test_nothing_to_recover_is_recovered_at_once(tmp_path: Path) -> None:
    spool = Spool(tmp_path, node="n1", limits=QUICK)

    recover(spool.state, [])

    assert spool.status().recovered
    spool.close()
