"""Knows one TCP connection of the load client, plain or TLS, whose reads carry the kernel's receive stamp.

A client that is late makes a server look slow, so the stamp is the kernel's (`SO_TIMESTAMPNS`), which a stalled process
does not move. The stamp is wall time: it becomes monotonic by the age it has right after the read. One read that
returns several segments carries the stamp of the last, so it is never earlier than the truth and never later than the
read. Where the kernel gives none, the instant of the read stands, and the lag is unknown.

It refuses to know HTTP, and which threads are below: the `socket` module is the blocking one, or gevent's where Locust
has patched it.

Source: spec/loadtest.md 4; socket(7), cmsg(3); linux/include/uapi/asm-generic/socket.h (SO_TIMESTAMPNS_OLD = 35, its
message a struct timespec of two longs on 64-bit machines); `ssl.MemoryBIO`, `SSLContext.wrap_bio`.
"""

import errno
import socket
import ssl
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

from telemetry.clock import monotonic_ns, wall_ns

READ_BYTES_MAX = 64 * 1024
"""Most bytes of one read."""
LAG_NS_MAX = 60_000_000_000
"""A stamp older than this, or one of the future, is no stamp: the wall clock was stepped."""
_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@qq")
_NOTES_BYTES = socket.CMSG_SPACE(_TIMESPEC.size)
_NS = 1_000_000_000
_LEAST_WAIT_S = 1e-4  # 0 would make a socket non-blocking
_CLOCK_SPAN_NS = 20_000


Notes = Sequence[tuple[int, int, bytes]]
"""What comes beside the bytes of a read, as `socket.recvmsg` gives it."""
Recvmsg = Callable[[int, int], tuple[bytes, Notes, int, object]]
Read = tuple[bytes, Notes, int, int]
"""A read as it is taken, in no more time than must be: bytes, notes, wall and monotonic clock right behind it."""


class Got(NamedTuple):
    """What one read gave.

    Attributes:
        data: Bytes; empty at the peer's end.
        at_ns: When they had arrived, monotonic.
        lag_ns: How much later they were read; None if the kernel gave no stamp.
    """

    data: bytes
    at_ns: int
    lag_ns: int | None


class Intake(Protocol):
    """Takes the reads of one answer."""

    is_over: bool
    """Nothing more is taken."""

    def take(self, read: Read) -> bool:
        """Take a read; returns whether whoever waits has to look: it is over, or the time to wait has become less."""
        ...

    def due_ns(self) -> int:
        """Return until when to wait for the next read, monotonic."""
        ...


Address = tuple[socket.AddressFamily, tuple[str, int]]


def addresses(host: str, port: int) -> list[Address]:
    """Ask for the addresses of a name, once.

    Raises:
        OSError: The name is unknown or the resolver did not answer.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError:  # it cannot be written as a name: a part is empty, or over 63 characters long
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known") from None
    return [(entry[0], (str(entry[4][0]), port)) for entry in dict.fromkeys(found)]


class Line:
    """One connection; `dial` makes it."""

    __slots__ = ("_recvmsg", "_recvmsg_now", "_sock", "_tls")

    def __init__(self, sock: socket.socket) -> None:
        """Take a connected socket over."""
        self._sock = sock
        self._recvmsg = sock.recvmsg
        # gevent's socket tries and waits by itself; whoever knows that bytes are there asks the one below.
        self._recvmsg_now: Recvmsg = getattr(sock, "_sock", sock).recvmsg
        self._tls: _Tls | None = None

    def secure(self, context: ssl.SSLContext, host: str) -> None:
        """Begin TLS.

        Raises:
            OSError: It failed (`ssl.SSLError` is one).
        """
        tls = _Tls(context, host)
        while tls.handshake():
            self._sock.sendall(tls.outgoing())
            data = self._sock.recv(READ_BYTES_MAX)
            if not data:
                raise ConnectionResetError(errno.ECONNRESET, "closed during the TLS handshake")
            tls.take(data)
        self._sock.sendall(tls.outgoing())
        self._tls = tls

    def wait_s(self, longest_s: float) -> None:
        """Set the longest wait of each later call."""
        self._sock.settimeout(longest_s)

    def send(self, data: bytes) -> None:
        """Hand bytes to the kernel, all of them.

        Raises:
            OSError: The connection failed, or it took too long.
        """
        self._sock.sendall(data if self._tls is None else self._tls.sealed(data))

    def receive(self) -> Read:
        """Wait for bytes, or for the peer's end.

        Raises:
            OSError: The connection failed; `TimeoutError`: nothing came in time.
        """
        while True:
            read = self._opened(_received(self._recvmsg))
            if read is not None:
                return read

    def receive_now(self) -> Read | None:
        """Return bytes that are there already, or the peer's end; None if they make no complete TLS record.

        Raises:
            OSError: The connection failed; `BlockingIOError`: nothing is there.
        """
        read = _received(self._recvmsg_now)
        return read if self._tls is None else self._opened(read)

    def fileno(self) -> int:
        """Return the descriptor, for whoever waits for bytes by himself."""
        return self._sock.fileno()

    def shutdown(self) -> None:
        """End both directions; whoever waits for bytes gets the end."""
        with suppress(OSError):  # the peer was faster
            self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        self._sock.close()

    def _opened(self, read: Read) -> Read | None:
        """Return what a read means: itself without TLS, what is complete with it."""
        if self._tls is None or not read[0]:
            return read
        self._tls.take(read[0])
        data = self._tls.opened()
        return (data, *read[1:]) if data or self._tls.ended else None


def stamping() -> socket.socket:
    """Return a socket that keeps the kernel stamping while it is open.

    The kernel begins to stamp packets a moment after the first socket asks for it, and ends with the last: without this
    one the first packets of a run would have no stamp.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    return sock


def pumped(line: Line, intake: Intake) -> None:
    """Hand reads over, one after the other, until it is over or its time has passed.

    Raises:
        OSError: The connection failed.
    """
    while not intake.is_over and (left_ns := intake.due_ns() - monotonic_ns()) > 0:
        line.wait_s(max(left_ns / _NS, _LEAST_WAIT_S))
        try:
            intake.take(line.receive())
        except TimeoutError:
            return


def dial(address: Address, longest_s: float) -> Line:
    """Connect.

    Raises:
        OSError: Nobody listens, or nobody answers in time.
    """
    family, place = address
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(longest_s)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        sock.connect(place)
    except BaseException:
        sock.close()
        raise
    return Line(sock)


def got(read: Read) -> Got:
    """Return what a read gave."""
    data, notes, wall, now_ns = read
    lag_ns = kernel_lag_ns(notes, wall)
    return Got(data, now_ns if lag_ns is None else now_ns - lag_ns, lag_ns)


def _received(recvmsg: Recvmsg) -> Read:
    """Read bytes, then both clocks as one: again if the process was stopped between the two.

    The wall clock is read first, so that no stamp is made earlier than it was.
    """
    data, notes, _, _ = recvmsg(READ_BYTES_MAX, _NOTES_BYTES)
    begun_ns, wall, now_ns = monotonic_ns(), wall_ns(), monotonic_ns()
    if now_ns - begun_ns >= _CLOCK_SPAN_NS:
        begun_ns, wall, now_ns = monotonic_ns(), wall_ns(), monotonic_ns()
    if now_ns - begun_ns >= _CLOCK_SPAN_NS:
        wall, now_ns = wall_ns(), monotonic_ns()
    return data, notes, wall, now_ns


def kernel_lag_ns(notes: Notes, wall: int) -> int | None:
    """Return how old the kernel's stamp of a read is.

    Args:
        notes: What came beside the bytes, as `socket.recvmsg` gives it.
        wall: The wall clock right after the read, unix nanoseconds.

    Returns:
        Nanoseconds; None without a stamp, or with one that the wall clock was stepped away from.
    """
    for level, kind, data in notes:
        if kind == _SO_TIMESTAMPNS and level == socket.SOL_SOCKET and len(data) == _TIMESPEC.size:
            seconds, rest_ns = _TIMESPEC.unpack(data)
            lag_ns: int = wall - seconds * _NS - rest_ns
            return lag_ns if 0 <= lag_ns <= LAG_NS_MAX else None
    return None


class _Tls:
    """TLS over bytes, without a socket."""

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(self._in, self._out, server_hostname=host)
        self.ended = False

    def handshake(self) -> bool:
        """Go on with the handshake; returns whether bytes of the peer are needed."""
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            return True
        return False

    def outgoing(self) -> bytes:
        """Return what must be sent."""
        return self._out.read()

    def take(self, data: bytes) -> None:
        """Take what came."""
        self._in.write(data)

    def sealed(self, data: bytes) -> bytes:
        """Return bytes as they are sent."""
        self._object.write(data)
        return self._out.read()

    def opened(self) -> bytes:
        """Return all bytes that are complete."""
        parts: list[bytes] = []
        try:
            while part := self._object.read(READ_BYTES_MAX):
                parts.append(part)
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        return b"".join(parts)
