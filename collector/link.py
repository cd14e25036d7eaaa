"""Knows how the bytes, ends and resets of one client connection and its upstream connection pass over to each other.

Per chunk there is one recv, one send and one frame kept for the observer, in that order, all on the same bytes: a chunk
is read to where its frame will be (`Writer.buffer`), and sent from there. Everything else is a swap of what is
called: `Side.forward` is the peer's `send`, or the peer's `hold` while the peer does not take bytes (it is still
connecting, or its buffer is full); the handler of a descriptor is changed when a first byte or a connect is due.

It refuses to know what the bytes mean.

Subtle: sockets are watched edge-triggered, so a socket that still has bytes is reported again only if it is re-armed
(`epoll.modify`). A read shorter than asked for has emptied it; an end or a reset behind it makes an edge of its own.

Source: spec/reliability.md 4.1; epoll(7), "Questions and answers", for the short read; tcp(7): after a reset what was
received before it is still readable. Measured on loopback, one chunk per wake-up: 11.2 us edge-triggered, 11.7 not.
TCP_QUICKACK is left alone: off, it saves an acknowledgement of every other chunk (7.0 against 10.5 us alone, 0.9 to 1.0
of the cost under load), but holds back by 40 ms the next chunk of an engine that does not set TCP_NODELAY.
"""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from errno import ECONNRESET, ENETUNREACH, EPIPE, ETIMEDOUT
from select import EPOLLERR, EPOLLET, EPOLLIN, EPOLLOUT, EPOLLRDHUP
from typing import NamedTuple

from collector.channel import FULL_BYTES
from collector.frames import HEADER, PAYLOAD_BYTES_MAX, Kind
from collector.plane import Plane, Waits
from collector.sockets import dial
from collector.target import Address, Target
from telemetry.clock import monotonic_ns

UNSENT_BYTES_MAX = 256 * 1024
"""A side is not read while more than this waits for its peer."""
SALVAGE_READS_MAX = 8
"""Most reads of what a side had sent before writing to it failed."""
HEADER_BYTES, pack_into = HEADER.size, HEADER.pack_into
_READING = EPOLLIN | EPOLLRDHUP | EPOLLET
_RESET_LATER = frozenset({ECONNRESET, EPIPE})  # of a connect that was made; else it is ECONNREFUSED (tcp_reset)


class Role(NamedTuple):
    """The kinds of frame of one side."""

    data: int
    eof: int
    reset: int


CLIENT = Role(int(Kind.REQUEST_BYTES), int(Kind.CLIENT_EOF), int(Kind.CLIENT_RESET))
UPSTREAM = Role(int(Kind.RESPONSE_BYTES), int(Kind.UPSTREAM_EOF), int(Kind.UPSTREAM_RESET))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What all links of a worker share.

    Attributes:
        plane: The event loop.
        target: Where upstream connections go.
        heads: Waits for the first byte of a client.
        connects: Waits for upstream connections.
        closed: Called with the connection number when a link is gone.
    """

    plane: Plane
    target: Target
    heads: Waits
    connects: Waits
    closed: Callable[[int], None]


class Side:
    """One of the two sockets of a link.

    Attributes:
        peer: The other side.
        forward: Takes the bytes read here and returns how many it took.
        unsent: Bytes that wait for this side.
        eof: This side has closed its sending direction.
        shut: The peer's end has been passed on to this side.
        at_ns: When bytes last came from here.
    """

    __slots__ = (
        "at_ns", "conn", "eof", "fd", "forward", "kind", "link", "mask", "peer", "plane", "recv_into", "role", "shut",
        "sock", "unsent", "view", "writer",
    )  # fmt: skip

    peer: "Side"
    forward: Callable[[bytes | memoryview], int]

    def __init__(self, link: "Link", role: Role) -> None:
        """Make a side without a socket."""
        self.link, self.role, self.kind, self.conn = link, role, role.data, link.conn
        self.plane = link.rules.plane
        self.writer, self.view = self.plane.writer, self.plane.writer.view
        self.unsent = bytearray()
        self.eof = self.shut = False
        self.at_ns = self.mask = 0
        self.fd = -1

    def attach(self, sock: socket.socket, handler: Callable[[int], None], mask: int) -> None:
        """Take a socket, and have `handler` called with its events."""
        self.sock, self.fd, self.recv_into, self.mask = sock, sock.fileno(), sock.recv_into, mask
        self.plane.watch(self.fd, handler, mask)

    def ready(self, events: int) -> None:  # noqa: PLR0915 -- each chunk comes here, and a call more costs 1 % of it
        """Copy what is there to the peer, then keep a frame of it."""
        if events != EPOLLIN:
            self._unusual(events)
            return
        # Subtle: `self.recv_into(...)` would be looked up as a method, which CPython 3.11 does not speed up for slots.
        recv_into, forward, writer, view = self.recv_into, self.forward, self.writer, self.view
        at = writer.used
        start = at + HEADER_BYTES
        try:
            size = recv_into(view[start : start + PAYLOAD_BYTES_MAX])
        except OSError as error:
            self._failed(error)
            return
        self.at_ns = at_ns = monotonic_ns()
        if not size:
            self._ended(at_ns)
            return
        end = start + size
        data = view[start:end]
        try:
            sent = forward(data)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.peer.lost(at_ns)
            return
        pack_into(writer.buffer, at, self.kind, self.conn, at_ns, size)
        writer.used, writer.at_ns = end, at_ns
        if sent != size:
            self.peer.hold(data[sent:])
        if end > FULL_BYTES:
            self._full(size)

    def hold(self, data: bytes | memoryview) -> int:
        """Keep bytes until this side takes them; stop reading the peer when that is too much."""
        self.unsent += data
        self.peer.forward = self.hold
        self.want(self.mask | EPOLLOUT)
        if len(self.unsent) > UNSENT_BYTES_MAX:
            self.peer.want(self.peer.mask & ~EPOLLIN)
        return len(data)

    def drain(self) -> None:
        """Send what waits for this side, and go back to plain copying when all of it has gone."""
        try:
            sent = self.sock.send(self.unsent)
        except BlockingIOError:
            return
        except OSError:
            self.lost(monotonic_ns())
            return
        del self.unsent[:sent]
        if len(self.unsent) <= UNSENT_BYTES_MAX // 2 and not self.peer.eof:
            self.peer.want(self.peer.mask | EPOLLIN)
        if not self.unsent:
            self.open()

    def open(self) -> None:
        """Let the peer send straight to this socket from now on; pass its end on if it has ended."""
        self.peer.forward = self.sock.send
        self.want(self.mask & ~EPOLLOUT)
        if self.peer.eof:
            self.finish()

    def finish(self) -> None:
        """Pass the peer's end on, after all of its bytes."""
        if self.unsent or self.mask & EPOLLOUT:
            return  # `drain` or the connect comes back here
        self.shut = True
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.lost(monotonic_ns())
            return
        self.link.close_if_done()

    def lost(self, at_ns: int) -> None:
        """Writing to this side failed: pass on what it had said before, then reset the peer."""
        if not self.eof:
            self._salvage()
        self.link.reset(self.role.reset, at_ns)

    def want(self, mask: int) -> None:
        """Ask the kernel for these events and no others."""
        if mask != self.mask:
            self.mask = mask
            self.plane.epoll.modify(self.fd, mask)

    def _unusual(self, events: int) -> None:
        if events & EPOLLOUT and self.mask & EPOLLOUT:
            self.drain()
        if self.link.over:
            return
        if events & EPOLLIN and self.mask & EPOLLIN:
            self.ready(EPOLLIN)
            self._rearm()  # the end or the reset comes behind the bytes
        elif events & EPOLLERR:
            self.link.reset(self.role.reset, monotonic_ns())

    def _rearm(self) -> None:
        if not self.link.over and self.mask & EPOLLIN:
            self.plane.epoll.modify(self.fd, self.mask)

    def _full(self, size: int) -> None:
        self.writer.flush(self.at_ns)
        if size == PAYLOAD_BYTES_MAX:  # as much as was asked for, so there may be more
            self._rearm()

    def _failed(self, error: OSError) -> None:
        if not isinstance(error, BlockingIOError):
            self.link.reset(self.role.reset, monotonic_ns())

    def _ended(self, at_ns: int) -> None:
        self.eof = True
        self.writer.offer(self.role.eof, self.conn, at_ns)
        self.want(self.mask & ~EPOLLIN)
        self.peer.finish()

    def _salvage(self) -> None:
        for _ in range(SALVAGE_READS_MAX):
            try:
                data = self.sock.recv(PAYLOAD_BYTES_MAX)
                at_ns = monotonic_ns()
                if not data or self.forward(data) != len(data):
                    return
            except OSError:
                return
            self.writer.offer(self.kind, self.conn, at_ns, data)


class Link:
    """A client connection and its upstream connection, from accept to CLOSED."""

    __slots__ = ("address", "addresses", "client", "conn", "over", "rules", "upstream")

    address: Address

    def __init__(self, conn: int, sock: socket.socket, peer_name: str, rules: Rules) -> None:
        """Take an accepted socket; `begin` does the rest."""
        self.conn, self.rules, self.over = conn, rules, False
        self.addresses = list(rules.target.addresses)
        self.client, self.upstream = client, upstream = Side(self, CLIENT), Side(self, UPSTREAM)
        client.peer, upstream.peer = upstream, client
        client.forward, upstream.forward = upstream.hold, sock.send
        client.at_ns = at_ns = monotonic_ns()
        rules.plane.writer.offer(Kind.ACCEPTED, conn, at_ns, peer_name.encode())
        client.attach(sock, self._first_byte, _READING)

    def begin(self) -> None:
        """Connect to the target."""
        rules, at_ns = self.rules, self.client.at_ns
        rules.heads.start(self.conn, at_ns, self._expired)
        rules.connects.start(self.conn, at_ns, self._connect_expired)
        self._connect(ENETUNREACH)

    def reset(self, kind: int, at_ns: int) -> None:
        """One side is gone without an end: say which, and reset the other."""
        if not self.over:
            self.rules.plane.writer.offer(kind, self.conn, at_ns)
            self.close(at_ns, reset=True)

    def close_if_done(self) -> None:
        """Close when both directions have ended and all bytes have gone."""
        if self.client.shut and self.upstream.shut:
            self.close(monotonic_ns(), reset=False)

    def close(self, at_ns: int, *, reset: bool) -> None:
        """Close both sockets, in order or by reset, and undo the cycles of references: the collector is off."""
        self.over = True
        rules = self.rules
        rules.closed(self.conn)
        rules.plane.writer.offer(Kind.CLOSED, self.conn, at_ns)
        for side in (self.client, self.upstream):
            if side.fd >= 0:
                rules.plane.doom(side.sock, reset=reset)
            del side.peer, side.forward
        del self.client, self.upstream
        rules.heads.end(self.conn)
        rules.connects.end(self.conn)

    def last_byte_ns(self) -> int:
        """Return when bytes last came from either side, or when the client was accepted."""
        return max(self.client.at_ns, self.upstream.at_ns)

    def _first_byte(self, events: int) -> None:
        self.rules.heads.end(self.conn)
        self.rules.plane.handlers[self.client.fd] = self.client.ready
        self.client.ready(events)

    def _expired(self, now_ns: int) -> None:
        self.close(now_ns, reset=False)

    def _connect_expired(self, now_ns: int) -> None:
        self._refuse(ETIMEDOUT, now_ns)

    def _connect(self, error: int) -> None:
        while self.addresses:
            self.address = self.addresses.pop(0)
            sock, error = dial(self.address)
            if sock is None:
                continue
            if error:
                self.upstream.attach(sock, self._connect_done, EPOLLOUT)
            else:
                self.upstream.attach(sock, self.upstream.ready, _READING)
                self._connected()
            return
        self._refuse(error, monotonic_ns())

    def _connect_done(self, events: int) -> None:
        del events  # the socket itself knows how the connect ended
        upstream = self.upstream
        error = upstream.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error in _RESET_LATER:
            self._introduce()
            upstream.lost(monotonic_ns())
            return
        if error:
            self.rules.plane.doom(upstream.sock, reset=False)
            upstream.fd = -1
            self._connect(error)
            return
        self.rules.plane.handlers[upstream.fd] = upstream.ready
        upstream.want(_READING | EPOLLOUT)
        self._connected()

    def _connected(self) -> None:
        self._introduce()
        upstream = self.upstream
        if upstream.unsent:
            upstream.drain()
        else:
            upstream.open()

    def _introduce(self) -> None:
        rules = self.rules
        rules.connects.end(self.conn)
        rules.target.prefer(self.address)
        host, port = self.address[1][:2]
        rules.plane.writer.offer(Kind.CONNECTED, self.conn, monotonic_ns(), f"{host}:{port}".encode())

    def _refuse(self, error: int, now_ns: int) -> None:
        """Reset the client: the nearest to a refused connect that an accepted connection can show."""
        self.rules.plane.writer.offer(Kind.CONNECT_FAILED, self.conn, now_ns, b"%d" % error)
        self.close(now_ns, reset=True)
