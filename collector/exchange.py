"""Knows one request and its answer as they pass: which bytes the meter must see, and when; keeps no text.

The request body is held until it is complete, because the shape of the request stands in it, and then let go.

Source: spec/measurement.md 2 and 3, spec/reliability.md 4.4 and 11.
"""

from collector.bodies import Decoder, decoder
from collector.flow_headers import NO_HEADERS, FlowHeaders
from collector.http_heads import RequestHead, ResponseHead, header
from collector.rows import Rows, Seen
from telemetry.dialects import RequestShape, request_shape
from telemetry.ids import trace_id
from telemetry.meter import StreamMeter
from telemetry.outcome import AbortBy, Flag
from telemetry.record import RequestRecord

BODY_BYTES_MAX = 16 * 1024 * 1024
"""Longest request body that is read; of a longer one the model stays unknown."""
BODIES_BYTES_MAX = 128 * 1024 * 1024
"""Most bytes of request bodies that are held at a time, all connections together."""

_EVENT_STREAM = b"text/event-stream"


class BodyBudget:
    """Bytes of request bodies that are held, shared by every exchange of a process."""

    def __init__(self) -> None:
        self.held_bytes = 0

    def takes(self, size: int) -> bool:
        """Take room for some bytes; returns whether there is room."""
        if self.held_bytes + size > BODIES_BYTES_MAX:
            return False
        self.held_bytes += size
        return True


class Exchange:
    """One request and its answer.

    Attributes:
        seen: What the row takes from the wire; its byte counts are set by the owner.
        connected_ns: Upstream connection usable, monotonic; None while it is not.
        asks_upgrade: The request is CONNECT or asks to change the protocol.
        is_sent: The request is complete.
        is_streamed: The response is a stream of events.
    """

    __slots__ = (
        "_body", "_body_bytes", "_budget", "_decoder", "_engine", "_flows", "_head", "_last_ns", "_meter", "_packed",
        "_sent_ns", "_shape", "asks_upgrade", "connected_ns", "is_sent", "is_streamed", "seen",
    )  # fmt: skip

    def __init__(self, t_issue_ns: int, *, engine: str, budget: BodyBudget, flows: FlowHeaders = NO_HEADERS) -> None:
        self.seen = Seen(t_issue_ns=t_issue_ns)
        self.connected_ns: int | None = None
        self.asks_upgrade = False
        self.is_sent = self.is_streamed = False
        self._engine = engine
        self._budget = budget
        self._flows = flows
        self._head: RequestHead | None = None
        self._packed: Decoder | None = None
        self._body: list[bytes] | None = []
        self._body_bytes = 0
        self._shape: RequestShape | None = None
        self._meter: StreamMeter | None = None
        self._decoder: Decoder | None = None
        self._sent_ns = self._last_ns = t_issue_ns

    def request_head(self, head: RequestHead) -> None:
        """Take the head of the request."""
        self._head = head
        self.asks_upgrade = head.asks_upgrade
        self._packed = decoder(header(head.headers, b"content-encoding"))
        self._flows.read(head.headers, self.seen)
        trace = header(head.headers, b"traceparent")
        self.seen.trace_id = (trace and trace_id(trace)) or self.seen.trace_id

    def request_body(self, data: bytes) -> None:
        """Take a piece of the request body; beyond the bounds the body is given up."""
        if self._body is None:
            return
        if self._packed is not None:
            data = self._packed.feed(data)
        is_opaque = self._packed is not None and self._packed.opaque
        is_too_long = self._body_bytes + len(data) > BODY_BYTES_MAX
        if is_opaque or is_too_long or not self._budget.takes(len(data)):
            self._let_go()
            return
        self._body.append(data)
        self._body_bytes += len(data)

    def request_end(self, at_ns: int) -> None:
        """Take the end of the request, its last byte being forwarded."""
        self.is_sent = True
        self._sent_ns = at_ns
        if self._meter is not None:
            self._meter.sent(at_ns)
        else:
            self._read_shape()

    def response_head(self, head: ResponseHead, at_ns: int) -> None:
        """Take the head of the final response."""
        meter = self._metered()
        meter.headers(head.status, head.headers, at_ns)
        self._last_ns = at_ns
        self.is_streamed = (header(head.headers, b"content-type") or b"").startswith(_EVENT_STREAM)
        self._decoder = decoder(header(head.headers, b"content-encoding"))
        if self._decoder is not None and self._decoder.opaque:
            meter.opaque()
            self._decoder = None

    def response_body(self, data: bytes, at_ns: int) -> None:
        """Take a piece of the response body, as it came on the wire."""
        assert self._meter is not None  # noqa: S101 -- a framer gives the head first
        self._last_ns = at_ns
        if self._decoder is None:
            self._meter.feed(data, at_ns)
            return
        self._meter.feed(self._decoder.feed(data), at_ns)
        if self._decoder.opaque:
            self._meter.opaque()
            self._decoder = None

    def response_end(self, at_ns: int) -> None:
        """Take the end of the response."""
        if not self.is_sent:
            self.seen.flags |= Flag.EARLY_RESPONSE
        self._metered().end(at_ns)

    def abort(self, by: AbortBy, at_ns: int) -> None:
        """Take the end of an exchange that has no complete response."""
        self._metered().abort(by, max(at_ns, self._last_ns))

    @property
    def is_waiting(self) -> bool:
        """Whether no output has come yet."""
        return self._meter is None or not self._meter.has_output

    def record(self, rows: Rows) -> RequestRecord:
        """Make the row; the exchange is over."""
        result = self._metered().result()
        self._let_go()
        return rows.record(result, self.seen)

    def discard(self) -> None:
        """Let go of what is held; no row will be made."""
        self._let_go()

    def _metered(self) -> StreamMeter:
        """Return the meter, made when the shape of the request must be known: as late as possible."""
        if self._meter is None:
            self._meter = meter = StreamMeter(self._shape or self._read_shape())
            meter.begin(self.seen.t_issue_ns)
            if self.connected_ns is not None:
                meter.connected(max(self.connected_ns, self.seen.t_issue_ns))
                if self.is_sent:
                    meter.sent(max(self.connected_ns, self._sent_ns))
        return self._meter

    def _read_shape(self) -> RequestShape:
        is_read = self._body is not None
        if self._head is None:
            self._shape = RequestShape(engine=self._engine)
        else:
            body = b"".join(self._body or ())
            self._shape = request_shape(self._head.method, path(self._head.target), body, engine=self._engine)
        self.seen.model = self._shape.model if is_read else None
        self._let_go()
        return self._shape

    def _let_go(self) -> None:
        self._budget.held_bytes -= self._body_bytes
        self._body, self._body_bytes = None, 0


def path(target: str) -> str:
    """Return the path of a request target in origin or absolute form, without its query."""
    if target.startswith(("http://", "https://")):
        target = "/" + target.partition("://")[2].partition("/")[2]
    return target.partition("?")[0]
