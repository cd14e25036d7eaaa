"""The engine as a process of its own would open it once: chDB has one owner and one path per process, so these tests
talk to it over the wire.
"""

import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import pytest

from inferometer import store_engine
from telemetry import queries
from telemetry.clock import sleep
from telemetry.errors import StoreDeniedError, StoreError, StoreUnreachableError
from telemetry.store import Store
from telemetry.testing.store_process import StoreProcess


@pytest.fixture
def reader(process: StoreProcess) -> Iterator[Store]:
    client = process.store("reader")
    yield client
    client.close()


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT file('{path}')",
        "SELECT `file`('{path}')",
        "select /* x */ FiLe ('{path}')",
        "SELECT 1 IN file('{path}')",
        "SELECT arrayMap(file, ['{path}'])",
        "SELECT * APPLY file FROM (SELECT '{path}' AS x)",
        "SELECT * APPLY(x -> file(x)) FROM (SELECT '{path}' AS x)",
        "SELECT * FROM file('{path}', 'LineAsString')",
        "SELECT * FROM default.`{path}`",
        "SELECT * FROM `{path}`",
        "DESCRIBE file('{path}')",
        "SELECT * FROM url('file://{path}', 'LineAsString')",
        "SELECT * FROM executable('cat', 'LineAsString', 'x String')",
        "SELECT * FROM python(x)",
        "SELECT 1; SELECT file('{path}')",
        "SELECT 1 INTO/**/OUTFILE '{path}.out'",
        "EXPLAIN SELECT 1 INTO OUTFILE '{path}.out'",
        "INSERT INTO FUNCTION file('{path}.out') SELECT 1",
        "SELECT 1 SETTINGS readonly = 0",
        "SET readonly = 0",
        "CREATE TABLE inferometer.t (a UInt8) ENGINE = Memory",
        "SELECT aiGenerate('x')",
        "SELECT sleep(3)",
        "KILL QUERY WHERE 1",
    ],
)
def test_no_reader_leaves_the_store(reader: Store, tmp_path: Path, sql: str) -> None:
    secret = tmp_path / "host.csv"
    secret.write_text("the host's own file\n")

    with pytest.raises(StoreError) as caught:
        reader.raw(sql.replace("{path}", str(secret)))

    assert "the host's own file" not in str(caught.value)
    assert ["host.csv"] == [path.name for path in tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("WITH file AS (SELECT 1 AS x) SELECT * FROM file", b"1\n"),
        ("SELECT 'into outfile'", b"into outfile\n"),
        ("SELECT sum(number) FROM numbers(10)", b"45\n"),
        ("EXISTS inferometer.requests", b"1\n"),
        ("SELECT 1 WHERE 0", b""),
        ("-- a comment\nSELECT 'a\\tb' /* and another */", b"a\\tb\n"),
    ],
)
def test_what_readers_ask(reader: Store, sql: str, expected: bytes) -> None:
    assert expected == reader.raw(sql, output="TSV")


def test_a_failed_statement_leaves_nothing_for_the_next_one(reader: Store) -> None:
    for _ in range(2 * store_engine.READERS_MAX):
        with pytest.raises(StoreError, match="Limit for result exceeded"):
            reader.raw("SELECT number FROM numbers(300000)")

        assert b"42\n" == reader.raw("SELECT 42", output="TSV")


def test_budgets_of_a_reader(reader: Store) -> None:
    assert 32 * 1024 * 1024 == store_engine.RESULT_BYTES_MAX
    assert 10.0 == store_engine.READ_S_MAX
    for sql, code in [
        ("SELECT number FROM numbers(200001)", 396),
        ("SELECT repeat('x', 1000000) FROM numbers(40)", 396),
        ("SELECT repeat(toString(number % 10), 1000000) FROM numbers(40)", 396),
        ("SELECT count() FROM numbers(3000000000)", 158),
    ]:
        with pytest.raises(StoreError) as caught:
            reader.raw(sql)

        assert code == caught.value.code


UNLUCKY = """
import sys
from pathlib import Path

import chdb

from inferometer.store_engine import Engine, EngineError

real, refused = chdb.connect, []


def connect(path):
    if refused:
        raise RuntimeError(refused.pop())
    return real(path)


chdb.connect = connect
engine = Engine(Path(sys.argv[1]), Path(sys.argv[2]))


def tell(sql):
    try:
        print(engine.read(sql, "TSV", {}, "inferometer").future.result().body.decode().strip())
    except EngineError as error:
        print(str(error).split(":")[0])


for _ in range(4):
    tell("SELECT no_such_name")
refused += ["none now", "nor now"]
for _ in range(6):
    tell("SELECT 42")
engine.close()
"""
"""Every handle has just failed, and two new connections are refused, as one is whose prelude is killed."""


def test_a_handle_outlives_a_connection_that_could_not_be_opened(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", UNLUCKY, str(tmp_path / "store"), str(tmp_path / "backups")]
    told = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)

    assert ["Code"] * 4 + ["nor now", "none now"] + ["42"] * 4 == told.stdout.splitlines()


HEAVY = "SELECT count() FROM numbers(60000) AS a, numbers(60000) AS b WHERE NOT ignore(cityHash64(a.number, b.number))"
"""Takes longer than any budget, while it reads few rows."""
RUNNING = queries.Question(
    sql="SELECT count() AS n FROM system.processes WHERE query LIKE '%(60000) AS a%' AND query NOT LIKE '%LIKE%'",
    seconds_max=5.0,
)


def running(store: Store) -> int:
    return cast("int", store.query(RUNNING)[0]["n"])


def ended(store: Store) -> bool:
    """Whether the heavy statement is gone well before its own budget would have ended it."""
    return any(running(store) == 0 or sleep(0.05) for _ in range(60))


def test_an_asker_gives_up_earlier_than_the_store_and_the_statement_ends(process: StoreProcess, reader: Store) -> None:
    for _ in range(store_engine.READERS_MAX + 1):  # were the statements to run on, no handle would be left for the rest
        with pytest.raises(StoreError, match=r"Timeout exceeded: maximum: 0\.05 s") as caught:
            reader.query(queries.Question(sql=HEAVY, seconds_max=0.05))

        assert 159 == caught.value.code
    assert ended(process.store("reader"))


def test_a_client_that_leaves_takes_its_statement_with_it(process: StoreProcess, reader: Store) -> None:
    head = "POST / HTTP/1.1\r\nHost: localhost\r\nX-ClickHouse-User: reader\r\nX-ClickHouse-Key: "
    head += f"{process.secret('reader')}\r\nContent-Length: {len(HEAVY)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", process.port)) as connection:
        connection.sendall((head + HEAVY).encode())
        assert any(running(reader) == 1 or sleep(0.05) for _ in range(60))

    assert ended(reader)


def test_more_statements_than_are_remembered(reader: Store) -> None:
    for number in range(store_engine.VERDICTS_MAX + 1):
        sql = "SELECT " + str(number)

        assert str(number).encode() + b"\n" == reader.raw(sql, output="TSV")


def test_readers_work_side_by_side(process: StoreProcess) -> None:
    def total(_: int) -> bytes:
        return process.store("reader").raw("SELECT sum(number) FROM numbers(1000000)", output="TSV")

    with ThreadPoolExecutor(8) as threads:
        assert {b"499999500000\n"} == set(threads.map(total, range(16)))


def test_the_store_lives_on_after_it_was_asked_nonsense(process: StoreProcess, reader: Store) -> None:
    with pytest.raises(StoreDeniedError):
        reader.raw("KILL QUERY WHERE 1")
    with pytest.raises(StoreUnreachableError):
        Store("http://127.0.0.1:1").raw("SELECT 1")

    assert b"1\n" == process.store("grafana").raw("SELECT 1", output="TSV")
