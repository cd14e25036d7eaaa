"""Knows how the frames of one tee worker reach the connections they tell of; refuses to know sockets and disks.

A connection whose start was not seen (the observer was restarted, or its first frames were lost) is blind. What would
raise, gives up the one connection that it concerns: no input stops the observer.

Source: spec/reliability.md 4.1 and 4.4.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from collector.connection import Connection, Endpoint, State
from collector.frames import Frame, Kind

_CONNECTIONS_MAX = 20_000
"""Most connections of one worker that are followed; the oldest gives way."""


class Worker:
    """The connections of one tee worker."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._connections: dict[int, Connection] = {}
        self._since_ns: int | None = None  # From here on every frame of this worker was seen, or its loss was told.
        self._lost_frames = 0

    def take(self, frames: Iterable[Frame]) -> int:
        """Take frames in order; finished records gather at the endpoint.

        Returns:
            Stamp of the last frame, 0 if there was none.
        """
        connections = self._connections
        at_ns = 0
        for kind, conn, at_ns, payload in frames:
            connection = connections.get(conn)
            try:
                if kind == _RESPONSE_BYTES and connection is not None:
                    connection.response_bytes(payload, at_ns)
                else:
                    self._rarer(kind, conn, at_ns, payload)
            except Exception:  # noqa: BLE001 -- a fault of ours costs one connection, never the observer
                self._give_up(conn, at_ns)
        return at_ns

    def open_requests(self) -> Iterator[tuple[int, bool]]:
        """Return of each open request when it began, monotonic ns, and whether it has no output yet."""
        return chain.from_iterable(connection.open_requests() for connection in self._connections.values())

    def _rarer(self, kind: int, conn: int, at_ns: int, payload: bytes) -> None:
        if self._since_ns is None:
            self._since_ns = at_ns
        if kind == Kind.HELLO:
            self._restarted(at_ns)
        elif kind == Kind.LOST:
            self._lost(int(payload))
        elif kind == Kind.ACCEPTED:
            self._accepted(conn, at_ns)
        elif kind == Kind.CLOSED:
            if (connection := self._connections.pop(conn, None)) is not None:
                connection.closed(at_ns)
        elif (turn := _TURNS.get(kind)) is not None:
            turn(self._connections.get(conn) or self._blind(conn), payload, at_ns)

    def _restarted(self, at_ns: int) -> None:
        for connection in self._connections.values():
            connection.lose(at_ns)
        self._connections.clear()
        self._since_ns = at_ns
        self._lost_frames = 0

    def _lost(self, lost_frames: int) -> None:
        """Count lost frames; each connection that lost some is told by a GAP of its own."""
        self._endpoint.counts.lost_frames += max(0, lost_frames - self._lost_frames)
        self._lost_frames = lost_frames

    def _accepted(self, conn: int, at_ns: int) -> None:
        if (former := self._connections.pop(conn, None)) is not None:
            former.lose(at_ns)
        self._follow(conn, Connection(self._endpoint, at_ns, is_known=True))

    def _blind(self, conn: int) -> Connection:
        connection = Connection(self._endpoint, self._since_ns or 0, is_known=False)
        self._follow(conn, connection)
        return connection

    def _follow(self, conn: int, connection: Connection) -> None:
        if len(self._connections) >= _CONNECTIONS_MAX:
            oldest = self._connections.pop(next(iter(self._connections)))
            self._endpoint.counts.desyncs["too_many"] += 1
            oldest.lose(self._since_ns or 0)
        self._connections[conn] = connection

    def _give_up(self, conn: int, at_ns: int) -> None:
        self._endpoint.counts.desyncs["internal"] += 1
        connection = self._connections.get(conn)
        if connection is None:
            return
        try:
            connection.lose(at_ns, State.DEAF)
        except Exception:  # noqa: BLE001 -- not even unobserved records can be made of it
            connection.forget("internal")


_RESPONSE_BYTES = int(Kind.RESPONSE_BYTES)  # A plain int compares faster.

_Turn = Callable[[Connection, bytes, int], None]
_TURNS: dict[int, _Turn] = {
    Kind.CONNECTED: lambda connection, payload, at_ns: connection.connected(payload.decode("latin-1"), at_ns),
    Kind.CONNECT_FAILED: lambda connection, _, at_ns: connection.connect_failed(at_ns),
    Kind.REQUEST_BYTES: Connection.request_bytes,
    Kind.RESPONSE_BYTES: Connection.response_bytes,
    Kind.CLIENT_EOF: lambda connection, _, at_ns: connection.client_eof(at_ns),
    Kind.UPSTREAM_EOF: lambda connection, _, at_ns: connection.upstream_eof(at_ns),
    Kind.CLIENT_RESET: lambda connection, _, at_ns: connection.client_reset(at_ns),
    Kind.UPSTREAM_RESET: lambda connection, _, at_ns: connection.upstream_reset(at_ns),
    Kind.GAP: lambda connection, _, at_ns: connection.lose(at_ns),
}
