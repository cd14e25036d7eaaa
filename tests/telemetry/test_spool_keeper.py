import errno
import os
from collections.abc import Callable
from pathlib import Path
from threading import Event

from telemetry.accounting import Lane, LaneCounters
from telemetry.shipper import Cut, Shipper
from telemetry.spool import Spool, SpoolLimits
from telemetry.spool_format import Leave
from telemetry.spool_keeper import NAME_TRIES_MAX, RESERVE_BYTES, Reserve
from telemetry.spool_record import RequestEncoder
from telemetry.testing.memory_store import MemoryStore, sample_request

NOW_MS = 1_790_000_000_000


class FailingDisk:
    """An fdatasync that fails where it is told to, on real descriptors."""

    def __init__(self) -> None:
        self.fail_next = 0
        self.failed: list[int] = []
        self.used_again: list[int] = []

    def __call__(self, fd: int) -> None:
        inode = os.fstat(fd).st_ino
        if inode in self.failed:
            self.used_again.append(inode)
        if self.fail_next:
            self.fail_next -= 1
            self.failed.append(inode)
            raise OSError(errno.EIO, "input/output error")
        os.fdatasync(fd)


def spool_on(directory: Path, disk: Callable[[int], None] = os.fdatasync, **limits: float) -> Spool:
    bounds = {"sync_s": 0.005, "cursor_s": 0.005, "retry_s": 0.02, **limits}
    return Spool(directory, node="n1", limits=SpoolLimits(**bounds), fdatasync=disk)  # type: ignore[arg-type]  # ints pass as float here


def payload(n: int) -> bytes:
    encoded = RequestEncoder().encode(sample_request(n), NOW_MS)

    assert encoded is not None
    return encoded.payload


def reopened(directory: Path) -> tuple[Spool, LaneCounters]:
    spool = spool_on(directory)
    spool.recover()
    return spool, spool.counters()["requests"]


def until(spool: Spool, condition: Callable[[], bool]) -> None:
    """Go on once the keeper has made something true."""
    pause = Event()
    for _ in range(2000):
        if condition():
            return
        spool.wait_durable(0.01)
        pause.wait(0.005)
    raise AssertionError("the keeper did not do it")


def test_one_failed_fsync_never_uses_that_file_again_and_writes_the_records_anew(tmp_path: Path) -> None:
    disk = FailingDisk()
    spool = spool_on(tmp_path, disk)
    assert spool.wait_durable(5)
    disk.fail_next = 1

    spool.append_requests([sample_request(n) for n in range(5)])
    assert spool.wait_durable(5)
    spool.append_requests([sample_request(n) for n in range(5, 8)])
    spool.close()

    assert len(disk.failed) == 1
    assert disk.used_again == []
    lost, kept = sorted(tmp_path.glob("0*.seg"), key=lambda path: path.stat().st_ino != disk.failed[0])
    lost.unlink()  # as if the pages of the failed file were thrown away
    assert kept.exists()
    again, found = reopened(tmp_path)
    assert found == LaneCounters(accepted=8, spooled=8)
    again.close()


def test_a_record_in_two_segments_is_shipped_once(tmp_path: Path) -> None:
    disk = FailingDisk()
    spool = spool_on(tmp_path, disk)
    disk.fail_next = 1
    spool.append_requests([sample_request(n) for n in range(5)])
    assert spool.wait_durable(5)
    spool.close()
    store = MemoryStore()

    again, found = reopened(tmp_path)
    shipper = Shipper(again, store, cut=Cut(cut_s=0.005))
    shipper.start()

    assert shipper.stop(10) == 0
    assert found == LaneCounters(accepted=5, spooled=5)
    assert [record.record_id.int for _, _, record in store.rows] == list(range(5))
    again.close()


def test_three_failures_in_a_row_mean_memory_only_and_shipping_goes_on(tmp_path: Path) -> None:
    disk = FailingDisk()
    spool = spool_on(tmp_path, disk, retry_s=3600)
    disk.fail_next = 1_000_000
    spool.append_requests([sample_request(0)])
    until(spool, lambda: spool.status().memory_only)
    store = MemoryStore()
    shipper = Shipper(spool, store, cut=Cut(cut_s=0.005))
    shipper.start()

    spool.append_requests([sample_request(1)])

    assert shipper.stop(10) == 0
    assert len(store.rows) == 2
    assert len(disk.failed) == 3
    assert spool.counters()["requests"] == LaneCounters(accepted=2, stored=2)
    assert spool.status().faults["memory_only"] == 1
    disk.fail_next = 0
    spool.close()


def test_the_disk_is_tried_again_and_takes_what_memory_held(tmp_path: Path) -> None:
    disk = FailingDisk()
    spool = spool_on(tmp_path, disk)
    disk.fail_next = 4
    spool.append_requests([sample_request(n) for n in range(5)])

    until(spool, lambda: not spool.status().memory_only and disk.fail_next == 0 and spool.wait_durable(1))
    spool.close()

    again, found = reopened(tmp_path)
    assert found == LaneCounters(accepted=5, spooled=5)
    again.close()


def test_a_segment_is_closed_at_its_size_and_removed_once_all_in_it_is_settled(tmp_path: Path) -> None:
    spool = spool_on(tmp_path, segment_bytes_max=4096)
    for n in range(40):
        spool.append_requests([sample_request(n * 5 + i) for i in range(5)])
        assert spool.wait_durable(5)
    spool.recover()
    assert spool.status().segments_n > 5

    shipper = Shipper(spool, MemoryStore(), cut=Cut(cut_s=0.005))
    shipper.start()
    assert shipper.stop(10) == 0

    until(spool, lambda: spool.status().segments_n <= 2)
    assert spool.counters()["requests"] == LaneCounters(accepted=200, stored=200)
    spool.close()
    assert list(tmp_path.glob("0*.seg")) == []


def test_a_segment_with_records_is_closed_at_its_age(tmp_path: Path) -> None:
    spool = spool_on(tmp_path, segment_age_s_max=0.01)
    spool.append_requests([sample_request(0)])

    until(spool, lambda: spool.status().segments_n > 1)
    spool.close()


def test_over_quota_the_lowest_lane_goes_first_and_every_missing_row_is_counted(tmp_path: Path) -> None:
    spool = spool_on(tmp_path, segment_bytes_max=4096, bytes_max=60_000, free_bytes_min=0, free_ratio_min=0)
    spool.recover()
    for n in range(30):
        spool.append(Lane.DETAILS, [payload(n)] * 5)
        spool.append_requests([sample_request(n * 5 + i) for i in range(5)])
        assert spool.wait_durable(5)
    until(spool, lambda: spool.status().bytes_n <= 60_000)
    found = spool.counters()
    assert found["details"].dropped["quota"] > 0
    assert found["requests"] == LaneCounters(accepted=150, spooled=150)

    for n in range(30, 60):
        spool.append_requests([sample_request(n * 5 + i) for i in range(5)])
        assert spool.wait_durable(5)
    until(spool, lambda: spool.status().bytes_n <= 60_000)

    found = spool.counters()
    assert found["requests"].dropped["quota"] > 0
    assert all(counters.holds() for counters in found.values())
    spool.close()
    again, _ = reopened(tmp_path)
    assert again.counters() == found
    store = MemoryStore()
    shipper = Shipper(again, store, cut=Cut(cut_s=0.005))
    shipper.start()
    assert shipper.stop(10) == 0
    assert len(store.rows) == found["requests"].spooled == 300 - found["requests"].dropped["quota"]
    again.close()


def test_a_file_system_that_is_nearly_full_shrinks_the_spool(tmp_path: Path) -> None:
    disk = os.statvfs(tmp_path)
    floor = disk.f_blocks * disk.f_frsize * 2
    spool = spool_on(tmp_path, segment_bytes_max=4096, free_bytes_min=floor)
    spool.recover()
    for n in range(60):
        spool.append_requests([sample_request(n * 5 + i) for i in range(5)])
        assert spool.wait_durable(5)

    until(spool, lambda: spool.status().bytes_n <= 5 * 4096 + 2048)
    assert spool.counters()["requests"].dropped["quota"] > 0
    spool.close()


def test_a_name_that_is_taken_costs_a_seq_and_no_more(tmp_path: Path) -> None:
    spool = spool_on(tmp_path, segment_bytes_max=1024)
    spool.append_requests([sample_request(n) for n in range(4)])
    (tmp_path / f"{spool.state.next_seq:016x}.seg").write_bytes(b"taken")
    until(spool, lambda: spool.status().segments_n > 1)

    spool.append_requests([sample_request(9)])

    assert spool.counters()["requests"] == LaneCounters(accepted=5, spooled=5)
    assert NAME_TRIES_MAX > 1
    spool.close()


def test_the_reserve_keeps_drops_of_one_reason_in_one_frame_and_its_size(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path)
    reserve.write([Leave(0, "enospc", [(1, 5)], "", 10), Leave(0, "enospc", [(6, 9)], "", 10)])
    used = reserve.used
    reserve.close()

    again = Reserve(tmp_path)

    assert again.used == used > 0
    again.clear()
    again.close()
    assert (tmp_path / "reserve.seg").read_bytes() == bytes(RESERVE_BYTES)
