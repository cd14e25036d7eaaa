import json
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from telemetry.accounting import STORED, DropReason
from telemetry.dlq import DLQ_BYTES_MAX, DeadRow, Dlq
from telemetry.errors import SpoolError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def dead(seq: int, payload: bytes = b"payload", lane: int = 0) -> DeadRow:
    return DeadRow(seq, lane, f"batch-{seq}", 27, "cannot parse", payload, 1_790_000_000_000 + seq)


def test_rows_come_back_by_seq_and_survive_a_close(tmp_path: Path) -> None:
    dlq = Dlq(tmp_path)
    dlq.add([dead(2), dead(1), dead(3, lane=1)])
    dlq.close()

    again = Dlq(tmp_path)

    assert again.rows(0) == [dead(1), dead(2)]
    assert again.seqs(1) == [3]
    again.close()


def test_nothing_is_made_before_the_first_row(tmp_path: Path) -> None:
    dlq = Dlq(tmp_path)

    assert dlq.rows(0) == []
    assert dlq.gone(0) == {}
    dlq.release([1], STORED)
    dlq.failed_again([1])
    dlq.close()
    assert list(tmp_path.iterdir()) == []


def test_the_file_is_private_and_writes_are_synchronous(tmp_path: Path) -> None:
    dlq = Dlq(tmp_path)
    dlq.add([dead(1)])

    assert stat.S_IMODE((tmp_path / "dlq.sqlite").stat().st_mode) == 0o600
    dlq.close()


def test_a_row_that_is_there_stays_as_it_is(tmp_path: Path) -> None:
    dlq = Dlq(tmp_path)
    dlq.add([dead(1)])

    dlq.add([dead(1, b"other")])

    assert dlq.rows(0) == [dead(1)]
    dlq.close()


def test_a_row_leaves_once_and_is_counted_by_its_way_out(tmp_path: Path) -> None:
    dlq = Dlq(tmp_path)
    dlq.add([dead(1), dead(2), dead(3)])

    dlq.release([1, 2], STORED)
    dlq.release([2], STORED)
    dlq.release([3], DropReason.OPERATOR)

    assert dlq.gone(0) == {"stored": 2, "operator": 1}
    assert dlq.rows(0) == []
    dlq.close()


def test_failed_replays_are_counted(tmp_path: Path) -> None:
    dlq = Dlq(tmp_path)
    dlq.add([dead(1)])

    dlq.failed_again([1])

    assert dlq.rows(0)[0].attempts == 1
    dlq.close()


def test_beyond_its_bytes_the_oldest_rows_go_to_a_file_and_count_as_expired(tmp_path: Path) -> None:
    dlq = Dlq(tmp_path, bytes_max=20)
    dlq.add([dead(1, b"x" * 10), dead(2, b"y" * 10)])
    assert dlq.gone(0) == {}

    dlq.add([dead(3, b"z" * 10)])

    assert dlq.seqs(0) == [2, 3]
    dlq.add([dead(4, b"a" * 10)])
    assert dlq.gone(0) == {"expired": 2}
    kept = tmp_path / "quarantine" / "dlq-2026-09-21.jsonl.zst"  # the day of unix second 1,790,000,000
    assert [1, 2] == [json.loads(line)["seq"] for line in zstd.decompress(kept.read_bytes()).splitlines()]
    assert DLQ_BYTES_MAX == 256 << 20  # spec/store.md 11.7
    dlq.close()


NO_ROOM = """
import resource, sys
from pathlib import Path
from telemetry.dlq import DeadRow, Dlq
from telemetry.errors import SpoolError

dlq = Dlq(Path(sys.argv[1]), bytes_max=20)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_010, resource.RLIM_INFINITY))
try:
    dlq.add([DeadRow(3, 0, "batch-3", 27, "cannot parse", b"z" * 10, 1_790_000_000_003)])
except SpoolError as error:
    print(error)
dlq.close()
"""


def test_where_there_is_no_room_the_file_stays_readable_and_the_rows_stay_in_the_queue(tmp_path: Path) -> None:
    dlq = Dlq(tmp_path, bytes_max=20)
    dlq.add([dead(1, b"x" * 10), dead(2, b"y" * 10)])
    dlq.close()
    kept = tmp_path / "quarantine" / "dlq-2026-09-21.jsonl.zst"
    kept.parent.mkdir()
    kept.write_bytes(b"k" * 100_000)  # larger than the database, so that only this file meets the limit
    told = subprocess.run([sys.executable, "-c", NO_ROOM, str(tmp_path)], check=True, capture_output=True, text=True)
    again = Dlq(tmp_path)

    assert "File too large" in told.stdout
    assert 100_000 == kept.stat().st_size
    assert [1, 2] == again.seqs(0)
    again.close()


def test_a_file_that_is_no_database_goes_to_quarantine_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "dlq.sqlite").write_bytes(b"no database" * 100)
    dlq = Dlq(tmp_path)

    assert dlq.rows(0) == []
    assert (tmp_path / "quarantine" / "dlq.sqlite").read_bytes().startswith(b"no database")
    dlq.close()


def test_a_database_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "dlq.sqlite").write_bytes(b"")
    other = sqlite3.connect(tmp_path / "dlq.sqlite")
    other.execute("CREATE TABLE dead (seq TEXT)")
    other.close()
    dlq = Dlq(tmp_path)

    with pytest.raises(SpoolError, match=r"dead letter queue .*dlq\.sqlite"):
        dlq.rows(0)
    dlq.close()


def test_another_process_may_read_while_it_is_open(tmp_path: Path) -> None:
    dlq = Dlq(tmp_path)
    dlq.add([dead(1)])
    other = sqlite3.connect(tmp_path / "dlq.sqlite")

    assert other.execute("SELECT count(*) FROM dead").fetchone() == (1,)
    other.close()
    dlq.close()
