"""What a real store says about its size."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from store_rows import fill

from inferometer import store_stats
from inferometer.data_directory import DataDirectory
from inferometer.errors import UnreachableError
from telemetry.store import Store
from telemetry.testing.store_process import StoreProcess

WIDE_ROWS = 40_000
"""The engine makes a wide part from 10 MiB on, before compression."""


@pytest.fixture
def reader(process: StoreProcess) -> Iterator[Store]:
    store = process.store("reader")
    yield store
    store.close()


def rows(reader: Store, statement: str, table: str) -> list[dict[str, Any]]:
    found = map(json.loads, reader.raw(statement, output="JSONEachRow").splitlines())
    return [row for row in found if row["table"] == table]


def test_an_empty_table_knows_nothing_and_says_so(reader: Store) -> None:
    [found] = rows(reader, store_stats.TABLES, "hint_scores")

    assert (0, 0, 0) == (found["rows"], found["parts"], found["disk_bytes"])
    assert {None} == {found[name] for name in ("oldest", "newest", "bytes_per_day")}


def test_a_store_knows_its_tables_and_where_a_part_is_large_its_columns(process: StoreProcess, reader: Store) -> None:
    fill(process, 3)
    fill(process, 1, WIDE_ROWS)
    [found] = rows(reader, store_stats.TABLES, "requests")
    columns = {row["column"]: row for row in rows(reader, store_stats.COLUMNS, "requests")}
    small = rows(reader, store_stats.COLUMNS, "schema_migrations")

    assert found["rows"] >= 300 + WIDE_ROWS
    assert found["partitions"] >= 3
    assert found["disk_bytes"] == pytest.approx(found["rows"] * found["bytes_per_request"], rel=0.05)
    assert 0 < found["bytes_per_day"] < found["disk_bytes"]
    assert 0.0 < columns["ttft_us"]["bytes_per_row"] < 4.0  # a UInt32 before compression
    assert "started_at" not in columns  # an alias takes no place
    assert {None} == {row["bytes_per_row"] for row in small}


def test_what_readers_set_in_vain_is_counted_by_name(process: StoreProcess, tmp_path: Path) -> None:
    for _ in range(2):
        httpx.post(
            process.url,
            content=b"SELECT 1",
            auth=("reader", process.secret("reader")),
            params={"max_threads": "1", "max_execution_time": "2", "database": "inferometer"},
        ).raise_for_status()

    found = {row["name"]: row["requests"] for row in store_stats.ignored(DataDirectory(root=process.data))}
    assert 2 == found["max_threads"]
    assert not {"max_execution_time", "database"} & found.keys()
    with pytest.raises(UnreachableError, match=r"^no store runs on .*; what it ignores is counted while it runs$"):
        store_stats.ignored(DataDirectory(root=tmp_path))
