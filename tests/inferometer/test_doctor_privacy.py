"""Where marks of a request are looked for, on real files and a real store."""

from pathlib import Path

import pytest

from inferometer.config_schema import Config
from inferometer.doctor_finding import Level
from inferometer.doctor_privacy import (
    ANSWER_BYTES_MAX,
    FILE_BYTES_MAX,
    ROWS_S_MAX,
    Marks,
    examine,
    has_mark,
    question,
)
from telemetry import schema
from telemetry.testing.store_process import StoreProcess

MIB = 1 << 20
FRESH = Marks.fresh()


def test_marks_are_long_different_and_never_the_same_twice() -> None:
    assert len(set(FRESH.all()) | set(Marks.fresh().all())) == 10
    assert {len(mark) for mark in FRESH.all()} == {41}
    assert (ROWS_S_MAX, ANSWER_BYTES_MAX, FILE_BYTES_MAX) == (15.0, MIB, 1 << 30)


@pytest.mark.parametrize(
    ("before", "after", "bytes_max", "expected"),
    [
        pytest.param(0, 0, MIB, (True, 4), id="alone"),
        pytest.param(MIB - 2, 5, 4 * MIB, (True, MIB + 7), id="over the end of a piece"),
        pytest.param(3 * MIB, 0, 4 * MIB, (True, 3 * MIB + 4), id="in a later piece"),
        pytest.param(10, 10, 14, (True, 14), id="up to the bound"),
        pytest.param(10, 10, 13, (False, 13), id="past the bound"),
    ],
)
def test_a_mark_is_found_wherever_it_stands(
    tmp_path: Path, before: int, after: int, bytes_max: int, expected: tuple[bool, int]
) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"x" * before + b"MARK" + b"x" * after)

    assert expected == has_mark(file, [b"absent", b"MARK"], bytes_max)


def test_every_column_that_can_hold_text_is_asked_for_and_answers(process: StoreProcess) -> None:
    store = process.store("reader")
    asked = {table.name: question(table, FRESH, 0) for table in schema.TABLES}
    found = {name: store.query(one)[0] for name, one in asked.items() if one}
    store.close()

    assert {n for row in found.values() for n in row.values()} == {0}
    assert {"in_endpoint", "in_model", "in_api"} <= set(found["requests"])
    assert sum(map(len, found.values())) > 100


def test_a_mark_in_a_column_is_counted_there_and_an_older_row_is_not(process: StoreProcess) -> None:
    # The store's own list of migrations has a row of this name.
    marks = Marks(prompt="roll-ups", header="~", key="~", query="~", fault="~")
    asked = question(schema.SCHEMA_MIGRATIONS, marks, 0)
    assert asked is not None
    store = process.store("reader")
    (row,) = store.query(asked)
    store.close()

    assert {name: n for name, n in row.items() if n} == {"in_name": 1}
    requests = question(schema.REQUESTS, FRESH, 7)
    assert requests is not None
    assert "WHERE ended_at >= fromUnixTimestamp64Milli({since:Int64})" in requests.sql
    assert (requests.parameters["since"], requests.parameters["marks"]) == (7, FRESH.all())


def test_a_table_without_text_is_not_asked() -> None:
    columns = (schema.Column(name="n", type="UInt64", meaning="a number"),)
    table = schema.Table(name="t", writer="telemetry", meaning="m", columns=columns, order_by="n")

    assert question(table, FRESH, 0) is None


def test_without_a_store_or_a_supervisor_nothing_is_sent(process: StoreProcess, tmp_path: Path) -> None:
    (away,) = examine(Config(data=str(tmp_path)), FRESH)
    (alone,) = examine(Config(data=str(process.data)), FRESH)

    assert (away.level, away.exit_code) == (Level.ERROR, 5)
    assert (alone.level, alone.finding) == (Level.NOTE, f"no supervisor runs on {process.data}")
