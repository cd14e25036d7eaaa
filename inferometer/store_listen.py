"""Knows the embedded store's connections: how many there may be, how long one may take to ask, and how they end.

Refuses to know what is asked.

Source: spec/store.md 8.1 (SIGTERM), 8.4 (limits); uvicorn/protocols/http/httptools_impl.py (HttpToolsProtocol, whose
own limit counts a request against whoever asks next, and answers without Retry-After).
"""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Awaitable, Callable, Generator, MutableMapping
from typing import Any, cast

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from inferometer import store_wire
from inferometer.defaults import EXIT_INTERRUPTED

CONNECTIONS_MAX = 64
"""Open connections; one more is answered 503 before anything is executed."""
HEAD_S_MAX = 30.0
"""Longest time in which a head may arrive."""
DRAIN_S = 10
_IDLE_CONNECTION_S = 120

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


async def served(app: App, listener: socket.socket, ready: Callable[[], None] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; then finish what runs.

    Args:
        app: What answers.
        listener: Where clients may wait already.
        ready: Called once a signal would be heard.

    Returns:
        Exit code: 130 if it was interrupted, else 0.
    """
    server = _Server(
        uvicorn.Config(
            app,
            http=_Connection,
            loop="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_IDLE_CONNECTION_S,
            timeout_graceful_shutdown=DRAIN_S,
        )
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stop, number)
    if ready:
        ready()
    await server.serve(sockets=[listener])
    return EXIT_INTERRUPTED if server.ended_by is signal.SIGINT else 0


async def sent(answer: store_wire.Answer, send: Send) -> None:
    """Send an answer."""
    raw = [(name.encode(), value.encode("latin-1", "replace")) for name, value in answer.headers]
    raw.append((b"Content-Length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    await send({"type": "http.response.body", "body": answer.body})


class _Server(uvicorn.Server):
    """A server whose signals are handled by its owner, which has an engine to close after it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    ended_by: signal.Signals | None = None

    def stop(self, number: signal.Signals) -> None:
        self.ended_by = self.ended_by or number
        self.should_exit = True


class _Connection(HttpToolsProtocol):
    """A connection that is refused if there are too many, and closed if its head does not come."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast("asyncio.Transport", transport))
        if len(self.connections) > CONNECTIONS_MAX:
            self.app = _crowded
        self._wait_for_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._wait_for_head()

    def on_headers_complete(self) -> None:
        self._in_time()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._in_time()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_S_MAX, self.transport.close)

    def _in_time(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


async def _crowded(_scope: Scope, _receive: Receive, send: Send) -> None:
    text = f"{CONNECTIONS_MAX} connections are open already"
    await sent(store_wire.closing(store_wire.failure(202, text, "")), send)
