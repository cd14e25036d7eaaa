"""Connections of a store of its own, because these tests use up its places."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator

import pytest

from inferometer import store_listen
from telemetry import clock
from telemetry.testing.store_process import StoreProcess

PING = b"GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    with StoreProcess(tmp_path_factory.mktemp("listen") / "data") as running:
        yield running


def answered(connection: socket.socket) -> bool:
    connection.sendall(PING)
    answer = b""
    while not answer.endswith(b"Ok.\n") and (more := connection.recv(1000)):
        answer += more
    return answer.startswith(b"HTTP/1.1 200")


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


def test_one_connection_too_many_takes_the_place_of_the_one_that_rests_longest(alone: StoreProcess) -> None:
    with contextlib.ExitStack() as held:
        connections = [
            held.enter_context(socket.create_connection(("127.0.0.1", alone.port), timeout=20))
            for _ in range(store_listen.CONNECTIONS_MAX)
        ]
        assert all(answered(resting) for resting in connections[:3])
        clock.sleep(store_listen.REST_S_MIN)
        one_more = held.enter_context(socket.create_connection(("127.0.0.1", alone.port), timeout=20))
        assert answered(one_more)

        assert b"" == to_the_end(connections[0])
        assert all(answered(kept) for kept in connections[1:])


async def own_words(_scope: store_listen.Scope, _receive: store_listen.Receive, send: store_listen.Send) -> None:
    await send({"type": "http.response.start", "status": 503, "headers": [(b"connection", b"close")]})
    await send({"type": "http.response.body", "body": b"in my own words"})


@pytest.mark.parametrize(
    ("crowded", "said"),
    [pytest.param(None, b"1 connections are open already", id="the store"), (own_words, b"in my own words")],
)
async def test_a_server_says_how_many_connections_it_has_and_in_its_own_words(
    crowded: store_listen.App | None, said: bytes
) -> None:
    ready, left = asyncio.Event(), list[bool]()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(
                store_listen.served(
                    own_words,
                    listener,
                    ready.set,
                    connections_max=1,
                    crowded=crowded,
                    leaving=lambda: left.append(True),
                )
            )
            await ready.wait()
            _, first = await asyncio.open_connection("127.0.0.1", port)
            reader, second = await asyncio.open_connection("127.0.0.1", port)
            second.write(PING)
            answer = await reader.read()
            for one in (first, second):
                one.close()
                await one.wait_closed()
            signal.raise_signal(signal.SIGTERM)

    assert answer.startswith(b"HTTP/1.1 503")
    assert said in answer
    assert (0, [True]) == (serving.result(), left)


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
