"""Knows how frames leave a tee worker for the observer without ever making the worker wait; refuses to know HTTP.

Frames lie one behind the other in `Writer.buffer`, as they go out: the copying code reads a chunk straight into its
place, forwards it from there and writes the header before it, so that a flush is one non-blocking send and nothing
more. (Packed at the flush, a hundred frames held up the next chunk for 0.15 ms: the 99th percentile of what the tee
adds to TTFT.) When the socket is full, messages wait in memory up to `BACKLOG_BYTES_MAX`; beyond it they are dropped
whole. A dropped message is walked once to note how much each connection lost, and before the next message that is kept
every such connection gets its GAP (and its CLOSED, if that was among the lost frames). The copying code therefore holds
no gap logic at all.

Source: spec/reliability.md 4.1; unix(7) for SOCK_SEQPACKET (boundaries kept; the sender's SO_SNDBUF is the limit).
"""

import socket
from collections import deque
from collections.abc import Iterator

from collector.frames import HEADER, MESSAGE_BYTES_MAX, PAYLOAD_BYTES_MAX, Frame, Kind, decode, encode

BACKLOG_BYTES_MAX = 32 * 1024 * 1024
"""Most bytes that wait in memory while the observer does not read."""
GAPS_MAX = 65_536
"""Most connections whose losses are remembered one by one; beyond it a loss is only in the LOST count."""
SEND_BURST_MAX = 256
"""Most waiting messages sent by one flush, so that a long backlog does not hold up the copying."""
READ_BURST_MAX = 64
"""Most messages returned by one call of `Reader.frames`, so that a busy worker does not starve the others."""
FULL_BYTES = MESSAGE_BYTES_MAX - HEADER.size - PAYLOAD_BYTES_MAX
"""Up to here the buffer has room for any frame; who fills it further flushes it."""
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
        buffer: Frames not yet flushed, then free room; the copying code writes in place.
        view: The same bytes, to be sliced without a copy.
        used: Bytes of the buffer that hold frames.
        at_ns: Stamp of the last frame.
        dropped_frames: Frames lost since the start.
        dropped_bytes: Payload bytes lost since the start.
        backlog_bytes: Bytes that wait for the observer.
        behind: The observer does not keep up; flush again soon, even without new frames.
    """

    def __init__(self, sock: socket.socket | None) -> None:
        """Take the write end of a channel; None makes a writer that discards everything (tap off)."""
        self.buffer = bytearray(MESSAGE_BYTES_MAX)
        self.view = memoryview(self.buffer)
        self.used = self.at_ns = 0
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
        """Add one frame; it leaves with the next flush, or at once when it fills the buffer."""
        frame = encode(kind, conn, at_ns, payload)
        end = self.used + len(frame)
        self.buffer[self.used : end] = frame
        self.used, self.at_ns = end, at_ns
        if end > FULL_BYTES:
            self.flush(at_ns)

    def flush(self, at_ns: int) -> None:
        """Send what waits, as far as the socket takes it now; keep or drop the rest."""
        if self._sock is not None:
            if self.behind:
                self._catch_up(at_ns)
            message = self.view[: self.used]
            if self.used and (self.behind or not self._send(message)):
                self._keep(bytes(message))
        self.used = 0

    def _catch_up(self, at_ns: int) -> None:
        for _ in range(SEND_BURST_MAX):
            if not self._backlog or not self._send(self._backlog[0]):
                break
            self.backlog_bytes -= len(self._backlog.popleft())
        if self._dropping and self.backlog_bytes <= _BACKLOG_BYTES_RESUME:
            self._resume(at_ns)
        self.behind = bool(self._backlog) or self._dropping

    def _send(self, message: bytes | memoryview) -> bool:
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
        lost, closed = self._gaps, self._closed
        self._gaps, self._closed, self._dropping = {}, set(), False
        marks = bytearray(encode(Kind.LOST, 0, at_ns, b"%d" % self.dropped_frames))
        for conn, lost_bytes in lost.items():
            marks += encode(Kind.GAP, conn, at_ns, b"%d" % lost_bytes)
            if conn in closed:
                marks += encode(Kind.CLOSED, conn, at_ns)
            if len(marks) > FULL_BYTES:
                self._keep(bytes(marks))
                marks.clear()
        if marks:
            self._keep(bytes(marks))


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
