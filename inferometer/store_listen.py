"""Knows a server's connections: how many there may be, how long one may take to ask, and how they end.

Refuses to know what is asked. It is the embedded store's, and the API's, which says in its own words that it is full.

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
"""Open connections; one more takes the place of the one that rests longest, or is answered 503 if all are in use."""
REST_S_MIN = 1.0
"""A connection that answered more lately than this keeps its place: its client may be about to ask again."""
HEAD_S_MAX = 30.0
"""Longest time in which a head may arrive."""
DRAIN_S = 10
_IDLE_CONNECTION_S = 120

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


async def served(
    app: App,
    listener: socket.socket,
    ready: Callable[[], None] | None = None,
    *,
    connections_max: int = CONNECTIONS_MAX,
    crowded: App | None = None,
    leaving: Callable[[], None] | None = None,
) -> int:
    """Serve until SIGTERM or SIGINT; then finish what runs.

    Args:
        app: What answers.
        listener: Where clients may wait already.
        ready: Called once a signal would be heard.
        connections_max: Open connections.
        crowded: What answers one connection too many; None as the store does.
        leaving: Called when a signal came, so that what never ends by itself can end.

    Returns:
        Exit code: 130 if it was interrupted, else 0.
    """
    server = _Server(
        uvicorn.Config(
            app,
            http=type(
                "_Bounded",
                (_Connection,),
                {"connections_max": connections_max, "crowded": staticmethod(crowded or _crowded(connections_max))},
            ),
            loop="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_IDLE_CONNECTION_S,
            timeout_graceful_shutdown=DRAIN_S,
        ),
        leaving,
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

    def __init__(self, config: uvicorn.Config, leaving: Callable[[], None] | None) -> None:
        super().__init__(config)
        self._leaving = leaving

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    ended_by: signal.Signals | None = None

    def stop(self, number: signal.Signals) -> None:
        if self._leaving is not None and self.ended_by is None:
            self._leaving()
        self.ended_by = self.ended_by or number
        self.should_exit = True


class _Connection(HttpToolsProtocol):
    """A connection that is refused if there are too many, and closed if its head does not come."""

    connections_max: int
    crowded: App
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast("asyncio.Transport", transport))
        if len(self.connections) > self.connections_max and not self._made_room():
            self.app = self.crowded
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

    def _made_room(self) -> bool:
        """Close the connection that waits longest for another question; clients keep theirs open for minutes."""
        resting = [
            (task.when(), one)
            for one in cast("set[HttpToolsProtocol]", self.connections)
            if (task := one.timeout_keep_alive_task) is not None and not one.transport.is_closing()
        ]
        if not resting:
            return False
        gives_up_at, longest = min(resting, key=lambda one: one[0])
        if gives_up_at - self.loop.time() > _IDLE_CONNECTION_S - REST_S_MIN:
            return False
        longest.transport.close()
        return True

    def _wait_for_head(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_S_MAX, self.transport.close)

    def _in_time(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def _crowded(connections_max: int) -> App:
    async def answer(_scope: Scope, _receive: Receive, send: Send) -> None:
        text = f"{connections_max} connections are open already"
        await sent(store_wire.closing(store_wire.failure(202, text, "")), send)

    return answer
