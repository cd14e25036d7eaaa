"""Knows just enough HTTP/1.1 to serve the simulated engine: one request at a time, whole or chunked answers.

Refuses to know paths and models; refuses chunked request bodies (411), which no OpenAI client sends. As with uvicorn,
a client that closes its sending side has hung up: the handler is cancelled, whatever it waits for.

Source: RFC 9112; head fields and their order as uvicorn under vLLM 0.32.0 sends them.
"""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import cast

from telemetry import clock

SERVER = "inferometer-simulated-engine"
HEAD_BYTES_MAX = 64 * 1024
"""Longest request head; a longer one is answered 431."""
BODY_BYTES_MAX = 16 * 1024 * 1024
"""Longest request body; a longer one is answered 413."""
_LINGER_NONE = struct.pack("ii", 1, 0)
_HEAD_END = b"\r\n\r\n"
_JSON = "content-type: application/json\r\n"
_KINDS = (
    ((b"{", b"["), _JSON),
    ((b"# ",), "content-type: text/plain; version=0.0.4; charset=utf-8\r\n"),  # the page of metrics
)
_CLOSES = "connection: close\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request; header names are lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    keeps_alive: bool


class _UnfitError(Exception):
    """A request that is refused before its path is looked at."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status)
        self.status = status


Handler = Callable[[Request, "Connection"], Awaitable[None]]


class Connection(asyncio.Protocol):
    """One client connection; the handler answers each request through it."""

    def __init__(self, handler: Handler, group: asyncio.TaskGroup) -> None:
        """Answer requests by the handler, in a task of the group."""
        self._handler = handler
        self._group = group
        self._received = bytearray()
        self._news = asyncio.Event()
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._keeps_alive = True
        self._transport: asyncio.Transport
        self._task: asyncio.Task[None] | None = None

    # asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start to serve."""
        self._transport = cast("asyncio.Transport", transport)
        self._task = self._group.create_task(self._serve())

    def data_received(self, data: bytes) -> None:
        """Keep bytes until the task takes them."""
        self._received += data
        self._news.set()
        if len(self._received) > HEAD_BYTES_MAX + BODY_BYTES_MAX:
            self._transport.abort()

    def eof_received(self) -> bool:
        """Take a half-close for a hang-up."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the handler."""
        del exc
        self._may_write.set()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        """Hold the handler back."""
        self._may_write.clear()

    def resume_writing(self) -> None:
        """Let the handler go on."""
        self._may_write.set()

    # the handler's side

    async def whole(self, status: HTTPStatus, body: bytes, request: Request | None) -> None:
        """Send a whole answer; request None means that none could be read, hence the connection closes."""
        kind = next((kind for begins, kind in _KINDS if body.startswith(begins)), "")
        self._keeps_alive = request is not None and request.keeps_alive
        head = self._head(status, f"content-length: {len(body)}\r\n{kind}")
        await self.send(head + (b"" if request is not None and request.method == "HEAD" else body))

    async def part(self, body: bytes, part_bytes: int) -> None:
        """Send the head of a whole answer and only the first bytes of its body."""
        await self.send(self._head(HTTPStatus.OK, f"content-length: {len(body)}\r\n{_JSON}") + body[:part_bytes])

    async def open_stream(self, request: Request) -> None:
        """Send the head of a chunked event stream."""
        self._keeps_alive = request.keeps_alive
        kind = "content-type: text/event-stream; charset=utf-8\r\n"
        await self.send(self._head(HTTPStatus.OK, kind, "transfer-encoding: chunked\r\n"))

    async def chunk(self, data: bytes) -> None:
        """Send one chunk, which is not empty: an empty one would end the stream."""
        await self.send(b"%x\r\n%b\r\n" % (len(data), data))

    async def end_stream(self) -> None:
        """Send the last chunk."""
        await self.send(b"0\r\n\r\n")

    async def send(self, data: bytes) -> None:
        """Send bytes as they are, waiting while the client reads too slowly."""
        self._transport.write(data)
        await self._may_write.wait()

    def hang_up(self, *, with_reset: bool) -> None:
        """Close in the middle of an answer, by FIN or by RST."""
        self._keeps_alive = False
        if with_reset:
            sock: socket.socket = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
            self._transport.abort()

    async def _serve(self) -> None:
        while self._keeps_alive and not self._transport.is_closing():
            try:
                request = await self._request()
            except _UnfitError as unfit:
                await self.whole(unfit.status, b"Invalid HTTP request received.", None)
            else:
                await self._handler(request, self)
        self._transport.close()

    async def _request(self) -> Request:
        while (end := self._received.find(_HEAD_END)) < 0:
            if len(self._received) > HEAD_BYTES_MAX:
                raise _UnfitError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            await self._more()
        if end > HEAD_BYTES_MAX:
            raise _UnfitError(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        request_line, *lines = self._received[:end].decode("latin-1").split("\r\n")
        headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        parts = request_line.split(" ")
        length = headers.get("content-length", "0")
        _check(parts, headers, length)
        body_end = end + len(_HEAD_END) + int(length)
        while len(self._received) < body_end:
            await self._more()
        body = bytes(self._received[end + len(_HEAD_END) : body_end])
        del self._received[:body_end]
        method, path, version = parts
        keeps_alive = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
        return Request(method=method, path=path.partition("?")[0], headers=headers, body=body, keeps_alive=keeps_alive)

    async def _more(self) -> None:
        self._news.clear()
        await self._news.wait()

    def _head(self, status: HTTPStatus, fields: str, last: str = "") -> bytes:
        date = formatdate(clock.wall_ms() / 1000, usegmt=True)
        closes = "" if self._keeps_alive else _CLOSES
        start = f"HTTP/1.1 {status.value} {status.phrase}\r\ndate: {date}\r\nserver: {SERVER}\r\n"
        return f"{start}{fields}{closes}{last}\r\n".encode()


def _check(parts: list[str], headers: Mapping[str, str], length: str) -> None:
    """Refuse a request that cannot be served."""
    if len(parts) != len(("method", "path", "version")) or not (length.isascii() and length.isdigit()):
        raise _UnfitError(HTTPStatus.BAD_REQUEST)
    if "transfer-encoding" in headers:
        raise _UnfitError(HTTPStatus.LENGTH_REQUIRED)
    if int(length) > BODY_BYTES_MAX:
        raise _UnfitError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
