"""Knows how to serve scripts on a port: any byte sequence at any pace, one script per connection.

Refuses to know HTTP: a script says what to send and when, and every byte that came is recorded as it came. It runs in
a thread of its own, so a test of any colour can use it:

    with Endpoint([AwaitToken(), Send(answer), HalfClose()]) as endpoint:
        ...talk to endpoint.address...
        [transcript] = endpoint.transcripts(1)

Source: spec/reliability.md 6 (scripted raw-socket engine).
"""

import asyncio
import socket
import threading
from collections import deque
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Self

from telemetry.testing.wire import Script, Transcript, play

_BACKLOG = 4096
"""Connections that the kernel keeps until they are accepted; the kernel caps it at net.core.somaxconn."""


def _closed(sock: socket.socket, _task: object) -> None:
    sock.close()


class Endpoint:
    """A scripted server on 127.0.0.1; use it as a context manager.

    The script of a connection is the oldest one handed to `enqueue`, else the default; a default that begins with
    `ByRequestLine` chooses by what the client asks for.
    """

    def __init__(self, default: Script = (), *, deadline_s: float = 30.0) -> None:
        """Bind a free port; connections wait in the kernel until the endpoint is entered.

        Args:
            default: Script of a connection that has no other.
            deadline_s: Longest life of one connection.
        """
        self._default = default
        self._deadline_s = deadline_s
        self._queued: deque[Script] = deque()
        self._transcripts: list[Transcript | None] = []
        self._changed = threading.Condition()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
        self._listener.setblocking(False)  # noqa: FBT003 the socket module takes it by position only
        self.address: tuple[str, int] = self._listener.getsockname()
        """Host and port."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="scripted-endpoint", daemon=True)
        self._main: asyncio.Task[None] | None = None

    def __enter__(self) -> Self:
        """Start serving."""
        ready = threading.Event()
        self._loop.call_soon(ready.set)
        self._thread.start()
        ready.wait()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving; open connections are closed."""
        self._loop.call_soon_threadsafe(self._stop)
        self._thread.join()
        self._loop.close()

    def enqueue(self, script: Script) -> None:
        """Set the script of the next connection that has none."""
        self._queued.append(script)

    def transcripts(self, count: int, wait_s: float = 30.0) -> list[Transcript]:
        """Wait until so many connections were accepted and have ended.

        Returns:
            All of them, in the order in which they were accepted.

        Raises:
            TimeoutError: There were fewer ends in that time.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._ended_number() >= count, timeout=wait_s):
                raise TimeoutError(f"{self._ended_number()} of {count} connections ended in {wait_s} s")
            return [transcript for transcript in self._transcripts if transcript is not None]

    def forget(self) -> None:
        """Drop all transcripts; call it only while no connection is open."""
        with self._changed:
            self._transcripts.clear()

    def _ended_number(self) -> int:
        return sum(transcript is not None for transcript in self._transcripts)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._main = self._loop.create_task(self._accept())
        self._loop.run_until_complete(asyncio.wait([self._main]))

    def _stop(self) -> None:
        if self._main is not None:
            self._main.cancel()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            # Not `sock_accept`: what it has taken when it is cancelled is lost, and open.
            loop.add_reader(self._listener, self._take, group)
            try:
                await loop.create_future()
            finally:
                loop.remove_reader(self._listener)
                self._listener.close()

    def _take(self, group: asyncio.TaskGroup) -> None:
        with suppress(OSError):  # who knocked has gone
            sock, _ = self._listener.accept()
            sock.setblocking(False)  # noqa: FBT003 the socket module takes it by position only
            # One that is cancelled before its first step never comes to close what it was given.
            group.create_task(self._play(sock)).add_done_callback(partial(_closed, sock))

    async def _play(self, sock: socket.socket) -> None:
        script = self._queued.popleft() if self._queued else self._default
        with self._changed:
            index = len(self._transcripts)
            self._transcripts.append(None)
        transcript = await play(sock, script, deadline_s=self._deadline_s)
        with self._changed:
            if index < len(self._transcripts):
                self._transcripts[index] = transcript
            self._changed.notify_all()
