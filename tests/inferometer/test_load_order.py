"""Rows come in the order of the plan, held or not."""

from pathlib import Path

import pytest
from load_rows import row

from inferometer.errors import InferometerError
from inferometer.load_order import ROWS_HELD_MAX, Ordered
from loadtest.rows import line

NUMBERS = ((4, 0, 2, 6, 8), (1, 5, 3, 9, 7))


def workers(directory: Path) -> None:
    for worker, numbers in enumerate(NUMBERS):
        data = b"".join(line(row(j)) for j in numbers)
        (directory / f"rows-{worker}.jsonl").write_bytes(data)
    with (directory / "rows-1.jsonl").open("ab") as file:
        file.write(line(row(5, attempt=2)) + b'{"j":9,"cut off')


@pytest.mark.parametrize("held_max", [ROWS_HELD_MAX, 12, 11, 10, 3, 1])
def test_rows_of_all_workers_come_in_the_order_of_the_plan(tmp_path: Path, held_max: int) -> None:
    workers(tmp_path)
    before = sorted(tmp_path.iterdir())
    with Ordered(tmp_path, held_max) as rows:
        looks = [[(one.j, one.record.attempt) for one in rows] for _ in range(2)]
        files = {path.name for path in tmp_path.iterdir()} - {path.name for path in before}

    assert [[(0, 1), (1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (5, 2), *((j, 1) for j in range(6, 10))]] * 2 == looks
    assert 11 == len(rows)
    assert ({"ordered.jsonl"} if held_max <= 11 else set()) == files
    assert before == sorted(tmp_path.iterdir())


def test_a_run_without_rows_has_none(tmp_path: Path) -> None:
    with Ordered(tmp_path) as rows:
        assert ([], 0) == (list(rows), len(rows))


def test_a_line_that_is_no_row_is_named(tmp_path: Path) -> None:
    (tmp_path / "rows-0.jsonl").write_bytes(b"{}\n")

    with pytest.raises(InferometerError, match=r"rows-0\.jsonl:1: not a row"), Ordered(tmp_path):
        pass


def test_a_line_that_is_no_row_leaves_no_parts(tmp_path: Path) -> None:
    workers(tmp_path)
    (tmp_path / "rows-2.jsonl").write_bytes(b"{}\n")
    before = sorted(tmp_path.iterdir())

    with pytest.raises(InferometerError, match=r"rows-2\.jsonl:1: not a row"), Ordered(tmp_path, 3):
        pass
    assert before == sorted(tmp_path.iterdir())


def test_a_disk_that_takes_no_more_leaves_the_files_of_the_workers(tmp_path: Path) -> None:
    workers(tmp_path)
    (tmp_path / "ordered.jsonl").symlink_to("/dev/full")

    with pytest.raises(InferometerError, match=r"No space left.*; the rows are in rows-\*"), Ordered(tmp_path, 3):
        pass
    assert ["rows-0.jsonl", "rows-1.jsonl"] == sorted(path.name for path in tmp_path.iterdir())
