import asyncio
import re
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

import msgspec
import pytest

from loadtest.null_script import Shape
from loadtest.nullserver import ARRIVALS_MAX, bound, serve
from telemetry import clock
from telemetry.testing.client import ask, request, talk
from telemetry.testing.steps import AwaitToken, Close, Send
from telemetry.testing.wire import Ending, Step, Transcript

CHAT = "/v1/chat/completions"


@asynccontextmanager
async def serving(shape: Shape) -> AsyncGenerator[tuple[str, int]]:
    listener = bound(0)
    address: tuple[str, int] = listener.getsockname()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(serve(shape, listener))
        yield address
        task.cancel()


async def answered(shape: Shape, path: str = CHAT, *, stream: bool = True) -> Transcript:
    body = msgspec.json.encode({"model": "null", "messages": [], "max_tokens": 3, "stream": stream})
    async with serving(shape) as address:
        return await talk(address, ask(request("POST", path, body, "Connection: close")))


async def test_each_event_carries_the_servers_clock() -> None:
    transcript = await answered(Shape(ttft_s=0.01, itl_s=0.005))

    stamps = [int(found) for found in re.findall(rb'"sent_ns":(\d+)', transcript.received)]
    assert 3 == len(stamps)
    assert transcript.began_ns < stamps[0] < stamps[1] < stamps[2] < transcript.ended_ns
    assert stamps[0] - transcript.began_ns >= 10_000_000
    assert stamps[2] - transcript.began_ns >= 20_000_000  # absolute deadlines: a gap may be shorter, never the sum


async def test_the_stream_ends_as_http_asks() -> None:
    transcript = await answered(Shape(ttft_s=0, itl_s=0))

    assert transcript.received.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")


async def test_pieces_of_one_byte_make_the_same_stream() -> None:
    transcript = await answered(Shape(ttft_s=0, itl_s=0, split_bytes=1))

    body = transcript.received.partition(b"\r\n\r\n")[2]
    assert body.startswith(b"1\r\nd\r\n1\r\na\r\n")
    assert 3 == re.sub(rb"\r\n1\r\n", b"", body).count(b"sent_ns")


@pytest.mark.parametrize(("shape", "ending"), [(Shape(eof_at=1), Ending.EOF), (Shape(reset_at=1), Ending.RESET)])
async def test_the_connection_breaks_where_asked(shape: Shape, ending: Ending) -> None:
    transcript = await answered(shape)

    assert (ending, 1) == (transcript.ending, transcript.received.count(b"sent_ns"))


async def test_a_refusal_may_have_a_slow_body() -> None:
    transcript = await answered(Shape(share_503=1, slow_body_s=0.02))

    assert transcript.received.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert transcript.received.endswith(b"}")
    assert transcript.ended_ns - transcript.began_ns >= 20_000_000


async def test_a_body_that_is_no_json_is_refused() -> None:
    async with serving(Shape()) as address:
        transcript = await talk(address, ask(request("POST", CHAT, b"{", "Connection: close")))

    assert transcript.received.startswith(b"HTTP/1.1 400 ")


async def test_what_came_is_counted() -> None:
    body = msgspec.json.encode({"prompt": [1, 2, 3], "stream_options": {"include_usage": True}})
    once: list[Step] = [Send(request("POST", "/v1/completions", body)), AwaitToken(b"[DONE]")]
    async with serving(Shape(ttft_s=0, itl_s=0)) as address:
        first = await talk(address, [*once, *once, Close()])
        counts = await talk(address, ask(request("GET", "/null", b"", "Connection: close")))
        arrivals = await talk(address, ask(request("GET", "/null/arrivals", b"", "Connection: close")))
        missing = await talk(address, ask(request("GET", CHAT, b"", "Connection: close")))

    assert 2 == first.received.count(b'"prompt_tokens":3')
    assert {"connections": 2, "requests": 2} == msgspec.json.decode(counts.received.partition(b"\r\n\r\n")[2])
    stamps = msgspec.json.decode(arrivals.received.partition(b"\r\n\r\n")[2], type=list[int])
    assert first.began_ns < stamps[0] < stamps[1] < first.ended_ns
    assert missing.received.startswith(b"HTTP/1.1 404 ")
    assert ARRIVALS_MAX > 2


@contextmanager
def running(*words: str) -> Generator[tuple[str, int]]:
    command = [sys.executable, "-m", "loadtest.nullserver", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            host, _, port = process.stdout.readline().strip().removeprefix("http://").partition(":")
            yield host, int(port)
        finally:
            process.terminate()
    assert 0 == process.returncode


def test_it_runs_as_a_process_until_sigterm() -> None:
    with running("ttft_s=0", "tokens=1") as address, socket.create_connection(address, timeout=10) as client:
        client.sendall(request("POST", CHAT, b'{"stream":true}', "Connection: close"))
        received = b"".join(iter(lambda: client.recv(65536), b""))

    assert 1 == received.count(b"sent_ns")


def test_a_wrong_word_is_refused() -> None:
    command = [sys.executable, "-m", "loadtest.nullserver", "ttft=1"]

    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert 2 == done.returncode
    assert "ttft" in done.stderr


async def test_above_its_capacity_requests_queue() -> None:
    body = msgspec.json.encode({"model": "null", "messages": [], "max_tokens": 1, "stream": True})
    began_ns = clock.monotonic_ns()
    async with serving(Shape(ttft_s=0.0, itl_s=0.0, capacity_rps=20.0)) as address:
        transcripts = await asyncio.gather(
            *(talk(address, ask(request("POST", CHAT, body, "Connection: close"))) for _ in range(3))
        )

    last_ns = sorted(max(map(int, re.findall(rb'"sent_ns":(\d+)', one.received))) for one in transcripts)
    assert last_ns[2] - began_ns >= 100_000_000  # the third one begins 2 / 20 s after the first


async def test_what_leaks_is_kept_and_told() -> None:
    """In a process of its own: one with much memory that nobody uses need not grow."""
    body = msgspec.json.encode({"model": "null", "messages": [], "max_tokens": 1, "stream": True})
    with running("ttft_s=0", "itl_s=0", f"leak_bytes={50 << 20}", "leak_kv=0.5") as address:
        told: list[dict[str, float]] = []
        for _ in range(2):
            seen = await talk(address, ask(request("GET", "/metrics", b"", "Connection: close")))
            lines = [line.split() for line in seen.received.partition(b"\r\n\r\n")[2].splitlines() if b" " in line]
            told.append({name.decode(): float(value) for name, value in lines})
            await talk(address, ask(request("POST", CHAT, body, "Connection: close")))

    assert (0.0, 0.5) == tuple(one["vllm:kv_cache_usage_perc"] for one in told)
    assert told[1]["process_resident_memory_bytes"] - told[0]["process_resident_memory_bytes"] > 20 << 20


async def test_without_stamps_one_event_is_like_the_next() -> None:
    transcript = await answered(Shape(ttft_s=0, itl_s=0, stamps=False))

    assert {b'"sent_ns":0'} == set(re.findall(rb'"sent_ns":\d+', transcript.received))
