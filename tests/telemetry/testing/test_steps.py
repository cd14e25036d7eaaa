"""Shows each move of a script on a real socket."""

import asyncio

import pytest

from telemetry.testing.client import talk
from telemetry.testing.endpoint import Endpoint
from telemetry.testing.steps import (
    HEAD_END,
    AwaitBytes,
    AwaitEnd,
    AwaitToken,
    ByRequestLine,
    HalfClose,
    Pause,
    Send,
    paced,
)
from telemetry.testing.wire import Script, Transcript


async def talked(client: Script, server: Script) -> tuple[Transcript, Transcript]:
    with Endpoint(server) as endpoint:
        seen = await talk(endpoint.address, client)
        [served] = await asyncio.to_thread(endpoint.transcripts, 1)
    return seen, served


async def test_await_bytes_counts_from_the_beginning() -> None:
    client = [Send(b"12"), Pause(0.01), Send(b"345"), AwaitEnd(), HalfClose()]
    seen, served = await talked(client, [AwaitBytes(2), Send(b"a"), AwaitBytes(5), Send(b"b"), HalfClose()])

    assert (b"ab", b"12345") == (seen.received, served.received)


async def test_await_token_finds_each_head_once() -> None:
    client = [Send(b"GET /1" + HEAD_END + b"GET /2" + HEAD_END), AwaitEnd(), HalfClose()]
    seen, _ = await talked(client, [AwaitToken(), Send(b"1"), AwaitToken(), Send(b"2"), HalfClose()])

    assert b"12" == seen.received


@pytest.mark.parametrize("step", [AwaitBytes(99), AwaitToken(b"never"), AwaitEnd()], ids=str)
async def test_a_wait_ends_when_the_peer_ends(step: AwaitBytes | AwaitToken | AwaitEnd) -> None:
    seen, served = await talked([Send(b"x"), HalfClose()], [step, Send(b"late"), HalfClose()])

    assert (b"late", b"x") == (seen.received, served.received)


def test_paced_sends_pieces_with_a_pause_after_each() -> None:
    assert [Send(b"ab"), Pause(0.1), Send(b"cd"), Pause(0.1), Send(b"e"), Pause(0.1)] == paced(b"abcde", 2, 0.1)


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        pytest.param([Send(b"GET /a HTTP/1.1\r\n")], b"A", id="a known line"),
        pytest.param(paced(b"GET /a HTTP/1.1\r\n", 1), b"A", id="byte by byte"),
        pytest.param([Send(b"GET /b HTTP/1.1\n")], b"B", id="a bare LF"),
        pytest.param([Send(b"GET /c HTTP/1.1\r\n")], b"other", id="an unknown line"),
        pytest.param([], b"other", id="no line at all"),
    ],
)
async def test_the_request_line_chooses_the_script(sent: Script, answer: bytes) -> None:
    choice = ByRequestLine(
        {b"GET /a HTTP/1.1": [Send(b"A"), HalfClose()], b"GET /b HTTP/1.1": [Send(b"B"), HalfClose()]},
        [Send(b"other"), HalfClose()],
    )
    seen, _ = await talked([*sent, HalfClose()], [choice])

    assert answer == seen.received
