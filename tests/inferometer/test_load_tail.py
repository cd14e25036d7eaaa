"""The rows of a run that goes on."""

from pathlib import Path

from load_rows import row

from inferometer.load_tail import Tail
from loadtest.rows import line


def test_rows_are_read_as_they_come(tmp_path: Path) -> None:
    tail, rows = Tail(tmp_path), [row(j) for j in range(4)]
    assert [] == list(tail.rows())

    first, second = tmp_path / "rows-0.jsonl", tmp_path / "rows-1.jsonl"
    first.write_bytes(line(rows[0]) + line(rows[1])[:-9])
    second.write_bytes(line(rows[2]))
    assert [rows[0], rows[2]] == list(tail.rows())

    first.write_bytes(line(rows[0]) + line(rows[1]) + line(rows[3]))
    assert [rows[1], rows[3]] == list(tail.rows())
    assert [] == list(tail.rows())
