"""Connections of a store of its own, because these tests use up its places."""

import contextlib
import socket
from collections.abc import Iterator

import pytest

from inferometer import store_listen
from telemetry.testing.store_process import StoreProcess

PING = b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    with StoreProcess(tmp_path_factory.mktemp("listen") / "data") as running:
        yield running


def to_the_end(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(1000), b""))


def test_one_connection_too_many_is_told_to_come_back_and_the_others_are_served(alone: StoreProcess) -> None:
    with contextlib.ExitStack() as held:
        connections = [
            held.enter_context(socket.create_connection(("127.0.0.1", alone.port), timeout=20))
            for _ in range(store_listen.CONNECTIONS_MAX + 1)
        ]
        one_more = connections.pop()
        one_more.sendall(PING)
        answer = to_the_end(one_more)
        for connection in connections:
            connection.sendall(PING)
            assert connection.recv(100).startswith(b"HTTP/1.1 200")

    assert answer.startswith(b"HTTP/1.1 503")
    assert b"\r\nretry-after: 1\r\n" in answer.lower()
    assert b"\r\nx-clickhouse-exception-code: 202\r\n" in answer.lower()
    assert b"64 connections are open already" in answer


@pytest.mark.system
@pytest.mark.timeout(90)
def test_a_connection_whose_head_does_not_come_is_closed(alone: StoreProcess) -> None:
    assert 30.0 == store_listen.HEAD_S_MAX
    with (
        socket.create_connection(("127.0.0.1", alone.port), timeout=60) as silent,
        socket.create_connection(("127.0.0.1", alone.port), timeout=60) as slow,
        socket.create_connection(("127.0.0.1", alone.port), timeout=60) as second,
    ):
        slow.sendall(PING[:20])
        second.sendall(PING + PING[:20])

        assert b"" == to_the_end(silent)
        assert b"" == to_the_end(slow)
        assert to_the_end(second).endswith(b"\r\n\r\nOk.\n")
