"""Knows one client connection and the requests that are open on it; refuses to know how its bytes arrive.

A connection is `live` while its bytes are interpreted, `blind` after a loss (interpreted again from the next request
that certainly starts one, after silence), `deaf` for ever after doubt or when it left HTTP/1.1, `over` once a side has
reset. Every request that began ends as one record, or is counted with the connection that left HTTP/1.1:
`begun = recorded + in flight + unparsed`.

Source: spec/reliability.md 4.1 and 4.4, spec/measurement.md 2, 3 (M3) and 9 (C5), spec/store.md 12.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator
from enum import Enum, auto
from typing import Any, ClassVar

from collector.exchange import BodyBudget, Exchange
from collector.flow_headers import NO_HEADERS, FlowHeaders
from collector.http_frames import End, Event, Fault, RequestFramer, ResponseFramer, Start, Tunnel
from collector.http_heads import RequestHead, ResponseHead, opens_request
from collector.rows import Rows
from telemetry.outcome import AbortBy
from telemetry.record import RequestRecord

SILENCE_NS_MIN = 200_000_000
"""Silence in both directions after which a request line on a blind connection is believed."""
PIPELINED_MAX = 1024
"""Most requests of one connection that may be open at a time."""


class Counts:
    """What the observer counts, for all workers together.

    Attributes:
        begun: Requests whose first byte was interpreted.
        recorded: Requests that ended as a record.
        unparsed: Requests that went with a connection that left HTTP/1.1.
        unparsed_connections: Connections that left HTTP/1.1, by kind.
        desyncs: Connections given up in doubt, by reason.
        unobserved_bytes: Payload bytes that were not interpreted.
        lost_frames: Frames that the tees dropped.
    """

    def __init__(self) -> None:
        self.begun = 0
        self.recorded = 0
        self.unparsed = 0
        self.unparsed_connections: Counter[str] = Counter()
        self.desyncs: Counter[str] = Counter()
        self.unobserved_bytes = 0
        self.lost_frames = 0

    @property
    def in_flight(self) -> int:
        """Requests that have begun and not ended."""
        return self.begun - self.recorded - self.unparsed


class Endpoint:
    """What all connections to an endpoint share.

    Attributes:
        rows: Makes the rows.
        engine: Configured engine behind the endpoint.
        flows: Reads which flow a request belongs to.
        counts: What is counted.
        budget: Bounds the request bodies that are held.
        done: Records that are finished and not yet taken.
    """

    def __init__(self, rows: Rows, *, engine: str = "vllm", flows: FlowHeaders = NO_HEADERS) -> None:
        self.rows = rows
        self.engine = engine
        self.flows = flows
        self.counts = Counts()
        self.budget = BodyBudget()
        self.done: list[RequestRecord] = []

    def take(self) -> list[RequestRecord]:
        """Return the finished records and forget them."""
        done, self.done = self.done, []
        return done


class State(Enum):
    """How the bytes of a connection are treated."""

    LIVE = auto()
    BLIND = auto()
    DEAF = auto()
    OVER = auto()


class Connection:
    """One client connection and its upstream connection.

    Attributes:
        state: How its bytes are treated.
        replica: Address of the upstream; empty while it is not known.
    """

    __slots__ = (
        "_accepted_ns", "_client_gone_ns", "_connected_ns", "_endpoint", "_last_ns", "_open", "_refused_ns",
        "_requests", "_responses", "_uploading", "replica", "state",
    )  # fmt: skip

    def __init__(self, endpoint: Endpoint, at_ns: int, *, is_known: bool) -> None:
        """Start to follow a connection.

        Args:
            endpoint: What it shares with the others.
            at_ns: Accepted at, if known; else since when its frames would have been seen.
            is_known: Its first frame was seen; else it is blind.
        """
        self.state = State.LIVE if is_known else State.BLIND
        self.replica = ""
        self._endpoint = endpoint
        self._accepted_ns = self._last_ns = at_ns
        self._connected_ns: int | None = None if is_known else at_ns
        self._refused_ns: int | None = None
        self._client_gone_ns: int | None = None
        self._open: deque[Exchange] = deque()
        self._uploading: Exchange | None = None
        self._requests, self._responses = RequestFramer(), ResponseFramer()

    def connected(self, replica: str, at_ns: int) -> None:
        """Take note that the upstream connection is usable."""
        self.replica = replica
        self._last_ns = self._connected_ns = at_ns
        for exchange in self._open:
            exchange.connected_ns = at_ns
            exchange.seen.replica = replica

    def connect_failed(self, at_ns: int) -> None:
        """Take note that the upstream could not be reached; the request may still be on its way."""
        self._refused_ns = self._last_ns = at_ns

    def request_bytes(self, data: bytes, at_ns: int) -> None:
        """Take bytes from the client."""
        if self.state is not State.LIVE and not self._resyncs(data, at_ns):
            self._skip(data, at_ns)
            return
        for event in self._requests.feed(data):
            self._ON_REQUEST[type(event)](self, event, at_ns)
            if self.state is not State.LIVE:
                return

    def response_bytes(self, data: bytes, at_ns: int) -> None:
        """Take bytes from the upstream."""
        if self.state is not State.LIVE:
            self._skip(data, at_ns)
            return
        body = self._responses.whole_chunk(data)
        if body is not None:
            self._open[0].response_body(body, at_ns)
            return
        for event in self._responses.feed(data):
            if type(event) is bytes:
                self._open[0].response_body(event, at_ns)
            else:
                self._ON_RESPONSE[type(event)](self, event, at_ns)

    def client_eof(self, at_ns: int) -> None:
        """Take note that the client closed its sending side; it may still read (C5)."""
        self._last_ns = at_ns
        if self._client_gone_ns is None:
            self._client_gone_ns = at_ns

    def client_reset(self, at_ns: int) -> None:
        """Take note that the client is gone."""
        self.client_eof(at_ns)
        self._cut(at_ns)

    def upstream_eof(self, at_ns: int) -> None:
        """Take note that the upstream closed its sending side: what is open gets no more of an answer."""
        self._last_ns = at_ns
        if self.state is not State.LIVE:
            return
        for event in self._responses.eof():
            # A stream that ends after its client has left was cut by that; the meter knows if it was complete.
            if self._client_gone_ns is None or not self._open[0].is_streamed:
                self._ON_RESPONSE[type(event)](self, event, at_ns)
        self._abort_open(at_ns)

    def upstream_reset(self, at_ns: int) -> None:
        """Take note that the upstream is gone."""
        self._cut(at_ns)

    def closed(self, at_ns: int) -> None:
        """Take note that both sides are closed."""
        if self.state is State.LIVE and self._refused_ns is not None and not self._open:
            # The tee reads nothing from a client for which it has no upstream, yet that client got no answer.
            self._begin(self._accepted_ns)
        self._abort_open(self._refused_ns or at_ns)
        self.state = State.OVER

    def lose(self, at_ns: int, state: State = State.BLIND) -> None:
        """Take note that bytes are missing, or cannot be interpreted: what is open is unobserved."""
        self._abort_open(at_ns, AbortBy.LOSS)
        self._last_ns = at_ns
        if self.state is not State.DEAF:
            self.state = state

    def open_requests(self) -> Iterator[tuple[int, bool]]:
        """Return of each open request when it began, monotonic ns, and whether it has no output yet."""
        return ((exchange.seen.t_issue_ns, exchange.is_waiting) for exchange in self._open)

    def forget(self, kind: str) -> None:
        """Leave the connection uninterpreted for ever; requests that are open are counted with it."""
        counts = self._endpoint.counts
        counts.unparsed_connections[kind] += 1
        counts.unparsed += len(self._open)
        for exchange in self._open:
            exchange.discard()
        self._open.clear()
        self._uploading = None
        self.state = State.DEAF

    def _skip(self, data: bytes, at_ns: int) -> None:
        self._last_ns = at_ns
        if self.state is not State.OVER:
            self._endpoint.counts.unobserved_bytes += len(data)

    def _resyncs(self, data: bytes, at_ns: int) -> bool:
        """Return whether a blind connection is understood again from these bytes on."""
        if self.state is not State.BLIND or at_ns - self._last_ns < SILENCE_NS_MIN or not opens_request(data):
            return False
        self._requests, self._responses = RequestFramer(), ResponseFramer()
        self._connected_ns = self._connected_ns or self._last_ns
        self.state = State.LIVE
        return True

    def _cut(self, at_ns: int) -> None:
        self._last_ns = at_ns
        if self.state is State.LIVE:
            self._abort_open(at_ns)
            self.state = State.OVER

    def _abort_open(self, at_ns: int, by: AbortBy | None = None) -> None:
        """End every open exchange; without a reason the side that went first is it."""
        if by is None and self._client_gone_ns is not None:
            by, at_ns = AbortBy.CLIENT, self._client_gone_ns
        wire_bytes = self._responses.message_bytes
        while self._open:
            self._open[0].abort(by or AbortBy.UPSTREAM, at_ns)
            self._finish(wire_bytes)
            wire_bytes = 0  # The answer that was under way belongs to the oldest request.

    def _begin(self, at_ns: int) -> Exchange:
        shared = self._endpoint
        exchange = Exchange(at_ns, engine=shared.engine, budget=shared.budget, flows=shared.flows)
        exchange.connected_ns = self._connected_ns
        exchange.seen.replica = self.replica
        self._endpoint.counts.begun += 1
        self._open.append(exchange)
        return exchange

    def _finish(self, wire_bytes: int) -> None:
        """Make the record of the oldest open exchange."""
        exchange = self._open[0]
        exchange.seen.bytes_out = wire_bytes
        if exchange is self._uploading:
            exchange.seen.bytes_in = self._requests.message_bytes
            self._uploading = None
        self._endpoint.done.append(exchange.record(self._endpoint.rows))
        self._endpoint.counts.recorded += 1
        self._open.popleft()  # Last, so that a fault of ours leaves it open to be counted.

    def _on_start(self, _event: Event, at_ns: int) -> None:
        if len(self._open) >= PIPELINED_MAX:
            self._doubt("pipelined", at_ns)
        else:
            self._uploading = self._begin(at_ns)

    def _on_request_head(self, head: RequestHead, _at_ns: int) -> None:
        self._responses.expect(head.method)
        if self._uploading is not None:
            self._uploading.request_head(head)

    def _on_request_body(self, data: bytes, _at_ns: int) -> None:
        if self._uploading is not None:
            self._uploading.request_body(data)

    def _on_request_end(self, end: End, at_ns: int) -> None:
        if self._uploading is not None:
            self._uploading.seen.bytes_in = end.wire_bytes
            self._uploading.request_end(at_ns)
            self._uploading = None

    def _on_response_head(self, head: ResponseHead, at_ns: int) -> None:
        self._open[0].response_head(head, at_ns)
        if self._open[0].asks_upgrade:
            self._requests.resume()

    def _on_response_end(self, end: End, at_ns: int) -> None:
        self._open[0].response_end(at_ns)
        self._finish(end.wire_bytes)

    def _on_tunnel(self, tunnel: Tunnel, _at_ns: int) -> None:
        self.forget(tunnel.kind)

    def _on_fault(self, fault: Fault, at_ns: int) -> None:
        self._doubt(fault.reason, at_ns)

    def _doubt(self, reason: str, at_ns: int) -> None:
        self._endpoint.counts.desyncs[reason] += 1
        self.lose(at_ns, State.DEAF)

    _ON_REQUEST: ClassVar[dict[type, Callable[[Any, Any, int], None]]] = {
        Start: _on_start,
        RequestHead: _on_request_head,
        bytes: _on_request_body,
        End: _on_request_end,
        Tunnel: _on_tunnel,
        Fault: _on_fault,
    }
    _ON_RESPONSE: ClassVar[dict[type, Callable[[Any, Any, int], None]]] = {
        ResponseHead: _on_response_head,
        End: _on_response_end,
        Tunnel: _on_tunnel,
        Fault: _on_fault,
    }
