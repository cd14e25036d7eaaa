"""Knows where HTTP/1.1 messages, their heads and their bodies begin and end; refuses to know what they mean.

`httptools` reads each head once it is complete (`http_heads`); the framing of bodies is arithmetic here, because that
parser cannot be told that the answer to HEAD has no body, nor say where a message ended. A framer never raises: doubt
is a `Fault`, the last event that it gives. Any cutting of the same bytes gives the same events, but for the cuts of
bodies.

Source: RFC 9112 sections 2.2, 6.3, 7.1, 9.6; RFC 9110 7.8, 9.3.6.
"""

import re
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from collector.http_heads import Headers, RequestHead, ResponseHead, header, request_head, response_head

_HEAD_BYTES_MAX = 256 * 1024
"""Longest message head that is interpreted (uvicorn itself sets no limit)."""
_LINE_BYTES_MAX = 4 * 1024
"""Longest line of a chunk size or a trailer."""
_TRAILER_BYTES_MAX = 64 * 1024
"""Longest trailer section."""

_BLANK_LINE = re.compile(rb"\n\r?\n")
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[^\r\n]{0,255})?\r\n")
_SIZES = {b"%x" % size: size for size in range(1, 4096)}
"""Chunk sizes as every common server writes them, those of a token's event: a look-up costs a tenth of parsing."""
_TLS_HANDSHAKE = 0x16
_SWITCHING = 101
_STATUS_FINAL = 200
_STATUS_REDIRECT = 300
_UPGRADES = {b"websocket": "ws", b"h2c": "h2"}
_BODILESS = frozenset({204, 304})


class Start(NamedTuple):
    """The first byte of a message has come."""


class End(NamedTuple):
    """A message is complete; `wire_bytes` counts head, framing, body and, in responses, the interim heads before it."""

    wire_bytes: int


class Tunnel(NamedTuple):
    """From here on the connection is not HTTP/1.1: `ws`, `h2`, `tls`, `connect` or `upgrade`. The last event."""

    kind: str


class Fault(NamedTuple):
    """The bytes cannot be interpreted, `reason` says why. The last event."""

    reason: str


Event = Start | RequestHead | ResponseHead | bytes | End | Tunnel | Fault

START = Start()


class _Framer(ABC):
    """One direction of a connection: a step consumes bytes from a position on and returns the next position."""

    def __init__(self) -> None:
        self._at_chunk_line = self._chunk_line  # Bound once, to be recognised by identity.
        self._step: Callable[[bytes, int], int] = self._start
        self._events: list[Event] = []
        self._partial = bytearray()
        self._left = 0
        self._trailer_bytes = 0
        self._message_bytes = 0
        self._from = 0  # Position in the bytes being fed at which the current message begins.

    @property
    def message_bytes(self) -> int:
        """Wire bytes of the message that is under way; 0 between messages."""
        return self._message_bytes

    def feed(self, data: bytes) -> list[Event]:
        """Take the next bytes of this direction.

        Returns:
            What they completed, in order; a body comes as `bytes`, one piece per run.
        """
        events: list[Event] = []
        self._events = events
        at, end = 0, len(data)
        self._from = 0
        while at < end:
            at = self._step(data, at)
        self._message_bytes += end - self._from
        return events if len(events) < 2 else _joined(events)  # noqa: PLR2004 -- one event needs no joining

    def whole_chunk(self, data: bytes) -> bytes | None:
        """Take the next bytes if they are exactly one chunk of the chunked coding, the usual case.

        Returns:
            The chunk's data; None says that `feed` must have the bytes, and nothing has changed then.
        """
        if self._step is not self._at_chunk_line or self._partial:
            return None
        line, _, rest = data.partition(b"\r\n")
        size = _SIZES.get(line)
        if size is None or len(rest) != size + 2 or rest[size:] != b"\r\n":
            return None
        self._message_bytes += len(data)
        return rest[:size]

    def eof(self) -> list[Event]:
        """Take the end of this direction; ends a body that is delimited by it."""
        self._events = []
        if self._step == self._until_eof:
            self._from = 0
            self._end(0)
        self._step = self._ignore
        return self._events

    def _start(self, data: bytes, at: int) -> int:
        """Skip line ends before a message (RFC 9112 2.2)."""
        if data[at] in b"\r\n":
            return at + 1
        self._step = self._head
        return at

    def _head(self, data: bytes, at: int) -> int:
        """Collect the head up to its blank line."""
        partial, kept = self._partial, len(self._partial)
        partial += data[at:]
        blank = _BLANK_LINE.search(partial, max(0, kept - 2))
        size = blank.end() if blank else len(partial)
        if size > _HEAD_BYTES_MAX:
            return self._stop(Fault("head_too_big"), data)
        if blank is None:
            return len(data)
        head = bytes(partial[:size])
        partial.clear()
        stop = at + size - kept
        if self._read_head(head):
            self._end(stop)
        return stop

    @abstractmethod
    def _read_head(self, head: bytes) -> bool:
        """Read a complete head, choose the next step; returns whether the message ends with it."""

    def _read_body(self, headers: Headers, otherwise: Callable[[bytes, int], int] | None) -> bool:
        """Choose how the body is delimited (RFC 9112 6.3); without a length it is `otherwise`, or absent if None.

        Returns:
            Whether there is no body.
        """
        coding = header(headers, b"transfer-encoding")
        length = header(headers, b"content-length")
        step = otherwise
        if coding is not None and coding.lower().rpartition(b",")[2].strip() == b"chunked":
            step = self._at_chunk_line
        elif coding is None and length is not None:
            self._left = int(length)  # llhttp has checked that it is digits and below 2**64.
            step = self._sized if self._left else None
        self._step = step or self._start
        return step is None

    def _sized(self, data: bytes, at: int) -> int:
        piece = data[at : at + self._left]
        self._events.append(piece)
        self._left -= len(piece)
        at += len(piece)
        if not self._left:
            self._end(at)
        return at

    def _until_eof(self, data: bytes, at: int) -> int:
        self._events.append(data[at:])
        return len(data)

    def _chunk_line(self, data: bytes, at: int) -> int:
        """Take a chunk's size, with its data and line end when all of it is here: one token is one such chunk."""
        line = None if self._partial else _CHUNK_LINE.match(data, at)
        if line is None:
            return self._cut_chunk_line(data, at)
        size, body = int(line[1], 16), line.end()
        stop = body + size
        if size and data[stop : stop + 2] == b"\r\n":
            self._events.append(data[body:stop])
            return stop + 2
        self._sized_chunk(size)
        return body

    def _cut_chunk_line(self, data: bytes, at: int) -> int:
        stop = self._line(data, at)
        if stop and self._step != self._ignore:
            line = _CHUNK_LINE.fullmatch(bytes(self._partial))
            self._partial.clear()
            if line is None:
                return self._stop(Fault("chunk_size"), data)
            self._sized_chunk(int(line[1], 16))
        return stop or len(data)

    def _sized_chunk(self, size: int) -> None:
        self._left = size
        self._step = self._chunk_data if size else self._trailer
        self._trailer_bytes = 0

    def _chunk_data(self, data: bytes, at: int) -> int:
        piece = data[at : at + self._left]
        self._events.append(piece)
        self._left -= len(piece)
        if not self._left:
            self._step = self._chunk_end
        return at + len(piece)

    def _chunk_end(self, data: bytes, at: int) -> int:
        self._partial.append(data[at])
        if not b"\r\n".startswith(self._partial):
            return self._stop(Fault("chunk_end"), data)
        if len(self._partial) == 2:  # noqa: PLR2004 -- the two bytes of a line end
            self._partial.clear()
            self._step = self._at_chunk_line
        return at + 1

    def _trailer(self, data: bytes, at: int) -> int:
        stop = self._line(data, at)
        if not stop or self._step == self._ignore:
            return stop or len(data)
        self._trailer_bytes += len(self._partial)
        blank = len(self._partial) == 2  # noqa: PLR2004 -- the two bytes of a line end
        self._partial.clear()
        if self._trailer_bytes > _TRAILER_BYTES_MAX:
            return self._stop(Fault("trailer_too_big"), data)
        if blank:
            self._end(stop)
        return stop

    def _line(self, data: bytes, at: int) -> int:
        """Collect a line with its CRLF into `_partial`; returns the position after it, 0 while it is incomplete."""
        stop = data.find(b"\n", at) + 1
        self._partial += data[at : stop or len(data)]
        if len(self._partial) > _LINE_BYTES_MAX:
            return self._stop(Fault("line_too_long"), data)
        if stop and not self._partial.endswith(b"\r\n"):
            return self._stop(Fault("bare_lf"), data)
        return stop

    def _end(self, at: int) -> None:
        """Close the message at a position; the next one begins there."""
        self._events.append(End(self._message_bytes + at - self._from))
        self._message_bytes = 0
        self._from = at
        self._step = self._start

    def _stop(self, event: Fault | Tunnel, data: bytes) -> int:
        self._events.append(event)
        self._partial.clear()
        self._step = self._ignore
        return len(data)

    def _refuse(self, event: Fault | Tunnel) -> bool:
        self._stop(event, b"")
        return False

    def _ignore(self, data: bytes, at: int) -> int:  # noqa: ARG002 -- the signature of a step
        return len(data)


class RequestFramer(_Framer):
    """The direction from the client to the server."""

    def __init__(self) -> None:
        super().__init__()
        self._asks_upgrade = False

    def resume(self) -> None:
        """Go on after a request that asked for an upgrade: the server has answered it with plain HTTP."""
        self._asks_upgrade = False
        if self._step == self._held:
            self._step = self._start

    def _start(self, data: bytes, at: int) -> int:
        if data[at] == _TLS_HANDSHAKE:
            return self._stop(Tunnel("tls"), data)
        stop = super()._start(data, at)
        if stop == at:
            self._events.append(START)
        return stop

    def _read_head(self, head: bytes) -> bool:
        if head.startswith(b"PRI * HTTP/2.0\r\n"):
            return self._refuse(Tunnel("h2"))
        request = request_head(head)
        if request is None:
            return self._refuse(Fault("request_head"))
        self._events.append(request)
        self._asks_upgrade = request.asks_upgrade
        return request.method == "CONNECT" or self._read_body(request.headers, None)

    def _end(self, at: int) -> None:
        super()._end(at)
        if self._asks_upgrade:
            self._step = self._held

    def _held(self, data: bytes, at: int) -> int:  # noqa: ARG002 -- the signature of a step
        """Refuse bytes that follow a request for an upgrade before its answer: they may be of either protocol."""
        return self._stop(Fault("before_upgrade"), data)


class ResponseFramer(_Framer):
    """The direction from the server to the client; interim responses (1xx) give no event."""

    def __init__(self) -> None:
        super().__init__()
        self._methods: deque[str] = deque()

    def expect(self, method: str) -> None:
        """Say that a request of this method was sent: the framing of its answer depends on it."""
        self._methods.append(method)

    def _read_head(self, head: bytes) -> bool:
        response = response_head(head)
        if response is None:
            return self._refuse(Fault("response_head"))
        if response.status == _SWITCHING:
            upgrade = header(response.headers, b"upgrade") or b""
            return self._refuse(Tunnel(_UPGRADES.get(upgrade.lower(), "upgrade")))
        if response.status < _STATUS_FINAL:
            self._step = self._start
            return False
        return self._read_final(response)

    def _read_final(self, response: ResponseHead) -> bool:
        if not self._methods:
            return self._refuse(Fault("unsolicited"))
        method = self._methods.popleft()
        if method == "CONNECT" and response.status < _STATUS_REDIRECT:
            return self._refuse(Tunnel("connect"))
        self._events.append(response)
        bodiless = method == "HEAD" or response.status in _BODILESS
        return bodiless or self._read_body(response.headers, self._until_eof)


def _joined(events: list[Event]) -> list[Event]:
    """Join neighbouring pieces of a body."""
    joined: list[Event] = []
    run: list[bytes] = []
    for event in events:
        if isinstance(event, bytes):
            run.append(event)
            continue
        if run:
            joined.append(b"".join(run))
            run = []
        joined.append(event)
    if run:
        joined.append(b"".join(run))
    return joined
