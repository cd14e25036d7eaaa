"""clickhouse-connect as it is installed and as people use it: what it sends to the embedded store, it must get."""

import math
from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

import clickhouse_connect
import httpx
import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError

from telemetry.clock import wall_ms
from telemetry.testing.store_process import StoreProcess

NOW_MS = wall_ms()
NOW = datetime.fromtimestamp(NOW_MS / 1000, UTC)
library: Any = clickhouse_connect  # it types neither settings nor options
Client = Any
arrow: Any = pytest.importorskip("pyarrow")  # chdb and pandas bring it


def connected(process: StoreProcess, user: str, **options: object) -> Client:
    return library.get_client(
        host="127.0.0.1", port=process.port, username=user, password=process.secret(user), database="inferometer",
        **options,
    )  # fmt: skip


@pytest.fixture
def reader(process: StoreProcess) -> Iterator[Any]:
    client = connected(process, "reader")
    yield client
    client.close()


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("toLowCardinality('a')", "a"),
        ("CAST(map(-17, 3), 'Map(Int16, UInt32)')", {-17: 3}),
        ("map('k', toUInt64(1))", {"k": 1}),
        ("[toUInt32(1), 2]", [1, 2]),
        ("(toUInt64(1), toUUID('61f0c404-5cb3-11e7-907b-a6006ad3dba0'))",
         (1, UUID("61f0c404-5cb3-11e7-907b-a6006ad3dba0"))),
        ("CAST([(1, 2)], 'Array(Tuple(offset_us UInt32, gap_us UInt32))')", [{"offset_us": 1, "gap_us": 2}]),
        ("toFixedString('abc', 16)", b"abc" + bytes(13)),
        ("CAST(NULL, 'Nullable(UInt32)')", None),
        ("CAST('good', 'Enum8(\\'good\\' = 1, \\'bad\\' = 2)')", "good"),
        ("toDateTime64(1.5, 3, 'UTC')", datetime(1970, 1, 1, 0, 0, 1, 500_000, UTC)),
        ("toDateTime(1, 'UTC')", datetime(1970, 1, 1, 0, 0, 1, 0, UTC)),
        ("toDate('2026-01-31')", datetime(2026, 1, 31, tzinfo=UTC).date()),
        ("inf", math.inf),
        ("toFloat32(0.5)", 0.5),
        ("toUInt64(18446744073709551615)", 2**64 - 1),
    ],
)  # fmt: skip
def test_every_kind_of_value_that_the_tables_hold_is_read(reader: Client, expression: str, expected: object) -> None:
    [[found]] = reader.query("SELECT " + expression).result_rows

    assert expected == (found.replace(tzinfo=found.tzinfo or UTC) if isinstance(found, datetime) else found)


@pytest.mark.parametrize("compression", [False, "lz4", "zstd", "gzip"])
def test_rows_are_inserted_by_column_names_alone_in_every_packing(
    process: StoreProcess,
    reader: Client,
    compression: str | bool,
) -> None:
    client = connected(process, "writer", compress=compression)
    collector = f"n/{compression}"
    names = ["ended_at", "elapsed_us", "endpoint", "model", "collector", "seq", "record_id", "trace_id", "flow_id",
             "outcome", "eligible", "e2e_us", "ttft_us", "itl_h", "tok_by_s", "flags"]  # fmt: skip
    identity = UUID("61f0c404-5cb3-11e7-907b-a6006ad3dba0")
    row = [NOW, 7, "e", "m", collector, 1, identity, b"0123456789abcdef", None,
           "ok", "good", 2**40, 9, {-17: 2, 3: 1}, [5, 6], 1]  # fmt: skip
    for _ in range(2):  # the token makes the second one nothing
        done = client.insert("requests", [row] * 500, names, settings={"insert_deduplication_token": collector})
        assert int(done.summary["written_rows"]) >= 500  # the views' rows count too
    client.close()
    found = reader.query(
        "SELECT *, count() OVER () AS n FROM requests WHERE collector = {c:String} LIMIT 1", parameters={"c": collector}
    )

    stored = dict(zip(found.column_names, found.first_row, strict=True))
    assert 500 == stored["n"]
    assert row[1:] == [stored[name] for name in names[1:]]
    assert NOW_MS == round(stored["ended_at"].timestamp() * 1000)


def test_the_wider_types_of_the_other_tables_are_inserted(process: StoreProcess, reader: Client) -> None:
    client = connected(process, "writer")
    identity = UUID("61f0c404-5cb3-11e7-907b-a6006ad3dba0")
    details = {
        "ended_at": NOW, "endpoint": "e/clients", "record_id": identity, "span_id": b"01234567",
        "engine_request_id": "it's", "error_hash": 2**64 - 1, "rate_limit": {"remaining": "0"},
        "gaps": [(1, 2), (3, 4)], "event_offsets_us": [5, 6], "event_tokens": [1, 255],
    }  # fmt: skip
    rules = {"at": NOW, "silence_id": "s/clients", "matchers": [("endpoint", "=", "a'b")], "starts_at": NOW}
    for table, row in (("request_details", details), ("silences", rules)):
        client.insert(table, [list(row.values())], list(row))
    client.close()
    [found] = reader.query("SELECT * FROM request_details WHERE endpoint = 'e/clients'").named_results()
    [silence] = reader.query("SELECT matchers FROM silences WHERE silence_id = 's/clients'").first_row

    assert [{"offset_us": 1, "gap_us": 2}, {"offset_us": 3, "gap_us": 4}] == found.pop("gaps")
    for name in details.keys() - {"ended_at", "gaps"}:
        assert details[name] == found[name]
    assert [{"name": "endpoint", "op": "=", "value": "a'b"}] == silence


def test_the_states_of_a_roll_up_are_read(process: StoreProcess, reader: Client) -> None:
    client = connected(process, "writer")
    names = [
        "ended_at",
        "elapsed_us",
        "endpoint",
        "outcome",
        "eligible",
        "record_id",
        "ttft_us",
        "e2e_us",
        "tokens_out",
    ]
    identity = UUID("61f0c404-5cb3-11e7-907b-a6006ad3dba0")
    client.insert("requests", [[NOW, 9, "e/states", "ok", "good", identity, 250_000, 500_000, 7]], names)
    client.close()
    found = reader.query(
        "SELECT sum(n), sum(tokens_out), sumMap(outcomes), sumMap(ttft_h), max(e2e_worst)"
        " FROM r_1m WHERE endpoint = 'e/states'"
    ).first_row
    [raw] = reader.query("SELECT ttft_h FROM r_1m WHERE endpoint = 'e/states'").first_row

    assert (1, 7, {"ok": 1}, {-33: 1}, (500_000, identity)) == tuple(found)
    assert {-33: 1} == raw  # 0.25 s closes bucket -33


def test_a_packed_body_that_is_cut_stores_nothing(process: StoreProcess) -> None:
    answer = httpx.post(
        process.url, content=b"\x28\xb5\x2f\xfd", auth=("writer", process.secret("writer")), trust_env=False,
        headers={"Content-Encoding": "zstd"}, params={"query": "INSERT INTO requests (seq) FORMAT Native"},
    )  # fmt: skip

    assert HTTPStatus.BAD_REQUEST == answer.status_code


def test_results_are_streamed_in_blocks_and_raw(reader: Client) -> None:
    with reader.query_row_block_stream("SELECT number FROM numbers(150000)") as stream:
        assert 150_000 == sum(len(rows) for rows in stream)
    with reader.query_column_block_stream("SELECT number, toString(number) FROM numbers(3)") as stream:
        assert [[[0, 1, 2], ["0", "1", "2"]]] == [[list(column) for column in block] for block in stream]
    raw = reader.raw_stream("SELECT number FROM numbers(1000)", fmt="TSV")
    assert 1000 == b"".join(raw).count(b"\n")
    raw.close()


def test_results_come_as_arrow(reader: Client) -> None:
    sql = "SELECT number AS n, toLowCardinality(toString(number)) AS s FROM numbers(3)"
    table = reader.query_arrow(sql)
    raw = arrow.ipc.open_stream(reader.raw_query(sql, fmt="ArrowStream")).read_all()

    assert [0, 1, 2] == table.column("n").to_pylist() == raw.column("n").to_pylist()
    assert ["0", "1", "2"] == [as_text(value) for value in table.column("s").to_pylist()]


def as_text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


def test_results_come_as_a_data_frame(reader: Client) -> None:
    frame = reader.query_df("SELECT number AS n, number / 2 AS half FROM numbers(4)")

    assert [0.0, 0.5, 1.0, 1.5] == list(frame["half"])


def test_nothing_is_an_answer_too(reader: Client) -> None:
    assert [] == reader.query("SELECT 1 WHERE 0").result_rows
    empty = reader.query("SELECT endpoint, e2e_us FROM requests LIMIT 0")
    assert ("endpoint", "e2e_us") == empty.column_names
    assert [] == empty.result_rows
    assert b"" == reader.raw_query("SELECT 1 LIMIT 0", fmt="Native")
    assert reader.ping()
    assert 0 == reader.command("SELECT count() FROM numbers(0)")


@pytest.mark.parametrize(
    "value",
    ["'", "''", "\\", "\\'", "a\0b", "{x:String}", "' OR 1=1 --", "\t\n\r", "\u202eright", "😀", "%s", "x" * 9000],
)
def test_a_parameter_comes_back_as_it_was_sent(reader: Client, value: str) -> None:
    assert value == reader.query("SELECT {v:String} AS v", parameters={"v": value}).first_row[0]
    assert [value, value] == reader.query("SELECT {v:Array(String)} AS v", parameters={"v": [value] * 2}).first_row[0]


@pytest.mark.parametrize(
    ("sql", "code", "words"),
    [
        ("SELECT * FROM nowhere", 60, "UNKNOWN_TABLE"),
        ("SELECT nothing FROM requests", 47, "UNKNOWN_IDENTIFIER"),
        ("SELEC 1", 62, "SYNTAX_ERROR"),
        ("SELECT toUInt8('x')", 6, "CANNOT_PARSE_TEXT"),
        ("INSERT INTO requests (seq) VALUES (1)", 497, "ACCESS_DENIED"),
        ("SELECT number FROM numbers(200001)", 396, "TOO_MANY_ROWS_OR_BYTES"),
    ],
)
def test_an_error_has_its_text_and_its_code(reader: Client, sql: str, code: int, words: str) -> None:
    with pytest.raises(ClickHouseError, match=words) as caught:
        reader.query(sql)

    assert code == getattr(caught.value, "code", None)
    assert f"Code: {code}." in str(caught.value)
