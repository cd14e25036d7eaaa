"""Rows of a long run pass through its files and the spool, and are never all held."""

import tracemalloc
from hashlib import sha256
from pathlib import Path

import pytest
from load_rows import row

from inferometer.data_directory import DataDirectory
from inferometer.errors import InferometerError
from inferometer.load_files import GROUP_ROWS_MAX, spool_of, streamed
from inferometer.load_kept import unnamed
from inferometer.load_stream import Stream
from loadtest.rows import line


def test_every_row_reaches_file_and_spool(tmp_path: Path) -> None:
    n = GROUP_ROWS_MAX + 5
    (tmp_path / "rows-0.jsonl").write_bytes(b"".join(line(row(j)) for j in range(0, n, 2)))
    (tmp_path / "rows-1.jsonl").write_bytes(b"".join(line(row(j)) for j in range(1, n, 2)) + b'{"cut')
    data = DataDirectory(root=tmp_path / "data")
    with Stream(tmp_path, data, "r") as stream:
        for one in streamed(tmp_path):
            stream.add(one)

    written = (tmp_path / "requests.jsonl").read_bytes()
    assert (n, sha256(written).hexdigest()) == (stream.rows, stream.sha256)
    assert sorted(unnamed(text).j for text in written.splitlines()) == list(range(n))
    assert [] == list(tmp_path.glob("rows-*"))
    assert any(path.stat().st_size > 10_000 for path in Path(spool_of(data, "r")).iterdir())


def test_the_rows_of_hours_are_not_held(tmp_path: Path) -> None:
    """Six groups pass, and the peak is about that of one."""
    (tmp_path / "rows-0.jsonl").write_bytes(line(row(1)) * 6_000)
    data = DataDirectory(root=tmp_path / "data")
    tracemalloc.start()
    try:
        with Stream(tmp_path, data, "r") as stream:
            for one in streamed(tmp_path):
                stream.add(one)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert (6_000, True) == (stream.rows, peak_bytes < 8 << 20)


def test_a_line_that_is_no_row_is_said_and_leaves_the_rows(tmp_path: Path) -> None:
    (tmp_path / "rows-0.jsonl").write_bytes(line(row(1)) + b"{}\n")

    def passes() -> None:
        with Stream(tmp_path, DataDirectory(root=tmp_path / "data"), "r") as stream:
            for one in streamed(tmp_path):
                stream.add(one)

    with pytest.raises(InferometerError, match=r"rows-0\.jsonl:2"):
        passes()
    assert (tmp_path / "rows-0.jsonl").exists()


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with (
        pytest.raises(InferometerError, match=r"requests\.jsonl"),
        Stream(tmp_path / "none", DataDirectory(root=tmp_path), "r"),
    ):
        pass
