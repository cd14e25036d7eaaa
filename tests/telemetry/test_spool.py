import os
import resource
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from telemetry.accounting import LaneCounters
from telemetry.errors import SpoolError, SpoolOwnedError, SpoolVersionError
from telemetry.spool import SEGMENT_RECORDS_MAX, SEQ_JUMP, Spool, SpoolLimits, orphans
from telemetry.spool_format import FRAME_OVERHEAD_BYTES
from telemetry.spool_record import decode_request
from telemetry.testing.memory_store import sample_request

QUICK = SpoolLimits(sync_s=0.01, cursor_s=0.01, retry_s=0.02)


def open_spool(directory: Path, limits: SpoolLimits = QUICK, node: str = "n1") -> Spool:
    return Spool(directory, node=node, limits=limits)


def test_what_was_appended_waits_and_comes_back_after_a_restart(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    spool.append_requests([sample_request(1), sample_request(2)])
    assert spool.counters()["requests"] == LaneCounters(accepted=2, spooled=2)
    collector = spool.collector
    spool.close()
    spool.close()

    again = open_spool(tmp_path, node="renamed")
    again.recover()
    again.recover()

    assert again.collector == collector
    assert again.counters()["requests"] == LaneCounters(accepted=2, spooled=2)
    assert [decode_request(row.payload) for row in again.reader().cut()] == [sample_request(1), sample_request(2)]
    again.close()


def test_seqs_start_at_one_and_jump_at_each_start(tmp_path: Path) -> None:
    firsts: list[int] = []
    for _ in range(3):
        spool = open_spool(tmp_path)
        spool.append_requests([sample_request(1)])
        firsts.append(spool.reader().cut()[-1].seq)
        spool.close()

    assert firsts[0] == 1
    assert all(b - a > SEQ_JUMP for a, b in pairwise(firsts))


def test_no_segment_can_hold_more_records_than_a_start_skips() -> None:
    assert SpoolLimits().segment_bytes_max // FRAME_OVERHEAD_BYTES < SEGMENT_RECORDS_MAX


def test_what_the_store_could_never_take_is_counted_as_invalid(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    bad = msgspec.structs.replace(sample_request(1), elapsed_us=-1)

    spool.append_requests([sample_request(1), bad, sample_request(2)])

    expected = LaneCounters(accepted=3, spooled=2, dropped={"invalid": 1})
    assert spool.counters()["requests"] == expected
    spool.close()
    again = open_spool(tmp_path)
    again.recover()
    assert again.counters()["requests"] == expected
    again.close()


def test_repaired_records_are_counted(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    spool.append_requests([msgspec.structs.replace(sample_request(1), model="\ud800")])

    assert spool.status().faults == {"repaired": 1}
    spool.close()


def test_a_second_owner_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)

    with pytest.raises(SpoolOwnedError, match=str(os.getpid())):
        open_spool(tmp_path)
    spool.close()


def test_a_newer_version_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    spool.append_requests([sample_request(1)])
    spool.close()
    (path,) = tmp_path.glob("0*.seg")
    data = bytearray(path.read_bytes())
    data[8] = 2
    path.write_bytes(bytes(data))
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.name != "spool.lock"}

    with pytest.raises(SpoolVersionError, match="version 2"):
        open_spool(tmp_path)

    assert {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.name != "spool.lock"} == before


def test_a_path_that_is_no_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(SpoolError, match=r"file.*cannot be used"):
        open_spool(tmp_path / "file" / "spool")


def test_foreign_files_go_to_quarantine(tmp_path: Path) -> None:
    (tmp_path / "alien.seg").write_bytes(b"alien")

    spool = open_spool(tmp_path)

    assert (tmp_path / "quarantine" / "alien.seg").read_bytes() == b"alien"
    assert spool.status().faults == {"foreign_files": 1}
    spool.close()


def test_lost_cursors_mean_replay_and_never_a_wipe(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    spool.append_requests([sample_request(n) for n in range(10)])
    collector = spool.collector
    spool.close()
    for name in ("cursor.a", "cursor.b"):
        (tmp_path / name).unlink(missing_ok=True)

    again = open_spool(tmp_path)
    again.recover()

    assert again.collector == collector
    assert again.counters()["requests"] == LaneCounters(accepted=10, spooled=10)
    again.close()


def test_the_directory_is_private(tmp_path: Path) -> None:
    spool = open_spool(tmp_path / "new" / "spool")

    assert (tmp_path / "new" / "spool").stat().st_mode & 0o777 == 0o700
    spool.close()


def test_orphans_are_free_directories_that_still_hold_segments(tmp_path: Path) -> None:
    owned, left, drained = (open_spool(tmp_path / name) for name in ("owned", "left", "drained"))
    left.append_requests([sample_request(1)])
    left.close()
    drained.close()
    (tmp_path / "else").mkdir()

    assert orphans(tmp_path) == [tmp_path / "left"]
    assert orphans(tmp_path / "nowhere") == []
    owned.close()


FULL_DISK = """
import resource, signal, sys
from itertools import pairwise
from pathlib import Path
from telemetry.spool import Spool, SpoolLimits
from telemetry.testing.memory_store import sample_request

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limits = SpoolLimits(sync_s=0.005, retry_s=0.01, ring_bytes_max=64 << 10)
spool = Spool(Path(sys.argv[1]), node="n1", limits=limits)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
for n in range(100):
    spool.append_requests([sample_request(n * 10 + i) for i in range(10)])
spool.wait_durable(1)
full = spool.counters()["requests"]
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
for n in range(3):
    spool.append_requests([sample_request(5000 + n)])
    spool.wait_durable(5)
back = spool.counters()["requests"]
lost = sum(back.dropped.values())
print(full.holds(), full.accepted, full.dropped.get("enospc", 0) > 0, back.accepted, back.spooled + lost)
spool.close()
"""


def test_a_disk_that_refuses_large_files_raises_nothing_and_every_loss_is_counted(tmp_path: Path) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    answer = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path)], check=True, capture_output=True, text=True, timeout=60
    )

    assert answer.stdout.split() == ["True", "1000", "True", "1003", "1003"]
    spool = open_spool(tmp_path)
    spool.recover()
    found = spool.counters()["requests"]
    assert found.holds()
    assert found.accepted == 1003
    spool.close()
