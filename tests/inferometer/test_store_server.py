import signal
import socket
import subprocess
import sys
import threading
from http import HTTPStatus
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from inferometer import store_gate, store_server, store_wire
from telemetry.clock import wall_ms
from telemetry.errors import StoreError
from telemetry.outcome import Eligibility, Outcome, Phase
from telemetry.record import RequestBatch, RequestRecord
from telemetry.store import encode_requests
from telemetry.testing.store_process import StoreProcess

NOW_MS = wall_ms()


def batch(collector: str, n: int, first: int = 0) -> RequestBatch:
    records = tuple(
        RequestRecord(
            ended_at=NOW_MS, elapsed_us=1, endpoint="e", model="m", record_id=UUID(int=first + at),
            outcome=Outcome.OK, phase=Phase.DONE, eligible=Eligibility.GOOD,
        )
        for at in range(n)
    )  # fmt: skip
    return RequestBatch(collector=collector, seqs=tuple(range(first, first + n)), records=records)


def asked(process: StoreProcess, sql: bytes, user: str = "reader", **options: str) -> httpx.Response:
    return httpx.post(process.url, content=sql, auth=(user, process.secret(user)), params=options, trust_env=False)


def refused(*arguments: str) -> tuple[int, list[str]]:
    """Exit code and lines of a store that must not start."""
    command = [sys.executable, "-m", "inferometer.store_server", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert "" == ended.stdout
    return ended.returncode, ended.stderr.splitlines()


def test_rows_come_as_json_each_row_too(process: StoreProcess) -> None:
    sql = b'INSERT INTO requests (ended_at, collector) FORMAT JSONEachRow\n{"ended_at": 1, "collector": "n/json"}\n'

    assert HTTPStatus.OK == asked(process, sql, "writer").status_code
    poison = asked(process, b'INSERT INTO requests (seq) FORMAT JSONEachRow\n{"seq": "x"}', "writer")
    assert (500, "27") == (poison.status_code, poison.headers["x-clickhouse-exception-code"])


def test_what_curl_sees(process: StoreProcess) -> None:
    secret = process.secret("reader")
    with httpx.Client(base_url=process.url, trust_env=False) as client:
        by_key = {"X-ClickHouse-User": "reader", "X-ClickHouse-Key": secret}
        bearer = {"Authorization": "Bearer " + secret}

        assert "Ok.\n" == client.get("/ping").text
        assert "inferometer_store_checks_failed_total 0\n" in client.get("/metrics").text
        assert HTTPStatus.NOT_FOUND == client.get("/other").status_code
        assert HTTPStatus.NOT_FOUND == client.put("/").status_code
        assert HTTPStatus.MISDIRECTED_REQUEST == client.get("/ping", headers={"Host": "evil.example"}).status_code
        assert HTTPStatus.UNAUTHORIZED == client.get("/", params={"query": "SELECT 1"}).status_code
        assert "1\n" == client.get("/", params={"query": "SELECT 1"}, headers=by_key).text
        assert "1\n" == client.get("/", params={"query": "SELECT 1"}, headers=bearer).text
        named = client.post("/?query_id=q&default_format=JSON", content="SELECT 1 AS x", headers=bearer)
        assert ("JSON", "q") == (named.headers["x-clickhouse-format"], named.headers["x-clickhouse-query-id"])
        assert "UTC" == named.headers["x-clickhouse-timezone"]
        assert [{"x": 1}] == named.json()["data"]


def test_a_database_is_taken_from_the_url_but_never_the_one_of_host_files(process: StoreProcess) -> None:
    assert "1\n" == asked(process, b"SELECT count() FROM one", database="system").text
    assert "inferometer\n" == asked(process, b"SELECT currentDatabase()", database="default").text


def test_what_grafanas_plugin_gets(process: StoreProcess) -> None:
    options = {"default_format": "Native", "client_protocol_version": "54483", "database": "inferometer"}
    hello = asked(process, b"SELECT displayName(), version(), revision(), timezone()", "grafana", **options)

    assert hello.content.startswith(
        bytes.fromhex("010002ffffffff000401") + b"\x0ddisplayName()\x06String\0\x0binferometer"
    )
    assert hello.content.endswith(b"\x0arevision()\x06UInt32\0\0\0\0\0\x0atimezone()\x06String\0\x03UTC")
    assert b"\x01\x01\x011\x05UInt8\x01" == asked(process, b"SELECT 1", "grafana", **options).content
    assert b"" == asked(process, b"SELECT 1 WHERE 0", "grafana", **options).content
    for sql in (
        b"SHOW DATABASES",
        b"SHOW TABLES",
        b"DESC TABLE requests",
        b"SELECT name FROM system.functions LIMIT 10000",
    ):
        assert HTTPStatus.OK == asked(process, sql, "grafana", **options).status_code
    refused = asked(process, b"SELECT * FROM nowhere", "grafana", **options)
    assert (404, "60") == (refused.status_code, refused.headers["x-clickhouse-exception-code"])


@pytest.mark.parametrize(
    ("sql", "options", "code"),
    [
        pytest.param(
            b"INSERT INTO requests (seq) FORMAT Native\n", {"max_threads": "1"}, "115", id="a foreign setting"
        ),
        pytest.param(b"SELECT count() FROM requests", {}, "497", id="a question of its own"),
        pytest.param(b"INSERT INTO requests (seq) FORMAT Native\n\x01\x01\x03seq\x06UInt64", {}, "33", id="cut data"),
        pytest.param(b"INSERT INTO requests (seq) FORMAT Native\n", {"async_insert": "'"}, "467", id="a bad value"),
    ],
)
def test_what_a_writer_is_told(process: StoreProcess, sql: bytes, options: dict[str, str], code: str) -> None:
    assert code == asked(process, sql, "writer", **options).headers["x-clickhouse-exception-code"]


def test_get_never_writes(process: StoreProcess) -> None:
    query = {"query": "INSERT INTO requests (seq) FORMAT Native"}
    answer = httpx.get(process.url, params=query, auth=("writer", process.secret("writer")), trust_env=False)

    assert "164" == answer.headers["x-clickhouse-exception-code"]


def test_statements_heads_and_bodies_are_bounded(process: StoreProcess) -> None:
    longest = b"SELECT 1".ljust(store_gate.SQL_BYTES_MAX)

    assert "1\n" == asked(process, longest).text
    assert HTTPStatus.BAD_REQUEST == asked(process, longest + b" ").status_code
    assert HTTPStatus.OK == asked(process, b"SELECT 1", x="y" * (store_wire.HEADER_BYTES_MAX - 1000)).status_code
    assert 413 == asked(process, b"SELECT 1", x="y" * store_wire.HEADER_BYTES_MAX).status_code
    assert 413 == asked(process, bytes(store_wire.BODY_BYTES_MAX + 1)).status_code
    assert (30.0, 60.0) == (store_server.BODY_S_MAX, store_server.REQUEST_S_MAX)


@pytest.mark.parametrize("value", ["x", "nan?"])
def test_a_budget_that_is_no_number_is_refused(process: StoreProcess, value: str) -> None:
    assert "36" == asked(process, b"SELECT 2", max_execution_time=value).headers["x-clickhouse-exception-code"]


def test_a_client_that_leaves_half_way_stores_nothing(process: StoreProcess) -> None:
    rows = batch("n/half", 1000)
    statement = b"INSERT INTO requests (seq) FORMAT Native\n"
    body = statement + encode_requests(rows)
    head = insert_head(process, len(body))
    with socket.create_connection(("127.0.0.1", process.port)) as connection:
        connection.sendall(head + body[: len(body) // 2])

    assert 0 == process.store("writer").count_requests(rows)


def test_a_second_owner_is_told_who_owns_and_both_ways_out(process: StoreProcess) -> None:
    code, lines = refused("--data", str(process.data), "--port", "0")

    assert 2 == code
    assert [f"owned by process {process.pid} since" in line and process.url in line for line in lines] == [True]
    assert "or choose another directory with --data" in lines[0]


def test_a_taken_port_is_named_and_nothing_is_written(process: StoreProcess, tmp_path: Path) -> None:
    code, lines = refused("--data", str(tmp_path / "new"), "--port", str(process.port))

    assert 5 == code
    assert [f"--port {process.port} of 127.0.0.1 cannot be used" in line for line in lines] == [True]
    assert [] == list(tmp_path.iterdir())


def test_a_directory_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    code, lines = refused("--data", str(tmp_path / "file"), "--port", "0")

    assert (5, 1) == (code, len(lines))
    assert "choose another with --data" in lines[0]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        pytest.param(["--host", "0.0.0.0"], "loopback only", id="an address that others reach"),
        pytest.param(["--port", "x"], "invalid int value", id="a port that is no number"),
        pytest.param(["--wrong"], "unrecognized arguments", id="an unknown option"),
    ],
)
def test_bad_arguments_end_with_code_2(tmp_path: Path, arguments: list[str], word: str) -> None:
    code, lines = refused("--data", str(tmp_path / "new"), *arguments)

    assert 2 == code
    assert word in lines[-1]
    assert [] == list(tmp_path.iterdir())


def kill_after(process: StoreProcess, enough: threading.Event) -> None:
    enough.wait()
    process.end(signal.SIGKILL)


def insert_head(process: StoreProcess, n_bytes: int) -> bytes:
    lines = ("POST / HTTP/1.1", "Host: localhost", "X-ClickHouse-User: writer",
             "X-ClickHouse-Key: " + process.secret("writer"), f"Content-Length: {n_bytes}")  # fmt: skip
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@pytest.mark.system
def test_a_killed_store_reopens_with_every_acknowledged_insert(tmp_path: Path) -> None:
    acknowledged: list[RequestBatch] = []
    for life in range(3):
        with StoreProcess(tmp_path / "data") as process:
            client = process.store("writer")
            assert [200] * len(acknowledged) == [client.count_requests(one) for one in acknowledged]
            enough = threading.Event()
            killer = threading.Thread(target=kill_after, args=(process, enough))
            killer.start()
            first = life * 1_000_000
            try:
                while True:
                    rows = batch("n/kill", 200, first)
                    client.insert_requests(rows, f"kill-{first}")
                    acknowledged.append(rows)
                    first += 200
                    if first % 1_000_000 == 1000:
                        enough.set()
            except StoreError:
                killer.join()
            client.close()
    assert len(acknowledged) >= 15


@pytest.mark.system
def test_sigterm_lets_a_running_insert_finish(tmp_path: Path) -> None:
    rows = batch("n/term", 20_000)
    with StoreProcess(tmp_path / "data") as process:
        client = process.store("writer")
        client.ping()
        body = b"INSERT INTO requests (" + b", ".join(_names()) + b") FORMAT Native\n" + encode_requests(rows)
        head = insert_head(process, len(body))
        with socket.create_connection(("127.0.0.1", process.port)) as connection:
            connection.sendall(head + body[:-1])
            ended = threading.Thread(target=process.end)
            ended.start()
            connection.sendall(body[-1:])
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
        ended.join()
        assert 0 == process.end()
        client.close()
    with StoreProcess(tmp_path / "data") as again:
        assert 20_000 == again.store("writer").count_requests(rows)
        assert 130 == again.end(signal.SIGINT)


def _names() -> list[bytes]:
    return [column.name.encode() for column in store_gate.WRITABLE[0].insert_columns]


@pytest.mark.system
@pytest.mark.timeout(90)
def test_a_slow_body_ends_with_408_and_its_connection(process: StoreProcess) -> None:
    with socket.create_connection(("127.0.0.1", process.port), timeout=60) as connection:
        connection.sendall(insert_head(process, 100) + b"INSERT")
        answer = b"".join(iter(lambda: connection.recv(1000), b""))

    assert answer.startswith(b"HTTP/1.1 408")
    assert b"the body did not arrive within 30 s" in answer
