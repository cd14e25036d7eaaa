"""Knows how to answer as fast as asked, without an engine: the null server that measures its clients.

Each stream runs on absolute deadlines from the end of its request, so lateness of one event does not move the next.
Events carry the server's clock (`sent_ns`, CLOCK_MONOTONIC, the same for all processes of the host) as it was right
before the write: the truth that a client's figures are held to. It refuses to know what is asked: see `null_script`.

    python -m loadtest.nullserver [--port 0] [KEY=VALUE ...]

writes its URL to stdout once it listens, and ends on SIGTERM or SIGINT. `GET /null` tells how many connections and
requests came; `GET /null/arrivals` tells when the requests were complete; `GET /metrics` of one that leaks tells its
memory and the use of a KV cache that it does not have, as a soak follows them.

Source: spec/loadtest.md 17.
"""

import argparse
import asyncio
import contextlib
import resource
import signal
import socket
import sys
from array import array
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from loadtest.null_script import (
    MODEL,
    TOKENS_DEFAULT,
    TOKENS_MAX,
    Ending,
    Form,
    Move,
    Shape,
    is_leaky,
    moves,
    page,
    refused,
    shape_of,
    worn,
)
from loadtest.random_streams import stream
from telemetry.clock import monotonic_ns
from telemetry.testing import engine_bodies as bodies
from telemetry.testing.engine_http import Connection, Request

if TYPE_CHECKING:
    from collections.abc import Callable

ARRIVALS_MAX = 1_000_000
"""Arrivals that are remembered; later ones are only counted."""
_BACKLOG = 4096
_FORMS = {
    "/v1/chat/completions": Form.CHAT,
    "/v1/completions": Form.COMPLETIONS,
    "/v1/messages": Form.ANTHROPIC,
    "/api/generate": Form.NDJSON,
}
_NS = 1e9


class _Ask(msgspec.Struct):
    """What is read of a request."""

    prompt: str | list[object] = ""
    messages: list[bodies.Message] = []
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stream: bool = False
    stream_options: bodies.StreamOptions | None = None

    @property
    def tokens_in(self) -> int:
        """Tokens of the prompt: of a list of token ids its length, else four bytes a token."""
        if isinstance(self.prompt, list):
            return len(self.prompt)
        text = self.prompt or "".join(str(message.content) for message in self.messages)
        return max(1, len(text.encode()) // 4)


class NullServer:
    """The server behind all connections."""

    def __init__(self, shape: Shape) -> None:
        """Start with nothing served."""
        self._shape = shape
        self._connections = self._requests = 0
        self._arrivals_ns = array("q")
        self._begun_ns = 0  # when the next answer may begin, if there is a capacity
        self._answers = 0
        self._uniform = stream(0, "nullserver")
        self._leaked: list[bytes] = []

    def connected(self, group: asyncio.TaskGroup) -> Connection:
        """Return the protocol of a new connection."""
        self._connections += 1
        return Connection(self.answer, group)

    async def answer(self, request: Request, out: Connection) -> None:
        """Answer one request."""
        at_ns = monotonic_ns()
        form = _FORMS.get(request.path) if request.method == "POST" else None
        if form is None:
            await self._page(request, out)
            return
        number = self._requests
        self._requests += 1
        if number < ARRIVALS_MAX:
            self._arrivals_ns.append(at_ns)
        if (status := refused(self._shape, number)) is not None:
            await self._refuse(HTTPStatus(status), request, out)
        else:
            await self._generate(form, self._turn_ns(at_ns), request, out)

    def _turn_ns(self, at_ns: int) -> int:
        """Return when an answer begins: at once, or behind those that queue."""
        if not self._shape.capacity_rps:
            return at_ns
        begins_ns = max(at_ns, self._begun_ns)
        self._begun_ns = begins_ns + round(_NS / self._shape.capacity_rps)
        return begins_ns

    def _metrics(self) -> bytes:
        pages = Path("/proc/self/statm").read_text().split()[1]  # ru_maxrss would begin with that of the parent process
        return page(self._shape, self._answers, int(pages) * resource.getpagesize())

    async def _page(self, request: Request, out: Connection) -> None:
        if request.path == "/metrics" and is_leaky(self._shape):
            await out.whole(HTTPStatus.OK, self._metrics(), request)
            return
        pages: dict[str, Callable[[], object]] = {
            "/health": dict,
            "/version": lambda: {"version": "null"},
            "/v1/models": lambda: {"object": "list", "data": [{"id": MODEL, "object": "model"}]},
            "/null": lambda: {"connections": self._connections, "requests": self._requests},
            "/null/arrivals": lambda: list(self._arrivals_ns),
        }
        make = pages.get(request.path)
        body = bodies.detail("Not Found") if make is None else msgspec.json.encode(make())
        await out.whole(HTTPStatus.NOT_FOUND if make is None else HTTPStatus.OK, body, request)

    async def _refuse(self, status: HTTPStatus, request: Request, out: Connection) -> None:
        body = bodies.failure(status)
        if not self._shape.slow_body_s:
            await out.whole(status, body, request)
            return
        head = f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\nconnection: close\r\n"
        await out.send(f"{head}content-length: {len(body)}\r\n\r\n".encode())
        await asyncio.sleep(self._shape.slow_body_s)
        await out.send(body)
        out.hang_up(with_reset=False)

    async def _generate(self, form: Form, at_ns: int, request: Request, out: Connection) -> None:
        try:
            ask = msgspec.json.decode(request.body, type=_Ask)
        except (msgspec.MsgspecError, ValueError) as error:
            await out.whole(HTTPStatus.BAD_REQUEST, bodies.unreadable(str(error)), request)
            return
        shape, asked = self._shape, ask.max_completion_tokens or ask.max_tokens or TOKENS_DEFAULT
        tokens = min(asked, TOKENS_MAX) if shape.tokens is None else shape.tokens
        usage = ask.stream_options is not None and ask.stream_options.include_usage
        if shape.header_delay_s:
            await _until(at_ns, shape.header_delay_s)
        await out.open_stream(request)
        shape = worn(shape, self._answers, self._uniform)
        self._answers += 1
        if shape.leak_bytes:
            self._leaked.append(b"\x01" * shape.leak_bytes)
        for move in moves(shape, form, tokens, tokens_in=ask.tokens_in, usage=usage):
            await _until(at_ns, move.at_s)
            if not await self._make(move, out):
                return
        await out.end_stream()

    async def _make(self, move: Move, out: Connection) -> bool:
        if move.ending is not None:
            out.hang_up(with_reset=move.ending is Ending.RESET)
            return False
        size = self._shape.split_bytes
        data = (b"%d" % (monotonic_ns() if self._shape.stamps else 0)).join(move.parts)
        if not size:
            await out.chunk(data)
            return True
        for at in range(0, len(data), size):
            await out.chunk(data[at : at + size])
            await asyncio.sleep(0)
        return True


def bound(port: int) -> socket.socket:
    """Return a listener on 127.0.0.1; port 0 takes any free one.

    Raises:
        OSError: The port cannot be taken.
    """
    return socket.create_server(("127.0.0.1", port), backlog=_BACKLOG)


async def serve(shape: Shape, listener: socket.socket) -> None:
    """Serve until cancelled.

    Args:
        shape: How requests are answered.
        listener: Takes the connections; closed at the end.
    """
    null = NullServer(shape)
    async with asyncio.TaskGroup() as group:
        server = await asyncio.get_running_loop().create_server(
            lambda: null.connected(group), sock=listener, backlog=_BACKLOG
        )
        async with server:
            await server.serve_forever()


def run(shape: Shape, port: int) -> None:
    """Serve as a process until SIGTERM or SIGINT; the URL goes to stdout.

    Raises:
        OSError: The port cannot be taken.
    """
    listener = bound(port)
    sys.stdout.write("http://{}:{}\n".format(*listener.getsockname()))
    sys.stdout.flush()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_until_signalled(shape, listener))


def main(arguments: list[str] | None = None) -> None:
    """Run the null server as a process."""
    parser = argparse.ArgumentParser(
        prog="loadtest.nullserver", description="Answers at a set pace, without an engine."
    )
    parser.add_argument("--port", type=int, default=0, help="on 127.0.0.1; 0 takes any free one")
    parser.add_argument("words", nargs="*", metavar="KEY=VALUE", help=", ".join(Shape.__struct_fields__))
    found = parser.parse_args(arguments)
    try:
        shape = shape_of(found.words)
    except ValueError as error:
        parser.error(str(error))
    run(shape, found.port)


async def _until_signalled(shape: Shape, listener: socket.socket) -> None:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(serve(shape, listener))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


async def _until(start_ns: int, at_s: float) -> None:
    """Wait until so long after the start; a step behind time does not wait, so the pace does not drift."""
    wait_s = at_s - (monotonic_ns() - start_ns) / _NS
    if wait_s > 0:
        await asyncio.sleep(wait_s)


if __name__ == "__main__":
    main()
