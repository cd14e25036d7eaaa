"""Knows how frames leave a tee worker for the observer without ever making the worker wait; refuses to know HTTP.

Frames gather in `Writer.items` as plain tuples and are packed and sent by the message, one non-blocking send per flush;
packed one by one amid the copying they cost more, since that code would be cold each time. When the socket is full,
messages wait in memory up to `BACKLOG_BYTES_MAX`; beyond it they are dropped whole. A dropped message is walked once to
note how much each connection lost, and before the next message that is kept every such connection gets its GAP (and
its CLOSED, if that was among the lost frames). The copying code therefore holds no gap logic at all.

Source: spec/reliability.md 4.1; unix(7) for SOCK_SEQPACKET (boundaries kept; the sender's SO_SNDBUF is the limit).
"""

import socket
from collections import deque
from collections.abc import Iterator, Sequence

from collector.frames import HEADER, MESSAGE_BYTES_MAX, Frame, Kind, decode

BACKLOG_BYTES_MAX = 32 * 1024 * 1024
"""Most bytes that wait in memory while the observer does not read."""
GAPS_MAX = 65_536
"""Most connections whose losses are remembered one by one; beyond it a loss is only in the LOST count."""
SEND_BURST_MAX = 256
"""Most waiting messages sent by one flush, so that a long backlog does not hold up the copying."""
READ_BURST_MAX = 64
"""Most messages returned by one call of `Reader.frames`, so that a busy worker does not starve the others."""
Item = tuple[int, int, int, bytes]
"""A frame before it is packed: kind, connection, time in nanoseconds, payload."""
_BACKLOG_BYTES_RESUME = BACKLOG_BYTES_MAX // 2  # dropping ends here, not at the limit: else gaps would flutter
_SNDBUF_BYTES = 8 * 1024 * 1024  # asked for; the kernel grants at most net.core.wmem_max


def pair() -> tuple[socket.socket, socket.socket]:
    """Return a new channel as (read end, write end): SOCK_SEQPACKET with as large a buffer as the kernel grants."""
    reader, writer = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    writer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SNDBUF_BYTES)
    return reader, writer


class Writer:
    """The tee's end: `offer` frames, `flush` now and then; never waits, never raises for what the observer does.

    Attributes:
        items: Frames not yet flushed; the copying code appends in place.
        dropped_frames: Frames lost since the start.
        dropped_bytes: Payload bytes lost since the start.
        backlog_bytes: Bytes that wait for the observer.
        behind: The observer does not keep up; flush again soon, even without new frames.
    """

    def __init__(self, sock: socket.socket | None) -> None:
        """Take the write end of a channel; None makes a writer that discards everything (tap off)."""
        self.items: list[Item] = []
        self.dropped_frames = 0
        self.dropped_bytes = 0
        self.backlog_bytes = 0
        self.behind = False
        self._sock = sock
        self._backlog: deque[bytes] = deque()
        self._dropping = False
        self._gaps: dict[int, int] = {}
        self._closed: set[int] = set()
        if sock is not None:
            sock.settimeout(0)

    def offer(self, kind: int, conn: int, at_ns: int, payload: bytes = b"") -> None:
        """Add one frame; it leaves with the next flush."""
        self.items.append((kind, conn, at_ns, payload))

    def flush(self, at_ns: int) -> None:
        """Send what waits, as far as the socket takes it now; keep or drop the rest."""
        if self._sock is not None:
            if self.behind:
                self._catch_up(at_ns)
            for message in messages(self.items):
                if self.behind or not self._send(message):
                    self._keep(message)
        self.items.clear()

    def _catch_up(self, at_ns: int) -> None:
        for _ in range(SEND_BURST_MAX):
            if not self._backlog or not self._send(self._backlog[0]):
                break
            self.backlog_bytes -= len(self._backlog.popleft())
        if self._dropping and self.backlog_bytes <= _BACKLOG_BYTES_RESUME:
            self._resume(at_ns)
        self.behind = bool(self._backlog) or self._dropping

    def _send(self, message: bytes) -> bool:
        if self._sock is None:
            return False
        try:
            self._sock.send(message)
        except (BrokenPipeError, ConnectionResetError, ConnectionRefusedError):
            self._sock = None  # nobody holds the other end any more, and no one can take it up again
            self._backlog.clear()
            self.backlog_bytes = 0
            self._dropping = False
            return False
        except OSError:  # EAGAIN, ENOBUFS, ENOMEM: full for now
            return False
        return True

    def _keep(self, message: bytes) -> None:
        if self._sock is None or self._dropping or self.backlog_bytes + len(message) > BACKLOG_BYTES_MAX:
            self._dropping = self.behind = self._sock is not None
            self._drop(message)
            return
        self._backlog.append(message)
        self.backlog_bytes += len(message)
        self.behind = True

    def _drop(self, message: bytes) -> None:
        at, end, gaps = 0, len(message), self._gaps
        while at < end:
            kind, conn, _, length = HEADER.unpack_from(message, at)
            at += HEADER.size + length
            self.dropped_frames += 1
            self.dropped_bytes += length
            if conn and (conn in gaps or len(gaps) < GAPS_MAX):
                gaps[conn] = gaps.get(conn, 0) + length
                if kind == Kind.CLOSED:
                    self._closed.add(conn)

    def _resume(self, at_ns: int) -> None:
        marks: list[Item] = [(Kind.LOST, 0, at_ns, b"%d" % self.dropped_frames)]
        for conn, lost_bytes in self._gaps.items():
            marks.append((Kind.GAP, conn, at_ns, b"%d" % lost_bytes))
            if conn in self._closed:
                marks.append((Kind.CLOSED, conn, at_ns, b""))
        self._gaps.clear()
        self._closed.clear()
        self._dropping = False
        for message in messages(marks):
            self._keep(message)


class Reader:
    """The observer's end: `frames` returns what is there now and never waits.

    Attributes:
        ended: No writer holds the other end any more.
        malformed: Messages that ended inside a frame; the rest of such a message was left out.
    """

    def __init__(self, sock: socket.socket) -> None:
        """Take the read end of a channel."""
        self.ended = False
        self.malformed = 0
        self._sock = sock
        sock.settimeout(0)

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._sock.fileno()

    def read(self) -> bytes | None:
        """Return one message; None if there is none now, or (with `ended` set) never again."""
        try:
            message = self._sock.recv(MESSAGE_BYTES_MAX)
        except BlockingIOError:
            return None
        except OSError:
            message = b""
        self.ended = not message
        return message or None

    def frames(self) -> Iterator[Frame]:
        """Yield the frames of the messages that are there now, at most `READ_BURST_MAX` messages."""
        for _ in range(READ_BURST_MAX):
            message = self.read()
            if message is None:
                return
            try:
                yield from decode(message)
            except ValueError:
                self.malformed += 1


def messages(items: Sequence[Item]) -> Iterator[bytes]:
    """Pack frames into messages of at most `MESSAGE_BYTES_MAX` bytes, frames kept whole."""
    pack = HEADER.pack
    parts = [part for kind, conn, at_ns, data in items for part in (pack(kind, conn, at_ns, len(data)), data)]
    whole = b"".join(parts)
    if len(whole) <= MESSAGE_BYTES_MAX:  # nearly always, and cheaper to find out than adding lengths
        if whole:
            yield whole
        return
    start = size = 0
    for at in range(0, len(parts), 2):
        frame_bytes = HEADER.size + len(parts[at + 1])
        if size + frame_bytes > MESSAGE_BYTES_MAX:
            yield b"".join(parts[start:at])
            start, size = at, 0
        size += frame_bytes
    yield b"".join(parts[start:])
