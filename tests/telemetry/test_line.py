import asyncio
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

import pytest

from telemetry.clock import monotonic_ns
from telemetry.fetch_error import Fault, FetchError
from telemetry.line import DIAL_S_MAX, HELD_BYTES_MAX, Line, dial, lookup
from telemetry.testing.endpoint import Endpoint
from telemetry.testing.steps import AwaitBytes, AwaitEnd, Close, Pause, Reset, Send, Stall
from telemetry.testing.wire import Gate

HERE = IPv4Address("127.0.0.1")


async def test_the_resolver_gives_addresses_once_each() -> None:
    found = await lookup("localhost", 80)

    assert len(set(found)) == len(found)
    assert {HERE, IPv6Address("::1")} & set(found)


async def held(line: Line, size: int) -> None:
    """Wait until so many bytes wait in a line."""
    while line.held_bytes < size:  # noqa: ASYNC110 -- a line tells nobody what it holds
        await asyncio.sleep(0.001)


async def test_every_read_has_its_own_instant_however_late_the_reader_is() -> None:
    gate = Gate()
    with Endpoint([Send(b"a"), Stall(gate), Send(b"b"), Close()]) as endpoint:
        line = await dial([HERE], endpoint.address[1])
        await held(line, 1)
        between_ns = monotonic_ns()
        gate.open()
        await held(line, 2)
        (first_ns, first), (second_ns, second), (_, end) = [await line.read() for _ in range(3)]
        await line.close()

    assert (b"a", b"b", b"") == (first, second, end)
    assert first_ns < between_ns < second_ns


async def test_what_was_read_before_a_reset_is_still_given() -> None:
    gate = Gate()
    with Endpoint([Send(b"a"), Stall(gate), Reset()]) as endpoint:
        line = await dial([HERE], endpoint.address[1])
        await held(line, 1)
        gate.open()

        assert b"a" == (await line.read())[1]
        with pytest.raises(FetchError) as caught:
            await line.read()
        assert Fault.RESET == caught.value.kind
        assert not await line.write(b"x")
        await line.close()


async def test_no_more_is_held_than_allowed_and_nothing_is_lost() -> None:
    total_bytes = 16 * HELD_BYTES_MAX
    with Endpoint([Send(bytes(total_bytes)), Close()]) as endpoint:
        line = await dial([HERE], endpoint.address[1])
        await held(line, HELD_BYTES_MAX)
        await asyncio.sleep(0.02)
        held_bytes = line.held_bytes
        got = 0
        while data := (await line.read())[1]:
            got += len(data)
        await line.close()

    assert HELD_BYTES_MAX <= held_bytes < 2 * HELD_BYTES_MAX  # one read of the event loop may go over
    assert total_bytes == got


async def test_a_large_question_waits_for_its_reader() -> None:
    total_bytes = 4 << 20
    with Endpoint([Pause(0.02), AwaitBytes(total_bytes), Send(b"done"), AwaitEnd()]) as endpoint:
        line = await dial([HERE], endpoint.address[1])

        assert await line.write(bytes(total_bytes))
        assert b"done" == (await line.read())[1]
        await line.close()


@pytest.fixture
def full_port() -> Iterator[int]:
    """A listener whose queue is full: the kernel drops the next SYN (listen(2), tcp_abort_on_overflow 0)."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port: int = listener.getsockname()[1]
        waiting: list[socket.socket] = []
        for _ in range(4):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
            waiting.append(client)
        yield port
        for client in waiting:
            client.close()


async def test_each_address_has_its_time(full_port: int) -> None:
    with pytest.raises(FetchError) as caught:
        await dial([HERE], full_port, each_s=0.05)

    assert Fault.CONNECT_TIMEOUT == caught.value.kind
    assert DIAL_S_MAX >= 1.0  # a lost SYN is sent again after 1 s (RFC 6298)


async def test_an_address_without_a_way_is_unreachable() -> None:
    with pytest.raises(FetchError) as caught:
        await dial([IPv4Address("255.255.255.255")], 80)

    assert Fault.UNREACHABLE == caught.value.kind
