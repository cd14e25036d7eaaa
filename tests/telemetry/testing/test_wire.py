"""Shows that a script plays as written and that every byte and every kind of end is recorded."""

import asyncio
import socket
import threading

import pytest

from telemetry.testing import wire
from telemetry.testing.steps import AwaitEnd, Close, HalfClose, Pause, Reset, Send, Stall
from telemetry.testing.wire import CHUNK_BYTES_MAX, Ending, Gate, Script, Transcript, play


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.create_connection(listener.getsockname())
        far, _ = listener.accept()
    return near, far


async def both(here: Script, there: Script, *, deadline_s: float = 10.0) -> tuple[Transcript, Transcript]:
    near, far = tcp_pair()
    async with asyncio.TaskGroup() as group:
        first = group.create_task(play(near, here, deadline_s=deadline_s))
        second = group.create_task(play(far, there, deadline_s=deadline_s))
    return first.result(), second.result()


@pytest.mark.parametrize(
    ("there", "received", "ending"),
    [
        pytest.param([Send(b"abc"), HalfClose()], b"abc", Ending.EOF, id="bytes then FIN"),
        pytest.param([HalfClose()], b"", Ending.EOF, id="FIN only"),
        pytest.param([Send(b"abc"), Pause(0.02), Reset()], b"abc", Ending.RESET, id="bytes then RST"),
        pytest.param([Send(b"abc"), Close()], b"abc", Ending.EOF, id="bytes then close"),
    ],
)
async def test_the_peer_sees_what_was_played(there: Script, received: bytes, ending: Ending) -> None:
    seen, _ = await both([AwaitEnd(), HalfClose()], there)

    assert (received, ending) == (seen.received, seen.ending)
    assert seen.began_ns <= seen.ended_ns
    assert all(seen.began_ns <= chunk.at_ns <= seen.ended_ns for chunk in seen.chunks)


async def test_the_side_that_closes_first_says_so() -> None:
    _, closer = await both([AwaitEnd()], [Send(b"x"), Close()])

    assert (Ending.LOCAL, 1) == (closer.ending, closer.sent_bytes)


async def test_two_big_sends_do_not_block_each_other() -> None:
    big = bytes(range(256)) * 32 * 1024  # 8 MiB, above any socket buffer
    near, far = await both([Send(big), HalfClose()], [Send(big), HalfClose()])

    assert (big, big) == (near.received, far.received)
    assert len(near.chunks) > 1
    assert all(len(chunk.data) <= CHUNK_BYTES_MAX for chunk in near.chunks)


async def test_a_reset_after_the_end_of_file_is_a_reset() -> None:
    gate = Gate()
    near, far = tcp_pair()
    async with asyncio.TaskGroup() as group:
        seen = group.create_task(
            play(near, [AwaitEnd(), Stall(gate), Send(b"x"), Pause(0.02), Send(b"y")], deadline_s=10)
        )
        await play(far, [HalfClose(), Reset()], deadline_s=10)
        gate.open()

    assert Ending.RESET is seen.result().ending


async def test_a_deadline_ends_a_script_that_waits() -> None:
    near, far = tcp_pair()
    with far:
        seen = await play(near, [AwaitEnd()], deadline_s=0.01)

    assert Ending.DEADLINE is seen.ending


async def test_a_deadline_outranks_an_end_that_was_seen() -> None:
    near, far = tcp_pair()
    far.close()
    seen = await play(near, [AwaitEnd(), Stall(Gate())], deadline_s=0.02)

    assert Ending.DEADLINE is seen.ending


async def test_a_gate_opens_from_any_thread_and_stays_open() -> None:
    gate = Gate()
    threading.Timer(0.01, gate.open).start()
    await gate.passed()
    await gate.passed()


@pytest.mark.parametrize(
    ("extra_bytes", "ending"),
    [pytest.param(0, Ending.EOF, id="at the bound"), pytest.param(1, Ending.OVERFLOW, id="past")],
)
async def test_a_transcript_is_bounded(extra_bytes: int, ending: Ending) -> None:
    block = bytes(1024 * 1024)
    n_blocks = wire.RECEIVED_BYTES_MAX // len(block)
    seen, _ = await both([AwaitEnd()], [*[Send(block)] * n_blocks, Send(bytes(extra_bytes)), HalfClose()])

    assert ending is seen.ending
    assert len(seen.received) <= wire.RECEIVED_BYTES_MAX
