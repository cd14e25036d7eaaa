"""Knows how to play a script of bytes and pauses over one TCP socket, and to record what came back.

Refuses to know what the bytes mean and which side of the connection it is: the scripted endpoint and the raw client
play the same steps. The reader never rests while a script plays, so two scripts cannot block each other by full
buffers. Traps, all of Linux: an error of a socket is reported once, by whichever call meets it first, so a failed
send counts as a reset too; closing a socket that holds unread bytes sends RST in place of FIN.

Source: tcp(7), socket(7) (SO_LINGER).
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from telemetry import clock

CHUNK_BYTES_MAX = 64 * 1024
"""Most bytes that are read at once."""
RECEIVED_BYTES_MAX = 64 * 1024 * 1024
"""Most bytes that a transcript keeps; the connection is reset by the one that would pass it."""
_LINGER_NONE = struct.pack("ii", 1, 0)


class Ending(StrEnum):
    """How a connection ended, as seen from this side."""

    EOF = "eof"
    """The peer closed its sending side (FIN)."""
    RESET = "reset"
    """The peer reset the connection."""
    LOCAL = "local"
    """This side closed or reset first."""
    REFUSED = "refused"
    """No connection was made."""
    DEADLINE = "deadline"
    """The script and the peer's end took longer than allowed."""
    OVERFLOW = "overflow"
    """More than `RECEIVED_BYTES_MAX` came."""


class Chunk(NamedTuple):
    """What one read gave; `at_ns` is the monotonic clock right after it."""

    at_ns: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """What one side of a connection saw.

    Attributes:
        began_ns: The connection was made, monotonic nanoseconds.
        chunks: Every read, in order.
        ending: How the connection ended.
        ended_ns: The end was seen, monotonic nanoseconds.
        sent_bytes: Bytes that the kernel took from the script.
    """

    began_ns: int
    chunks: tuple[Chunk, ...]
    ending: Ending
    ended_ns: int
    sent_bytes: int

    @property
    def received(self) -> bytes:
        """All received bytes, in order."""
        return b"".join(chunk.data for chunk in self.chunks)


class Gate:
    """A latch that any thread opens once and that scripts wait for."""

    def __init__(self) -> None:
        """Start closed."""
        self._lock = threading.Lock()
        self._is_open = False
        self._waiters: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    def open(self) -> None:
        """Let every present and future waiter pass."""
        with self._lock:
            self._is_open, waiters = True, self._waiters
            self._waiters = []
        for loop, event in waiters:
            loop.call_soon_threadsafe(event.set)

    async def passed(self) -> None:
        """Wait until the gate is open."""
        event = asyncio.Event()
        with self._lock:
            if self._is_open:
                return
            self._waiters.append((asyncio.get_running_loop(), event))
        await event.wait()


class Wire:
    """One socket under a script; the steps call its methods."""

    def __init__(self, sock: socket.socket) -> None:
        """Take a connected socket over; `run` closes it."""
        sock.setblocking(False)  # noqa: FBT003 the socket module takes it by position only
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = sock
        self._began_ns = clock.monotonic_ns()
        self._chunks: list[Chunk] = []
        self._received = bytearray()
        self._matched = 0
        self._sent_bytes = 0
        self._ending: Ending | None = None
        self._ended_ns = self._began_ns
        self._news = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None

    async def run(self, script: "Script") -> None:
        """Play the steps, then read until the peer ends; closes the socket."""
        try:
            async with asyncio.TaskGroup() as group:
                self._reader = group.create_task(self._read())
                await self._act(script)
        finally:
            self._sock.close()

    async def send(self, data: bytes) -> None:
        """Hand bytes to the kernel, all of them."""
        view, loop = memoryview(data), asyncio.get_running_loop()
        for at in range(0, len(data), CHUNK_BYTES_MAX):
            piece = view[at : at + CHUNK_BYTES_MAX]
            await loop.sock_sendall(self._sock, piece)
            self._sent_bytes += len(piece)

    async def received(self, total_bytes: int) -> bool:
        """Wait for that many bytes since the connection began; False if the peer ended before."""
        while len(self._received) < total_bytes and self._ending is None:
            await self._next_news()
        return len(self._received) >= total_bytes

    async def matched(self, token: bytes) -> bool:
        """Wait for a token behind the last one that was waited for; False if the peer ended before."""
        while (at := self._received.find(token, self._matched)) < 0 and self._ending is None:
            await self._next_news()
        self._matched = self._matched if at < 0 else at + len(token)
        return at >= 0

    async def first_line(self) -> bytes:
        """Wait for the first line and return it without its line end, or what came of it if the peer ended before."""
        while b"\n" not in self._received and self._ending is None:
            await self._next_news()
        return bytes(self._received).partition(b"\n")[0].rstrip(b"\r")

    async def ended(self) -> None:
        """Wait for the peer's end."""
        while self._ending is None:
            await self._next_news()

    async def rested(self, pause_s: float) -> None:
        """Let time pass; reading goes on."""
        await asyncio.sleep(pause_s)

    async def passed(self, gate: Gate) -> None:
        """Wait until a gate is open; reading goes on."""
        await gate.passed()

    def half_close(self) -> None:
        """Send FIN and keep reading."""
        self._sock.shutdown(socket.SHUT_WR)

    async def close(self, *, with_reset: bool) -> None:
        """Close both directions, by FIN or by RST."""
        if with_reset:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
        self.note(Ending.LOCAL)
        if self._reader is not None:
            self._reader.cancel()
            # The loop forgets the descriptor before it is closed, else a new socket could inherit the registration.
            await asyncio.wait([self._reader])
        self._sock.close()

    def note(self, ending: Ending) -> None:
        """Keep the first ending; a reset outranks an earlier end of file."""
        if self._ending is None or (self._ending is Ending.EOF and ending is Ending.RESET):
            self._ending, self._ended_ns = ending, clock.monotonic_ns()
        self._news.set()

    def expire(self) -> None:
        """Note that the deadline passed, whatever was seen before."""
        self._ending, self._ended_ns = Ending.DEADLINE, clock.monotonic_ns()

    def transcript(self) -> Transcript:
        """Return what was seen so far."""
        return Transcript(
            began_ns=self._began_ns,
            chunks=tuple(self._chunks),
            ending=self._ending or Ending.DEADLINE,
            ended_ns=self._ended_ns,
            sent_bytes=self._sent_bytes,
        )

    async def _act(self, script: "Script") -> None:
        try:
            for step in script:
                await step.act(self)
        except OSError:
            self.note(Ending.RESET)

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        while self._ending is None:
            try:
                data = await loop.sock_recv(self._sock, CHUNK_BYTES_MAX)
            except OSError:
                self.note(Ending.RESET)
                return
            if not data:
                self.note(Ending.EOF)
                return
            self._keep(Chunk(clock.monotonic_ns(), data))

    def _keep(self, chunk: Chunk) -> None:
        if len(self._received) + len(chunk.data) > RECEIVED_BYTES_MAX:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
            self.note(Ending.OVERFLOW)
            return
        self._chunks.append(chunk)
        self._received += chunk.data
        self._news.set()

    async def _next_news(self) -> None:
        self._news.clear()
        await self._news.wait()


class Step(Protocol):
    """One move of a script."""

    async def act(self, wire: Wire) -> None:
        """Make the move."""
        ...


Script = Sequence[Step]


async def play(sock: socket.socket, script: Script, *, deadline_s: float) -> Transcript:
    """Play a script over a connected socket and close it.

    Returns:
        What was seen; `Ending.DEADLINE` if script and peer were not done in time.
    """
    wire = Wire(sock)
    try:
        async with asyncio.timeout(deadline_s):
            await wire.run(script)
    except TimeoutError:
        wire.expire()
    return wire.transcript()
