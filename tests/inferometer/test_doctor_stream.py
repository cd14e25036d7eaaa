"""What a stream of one token shows, from engines on real sockets."""

import json
import socket

import pytest

from inferometer.doctor_flags import Stream
from inferometer.doctor_stream import STREAM_BYTES_MAX, WAIT_S, StreamError, look, read
from telemetry.testing.endpoint import Endpoint
from telemetry.testing.steps import AwaitToken, HalfClose, Send
from telemetry.testing.wire import Script

# As vLLM 0.32.0 sent them, shortened.
TOKEN = b'data: {"choices":[{"index":0,"delta":{"content":""},"finish_reason":"length"}]}\n\n'
BARE = b'data: {"choices":[],"usage":{"prompt_tokens":18,"completion_tokens":1,"prompt_tokens_details":null}}\n\n'
FULL = (
    b'data: {"choices":[],"usage":{"prompt_tokens":18,"completion_tokens":1,"prompt_tokens_details":'
    b'{"cached_tokens":0}},"metrics":{"queue_time_ms":0.03}}\n\n'
)
DONE = b"data: [DONE]\n\n"


def answer(body: bytes, status: bytes = b"200 OK") -> Script:
    head = b"HTTP/1.1 %s\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
    return [AwaitToken(), Send(head + body), HalfClose()]


def url(endpoint: Endpoint) -> str:
    return f"http://{endpoint.address[0]}:{endpoint.address[1]}"


def bodies(endpoint: Endpoint, count: int) -> list[dict[str, object]]:
    return [json.loads(seen.received.split(b"\r\n\r\n", 1)[1]) for seen in endpoint.transcripts(count)]


async def test_usage_that_nobody_asked_for_needs_no_second_request() -> None:
    with Endpoint(answer(TOKEN + FULL + DONE)) as engine:
        stream, told = await look(url(engine), "tiny", "sesame")
        (asked,) = bodies(engine, 1)
        head = engine.transcripts(1)[0].received

    assert stream.usage_unasked
    assert "prompt_tokens_details" in stream.usage
    assert "metrics" in stream.beside
    assert (told.chunks, told.done) == (1, True)
    assert (asked["model"], asked["max_tokens"], asked["stream"], "stream_options" in asked) == ("tiny", 1, True, False)
    assert b"Authorization: Bearer sesame\r\n" in head


async def test_without_usage_it_is_asked_for_once() -> None:
    with Endpoint() as engine:
        engine.enqueue(answer(TOKEN + DONE))
        engine.enqueue(answer(TOKEN + BARE + DONE))
        stream, _ = await look(url(engine), "tiny", "")
        first, second = bodies(engine, 2)

    assert stream == Stream(
        usage_unasked=False,
        usage=frozenset({"prompt_tokens", "completion_tokens"}),
        beside=frozenset({"choices", "usage"}),
    )
    assert ("stream_options" in first, second["stream_options"]) == (False, {"include_usage": True})


@pytest.mark.parametrize("status", [b"401 Unauthorized", b"404 Not Found", b"503 Busy"])
async def test_no_stream_is_told_with_the_status(status: bytes) -> None:
    told = f"^/v1/chat/completions answered {status[:3].decode()}$"
    with Endpoint(answer(b"", status)) as engine, pytest.raises(StreamError, match=told):
        await look(url(engine), "tiny", "")


async def test_nobody_there_and_too_much_are_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = f"http://127.0.0.1:{gone.getsockname()[1]}"
    with pytest.raises(StreamError):
        await look(address, "tiny", "")
    with Endpoint(answer(b"x" * (STREAM_BYTES_MAX + 1))) as engine, pytest.raises(StreamError, match="more bytes"):
        await look(url(engine), "tiny", "")

    assert WAIT_S == 10.0


@pytest.mark.parametrize("body", [b"", b"data: nonsense\n\n", b'data: ["x"]\n\n', b'data: {"usage": 5}\n\n'])
def test_nonsense_says_nothing(body: bytes) -> None:
    told = read(body)

    assert (told.chunks, told.done, told.usage) == (0, False, None)
