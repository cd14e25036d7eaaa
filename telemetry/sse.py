"""Knows the framing of server-sent events, on bytes; refuses to know what the events say.

Strategy: nearly every chunk of a real engine is one or more whole events of one `data: ` line each, ended by two LF.
Such a chunk is cut without a look at single lines; everything else goes through the line parser, which gives the same
events.

- Line ends are LF, CRLF and lone CR, nothing else: U+2028 and the like occur inside JSON strings. A CR at the end of a
  chunk ends the line at once (waiting would move the event to a later stamp) and swallows a LF that comes next.
- Payloads are never stripped: exactly one space after the colon is removed.
- An event may have `EVENT_BYTES_MAX` bytes, line ends not counted; then it is skipped to the next blank line.

Source: WHATWG HTML, 9.2 Server-sent events; spec/measurement.md 4, S1 to S9.
"""

import re
from typing import TypeAlias

EVENT_BYTES_MAX = 10 * 1024 * 1024
"""Largest event that is kept; one byte more and it is skipped and counted."""

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\r|\n")


Event: TypeAlias = tuple[bytes, bytes]
"""A dispatched event: the value of its last `event` field (empty if none), and its `data` lines with LF between."""


class SseDecoder:
    """Cuts a stream of bytes into events, whatever the chunks; keeps at most one event.

    Attributes:
        n_oversize: Events skipped for their size.
        tail: True once `finish` found an event without its blank line.
    """

    __slots__ = (
        "_after_cr",
        "_data",
        "_event_bytes",
        "_event_bytes_max",
        "_events",
        "_head",
        "_idle",
        "_line",
        "_name",
        "_skipping",
        "n_oversize",
        "tail",
    )

    def __init__(self, *, event_bytes_max: int = EVENT_BYTES_MAX) -> None:
        self.n_oversize = 0
        self.tail = False
        self._event_bytes_max = event_bytes_max
        self._idle = True  # nothing is held back: the fast way may be taken
        self._head: bytes | None = b""  # bytes of a possible BOM; None once the stream has begun
        self._after_cr = False
        self._skipping = False
        self._line = bytearray()  # the line that is not ended yet
        self._name = b""
        self._data: list[bytes] = []
        self._event_bytes = 0
        self._events: list[Event] = []

    @property
    def idle(self) -> bool:
        """Whether nothing of an event is held back."""
        return self._idle

    def single(self, chunk: bytes) -> bytes | None:
        """Return the payload if the chunk is exactly one event of one `data: ` line, the usual case.

        None says that `feed` must have the chunk; nothing has changed then.
        """
        # `partition` is the cheapest search that bytes have: half of `find`, a third of `in`.
        line, _, rest = chunk.partition(b"\n")
        if rest != b"\n" or line[:6] != b"data: " or not self._idle or line.partition(b"\r")[1]:
            return None
        if len(line) > self._event_bytes_max:
            return None
        self._head = None
        return line[6:]

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events that this chunk completes, in order."""
        if self._idle and chunk.startswith(b"data: ") and chunk.endswith(b"\n\n") and b"\r" not in chunk:
            parts = chunk[:-2].split(b"\n\n")
            if self._plain(parts, chunk):
                self._head = None
                return [(b"", part[6:]) for part in parts]
        return self._feed_lines(chunk)

    def finish(self) -> list[Event]:
        """Return the last event if the stream ended without its blank line."""
        if self._head:
            self._body(self._head)
        if self._line:
            self._end_line()
        self.tail = bool(self._data or self._name)
        self._dispatch()
        return self._taken()

    def _plain(self, parts: list[bytes], chunk: bytes) -> bool:
        return (
            chunk.count(b"\n") == 2 * len(parts)
            and len(chunk) <= self._event_bytes_max
            and all(part.startswith(b"data: ") for part in parts)
        )

    def _feed_lines(self, chunk: bytes) -> list[Event]:
        if self._head is not None:
            chunk = self._begin(self._head + chunk)
        if self._after_cr and chunk:
            self._after_cr = False
            chunk = chunk.removeprefix(b"\n")
        self._body(chunk)
        self._idle = not (self._line or self._event_bytes or self._skipping or self._head or self._name)
        return self._taken()

    def _begin(self, start: bytes) -> bytes:
        if len(start) < len(_BOM) and _BOM.startswith(start):
            self._head = start
            return b""
        self._head = None
        return start.removeprefix(_BOM)

    def _body(self, chunk: bytes) -> None:
        at = 0
        for end in _LINE_END.finditer(chunk):
            self._keep(chunk[at : end.start()])
            self._end_line()
            at = end.end()
        self._keep(chunk[at:])
        self._after_cr = chunk.endswith(b"\r") or (self._after_cr and not chunk)

    def _keep(self, fragment: bytes) -> None:
        self._event_bytes += len(fragment)
        if self._event_bytes > self._event_bytes_max and not self._skipping:
            self._skipping = True
            self.n_oversize += 1
            self._data, self._line = [], bytearray()
        if not self._skipping:
            self._line += fragment
        elif fragment:
            self._line[:] = b":"  # one byte stands for the skipped line, so that it does not look blank

    def _end_line(self) -> None:
        line = bytes(self._line)
        self._line.clear()
        if not line:
            self._dispatch()
        elif not self._skipping:
            self._field(line)

    def _field(self, line: bytes) -> None:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
        elif field == b"event":
            self._name = value
        elif field == b"error":  # some builds of llama.cpp send the error as a field of this name
            self._name = field
            self._data.append(value)
        elif not field:  # a comment belongs to no event
            self._event_bytes -= len(line)

    def _dispatch(self) -> None:
        if self._data or self._name == b"error":
            self._events.append((self._name, b"\n".join(self._data)))
        self._name, self._data, self._event_bytes, self._skipping = b"", [], 0, False

    def _taken(self) -> list[Event]:
        events, self._events = self._events, []
        return events
