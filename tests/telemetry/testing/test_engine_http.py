"""Shows the server side of the simulated engine: keep-alive, bounds, refusals, hang-ups."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from http import HTTPStatus

import pytest

from telemetry.testing import engine_http
from telemetry.testing.client import ask, request, talk
from telemetry.testing.engine_http import Connection, Request
from telemetry.testing.steps import AwaitEnd, AwaitToken, HalfClose, Reset, Send, paced
from telemetry.testing.wire import Ending, Script

CLOSE = "Connection: close"


class Echo:
    """Answers each request with its body and waits at /wait until it is cancelled."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.cancelled = asyncio.Event()

    async def answer(self, asked: Request, out: Connection) -> None:
        self.requests.append(asked)
        try:
            await {"/stream": self._stream, "/part": self._part, "/wait": self._wait}.get(asked.path, self._whole)(
                asked, out
            )
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def _whole(self, asked: Request, out: Connection) -> None:
        await out.whole(HTTPStatus.OK, asked.body, asked)

    async def _stream(self, asked: Request, out: Connection) -> None:
        await out.open_stream(asked)
        await out.chunk(b"data: 1\n\n")
        await out.end_stream()

    async def _part(self, asked: Request, out: Connection) -> None:
        await out.part(asked.body, 1)
        out.hang_up(with_reset=asked.method == "PUT")

    async def _wait(self, asked: Request, out: Connection) -> None:
        await out.open_stream(asked)
        await asyncio.Event().wait()


@asynccontextmanager
async def served(echo: Echo) -> AsyncGenerator[tuple[str, int]]:
    async with asyncio.TaskGroup() as group:
        server = await asyncio.get_running_loop().create_server(lambda: Connection(echo.answer, group), "127.0.0.1", 0)
        async with server:
            yield server.sockets[0].getsockname()


async def answered(script: Script) -> tuple[bytes, Ending, Echo]:
    echo = Echo()
    async with served(echo) as address:
        seen = await talk(address, script)
    return seen.received, seen.ending, echo


async def test_a_whole_answer_names_its_length_and_the_simulation() -> None:
    seen, ending, _ = await answered(ask(request("POST", "/", b'{"a":1}', CLOSE)))
    head, _, body = seen.partition(b"\r\n\r\n")

    assert (b'{"a":1}', Ending.EOF) == (body, ending)
    assert head.startswith(b"HTTP/1.1 200 OK\r\ndate: ")
    assert b"server: inferometer-simulated-engine\r\ncontent-length: 7\r\ncontent-type: application/json" in head


async def test_requests_share_a_connection_also_when_they_come_at_once_or_byte_by_byte() -> None:
    two = request("POST", "/1", b"one") + request("POST", "/2", b"two", CLOSE)
    for script in (ask(two), [*paced(two, 1), AwaitEnd()]):
        seen, _, echo = await answered(script)

        assert [b"one", b"two"] == [asked.body for asked in echo.requests]
        assert 2 == seen.count(b"HTTP/1.1 200 OK")
        assert 1 == seen.count(b"connection: close")


async def test_http_1_0_closes_after_the_answer() -> None:
    _, ending, echo = await answered(ask(b"GET /x?q=1 HTTP/1.0\r\n\r\n"))

    assert Ending.EOF is ending
    assert ("/x", False) == (echo.requests[0].path, echo.requests[0].keeps_alive)


async def test_head_gets_the_head_only() -> None:
    seen, _, _ = await answered(ask(request("HEAD", "/", b"abc", CLOSE)))

    assert b"content-length: 3" in seen
    assert seen.endswith(b"\r\n\r\n")


async def test_a_stream_is_chunked() -> None:
    seen, _, _ = await answered(ask(request("GET", "/stream", b"", CLOSE)))

    assert seen.endswith(b"connection: close\r\ntransfer-encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n0\r\n\r\n")


@pytest.mark.parametrize(("method", "ending"), [("POST", Ending.EOF), ("PUT", Ending.RESET)])
async def test_a_hang_up_cuts_the_body(method: str, ending: Ending) -> None:
    seen, ended, _ = await answered(ask(request(method, "/part", b"abc")))

    assert (b"a", ending) == (seen.partition(b"\r\n\r\n")[2], ended)


@pytest.mark.parametrize("end", [HalfClose(), Reset()], ids=["half-close", "reset"])
async def test_a_client_that_hangs_up_cancels_the_handler(end: HalfClose | Reset) -> None:
    echo = Echo()
    async with served(echo) as address:
        await talk(address, [Send(request("GET", "/wait")), AwaitToken(), end])
        await echo.cancelled.wait()


HEAD_MAX = engine_http.HEAD_BYTES_MAX
BODY_MAX = engine_http.BODY_BYTES_MAX


def padded(head_bytes: int) -> bytes:
    start, end = b"GET / HTTP/1.0\r\nX: ", b"\r\n\r\n"
    return start + b"x" * (head_bytes - len(start)) + end


@pytest.mark.parametrize(
    ("data", "status"),
    [
        pytest.param(b"nonsense\r\n\r\n", 400, id="no request line"),
        pytest.param(b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400, id="negative length"),
        pytest.param(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411, id="chunked body"),
        pytest.param(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (BODY_MAX + 1), 413, id="body past the bound"),
        pytest.param(padded(HEAD_MAX), 200, id="head at the bound"),
        pytest.param(padded(HEAD_MAX + 1), 431, id="head past the bound"),
        pytest.param(b"x" * (HEAD_MAX + 1), 431, id="endless head"),
    ],
)
async def test_what_cannot_be_served_is_refused(data: bytes, status: int) -> None:
    seen, _, _ = await answered([Send(data), AwaitToken(), HalfClose()])

    assert seen.startswith(b"HTTP/1.1 %d " % status)


async def test_a_body_at_the_bound_is_served() -> None:
    body = bytes(BODY_MAX)
    seen, _, _ = await answered(ask(request("POST", "/", body, CLOSE)))

    assert len(body) == len(seen.partition(b"\r\n\r\n")[2])


async def test_more_than_a_head_and_a_body_in_advance_is_cut_off() -> None:
    flood = [Send(request("GET", "/wait")), *[Send(bytes(1024 * 1024))] * 18, AwaitEnd()]
    _, ending, _ = await answered(flood)

    assert Ending.DEADLINE is not ending
