"""Knows how one HTTP/1.1 response is read piece by piece and shown to the meter; refuses to own a socket or a clock.

The parser is `httptools` (llhttp). Informational heads are passed over. A body without a length ends with the
connection. What a coding hides is timed, not read: we ask for `identity`.

Source: RFC 9112 6 and 9.3; spec/measurement.md 3; spec/loadtest.md 4; httptools 0.9, parser/parser.pyx.
"""

from collections.abc import Sequence

import httptools

from telemetry.meter import StreamMeter
from telemetry.outcome import AbortBy

HEADERS_MAX = 256
"""Most header fields of a response; one with more is no HTTP that we read."""
PLAIN_CHUNK_BYTES_MAX = 4096
"""A longer chunk is always left to the parser."""
_FINAL_MIN = 200


class AnswerReader:
    """Reads one response.

    Attributes:
        begun: A byte of it came.
        complete: Its body is complete.
        faulty: It is no HTTP; nothing more is read.
        in_chunks: Its body is coded in chunks.
        keeps_alive: Its connection may carry a further request; known once complete.
        retry_after_s: Seconds that `Retry-After` asks for; None if it does not, or names a date.
    """

    __slots__ = (
        "_at_ns", "_between", "_feed_meter", "_has_length", "_head_done", "_headers", "_kept", "_meter", "_parser",
        "begun", "complete", "faulty", "in_chunks", "keeps_alive", "retry_after_s",
    )  # fmt: skip

    def __init__(self, meter: StreamMeter, kept: bytearray | None = None) -> None:
        """Show what comes to a meter that has begun; keep the body in `kept`, if there is one."""
        self._kept = kept
        self.retry_after_s: float | None = None
        self._meter, self._feed_meter = meter, meter.feed
        self._parser = httptools.HttpResponseParser(self)
        self._headers: list[tuple[bytes, bytes]] = []
        self._head_done = self._has_length = self.in_chunks = False
        self._between = False  # the parser stands behind a chunk and has seen nothing of the next one
        self._at_ns = 0
        self.begun = self.complete = self.faulty = self.keeps_alive = False

    def feed(self, data: bytes, at_ns: int) -> None:
        """Take bytes that were received at once, before `complete`."""
        self.begun, self._at_ns = True, at_ns
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.faulty = not self.complete  # bytes behind a complete answer are the connection's fault, not this one's
            self.keeps_alive = False
        except httptools.HttpParserUpgrade:
            self.faulty = True
        # What the parser has seen of the line that begins a chunk does not end with a line end, or it said so.
        self._between = self._between and data.endswith(b"\n")

    def feed_run(self, reads: Sequence[tuple[bytes, int, object]]) -> int:
        """Take reads one after the other, as `feed` does, up to the end; returns how many were taken.

        A read that is one whole chunk, behind another, needs no parser: which stands where it stood.
        """
        for number, (data, at_ns, _) in enumerate(reads, 1):
            body = _chunk(data) if self._between else None
            if body is not None:
                self._at_ns = at_ns
                self.on_body(body)
                continue
            self.feed(data, at_ns)
            if self.complete or self.faulty:
                return number
        return len(reads)

    def closed(self, at_ns: int) -> None:
        """Take the end of the connection: of the body too, if nothing else ends it."""
        if self._head_done and not self._has_length and not self.faulty:
            self.complete = True
            self._meter.end(at_ns)
        else:
            self._meter.abort(AbortBy.UPSTREAM, at_ns)

    def release(self) -> None:
        """Let go of the parser; nothing is fed any more.

        Parser and reader hold each other, and a load worker does not look for such circles while it sends.
        """
        del self._parser

    # the parser's side

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header field."""
        if len(self._headers) >= HEADERS_MAX:
            raise ValueError("too many header fields")  # httptools makes it its own error
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Show the head to the meter, unless it is informational."""
        status = self._parser.get_status_code()
        if status < _FINAL_MIN:
            return
        told = {name.lower(): value for name, value in self._headers}
        self._head_done = True
        self.in_chunks = told.get(b"transfer-encoding", b"").lower() == b"chunked"
        self._has_length = b"content-length" in told or b"transfer-encoding" in told
        self._meter.headers(status, self._headers, self._at_ns)
        asked = told.get(b"retry-after", b"")
        self.retry_after_s = float(asked) if asked.isdigit() else None
        if told.get(b"content-encoding", b"identity").lower() != b"identity":
            self._meter.opaque()

    def on_body(self, data: bytes) -> None:
        """Show a piece of the body."""
        self._feed_meter(data, self._at_ns)
        if self._kept is not None:
            self._kept += data

    def on_chunk_header(self) -> None:
        """Note the line that begins a chunk."""
        self._between = False

    def on_chunk_complete(self) -> None:
        """Note the line end behind a chunk."""
        self._between = True

    def on_message_complete(self) -> None:
        """Note the end of the message; that of an informational head is none."""
        if not self._head_done:
            self._headers.clear()
            return
        self.complete = True
        self.keeps_alive = self._parser.should_keep_alive()
        self._meter.end(self._at_ns)


def _chunk(data: bytes) -> bytes | None:
    """Return what a read holds that is exactly one chunk, not the last one of its body; None if it is not."""
    size, _, rest = data.partition(b"\r\n")
    return rest[:-2] if _ENDS.get(size) == len(rest) and rest.endswith(b"\r\n") else None


_ENDS = {b"%x" % size: size + 2 for size in range(1, PLAIN_CHUNK_BYTES_MAX + 1)}
"""What stands behind the line of a chunk, bytes, by its size as it is written."""
