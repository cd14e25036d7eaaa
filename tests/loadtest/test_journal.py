import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from loadtest.journal import HELD_BYTES_MAX, Journal


def here(work: Callable[[], None]) -> None:
    work()


def test_rows_reach_the_file_in_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "rows", here)
    for number in range(3):
        journal.add(b"%d\n" % number)
        journal.flush()
    journal.add(b"3\n")
    journal.close()

    assert b"0\n1\n2\n3\n" == (tmp_path / "rows").read_bytes()
    assert ("", 0) == (journal.error, journal.lost)


def test_a_file_of_another_run_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "rows").write_bytes(b"theirs\n")

    with pytest.raises(FileExistsError):
        Journal(tmp_path / "rows", here)


def test_a_full_disk_is_said_and_what_was_not_written_is_counted() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    journal = Journal(full, here, exclusive=False)
    journal.add(b"a\n")
    journal.flush()
    error = journal.error
    journal.add(b"b\n")
    journal.close()

    assert "No space left" in error
    assert 2 == journal.lost


def test_rows_that_come_while_others_are_written_are_kept(tmp_path: Path) -> None:
    def slow(work: Callable[[], None]) -> None:
        thread = threading.Thread(target=work)
        journal.add(b"2\n")  # a flush meanwhile returns at once
        journal.flush()
        thread.start()
        thread.join()

    journal = Journal(tmp_path / "rows", slow)
    journal.add(b"1\n")
    journal.close()

    assert b"1\n2\n" == (tmp_path / "rows").read_bytes()


def test_what_waits_is_bounded(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "rows", here)
    journal.add(b"x" * (HELD_BYTES_MAX - 1) + b"\n")
    journal.add(b"y\n")
    journal.close()

    assert 1 == journal.lost
    assert HELD_BYTES_MAX == (tmp_path / "rows").stat().st_size


def test_a_disk_that_hangs_is_said_and_its_rows_are_counted(tmp_path: Path) -> None:
    began, let_go = threading.Event(), threading.Event()

    def hanging(work: Callable[[], None]) -> None:
        began.set()
        let_go.wait(10)
        work()

    journal = Journal(tmp_path / "rows", hanging)
    journal.add(b"1\n2\n")
    writer = threading.Thread(target=journal.flush)
    writer.start()
    began.wait(10)
    assert journal.is_busy

    journal.close()
    said = journal.lost, journal.error
    let_go.set()
    writer.join()

    assert (2, "rows cannot be written: the disk does not answer") == said
