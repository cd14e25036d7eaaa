"""Where rows are read from, and how a store that does not answer is told."""

import socket
from pathlib import Path

import pytest

from inferometer import data_directory
from inferometer.config_schema import Config, StoreKeys
from inferometer.data_directory import DataDirectory
from inferometer.errors import ConfigurationError, InferometerError, UnreachableError
from inferometer.reading import EXCEPTION_CHARACTERS_MAX, source
from telemetry.queries import Question
from telemetry.testing.endpoint import Endpoint
from telemetry.testing.steps import AwaitToken, HalfClose, Send

ASKED = Question(sql="SELECT 1 AS x", seconds_max=2.0)
HELLO = b"HTTP/1.1 %s\r\nX-ClickHouse-Exception-Code: %d\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"


def failing(status: bytes, code: int, body: bytes) -> Endpoint:
    return Endpoint([AwaitToken(), Send(HELLO % (status, code, len(body), body)), HalfClose()])


def config_of(endpoint: Endpoint, data: Path) -> Config:
    host, port = endpoint.address
    return Config(data=str(data), store=StoreKeys(url=f"http://{host}:{port}"))


def test_without_a_store_the_way_to_start_one_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnreachableError, match=rf"no store runs on {tmp_path}; start one: inferometer up --target URL"):
        source(Config(data=str(tmp_path)))


def test_a_store_url_wins_and_nobody_supervises(tmp_path: Path) -> None:
    where = source(Config(data=str(tmp_path), store=StoreKeys(url="http://127.0.0.1:1")))

    assert (where.url, where.metrics_url, where.tee_port) == ("http://127.0.0.1:1", None, None)


def test_the_running_supervisor_says_where_things_are(tmp_path: Path) -> None:
    data = DataDirectory(root=tmp_path)
    lock = data_directory.own(data, started_at="then")
    told = {"started_unix_ms": 5, "metrics": "http://127.0.0.1:2", "ports": {"tee": 3}}
    data_directory.write_status(data, told)

    where = source(Config(data=str(tmp_path), store=StoreKeys(url="http://127.0.0.1:1")))

    assert (where.observing_since_ms, where.metrics_url, where.tee_port) == (5, "http://127.0.0.1:2", 3)
    lock.close()


def test_a_store_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
    where = source(Config(data=str(tmp_path), store=StoreKeys(url=url)))

    with pytest.raises(UnreachableError, match=f"^store {url} does not answer"):
        where.rows(ASKED)
    with pytest.raises(UnreachableError, match=f"^store {url} does not answer"):
        where.raw("SELECT 1", "json")


def test_a_refusal_of_the_password_is_a_matter_of_configuration(tmp_path: Path) -> None:
    with failing(b"401 Unauthorized", 516, b"Code: 516. DB::Exception: no such user") as endpoint:
        where = source(config_of(endpoint, tmp_path))

        with pytest.raises(ConfigurationError, match="refuses"):
            where.rows(ASKED)


def test_a_long_complaint_is_cut(tmp_path: Path) -> None:
    complaint = b"Code: 1. DB::Exception: " + b"x" * (2 * EXCEPTION_CHARACTERS_MAX)
    with failing(b"500 Internal Server Error", 1, complaint) as endpoint:
        where = source(config_of(endpoint, tmp_path))

        with pytest.raises(InferometerError) as refused:
            where.rows(ASKED)

    assert len(str(refused.value)) < EXCEPTION_CHARACTERS_MAX + 100
