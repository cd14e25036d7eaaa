"""Knows who handles which descriptor, which waits have run out and when frames leave; refuses to know connections.

Subtle: a descriptor closed while a batch of events is worked off could be handed out again inside the same batch, and
an event meant for the old socket would hit the new one. Sockets are therefore closed only after the batch (`doom`).

Source: epoll(7); spec/reliability.md 4.1.
"""

import select
import socket
import struct
from collections.abc import Callable

from collector.channel import Writer
from telemetry.clock import monotonic_ns

EVENTS_MAX = 256
"""Most events taken from the kernel at once."""
FLUSH_NS = 10_000_000
"""Frames leave at latest this long after the first of them."""
HOUSE_NS = 250_000_000
"""Time between two rounds of housekeeping."""
TICK_S = 0.01
"""Longest wait for events while frames wait."""
_IDLE_S = 0.25
_RESET = struct.pack("ii", 1, 0)  # struct linger: on, 0 s; close then sends RST

Handler = Callable[[int], None]


class Waits:
    """Deadlines that all have the same length, so that the oldest is always the first."""

    def __init__(self, length_s: float) -> None:
        """Make an empty set of waits of `length_s` seconds each."""
        self._length_ns = round(length_s * 1e9)
        self._ends: dict[int, tuple[int, Handler]] = {}

    def __len__(self) -> int:
        """Return how many waits run."""
        return len(self._ends)

    def start(self, conn: int, at_ns: int, expired: Handler) -> None:
        """Call `expired(now_ns)` unless `end(conn)` comes first."""
        self._ends[conn] = (at_ns + self._length_ns, expired)

    def end(self, conn: int) -> None:
        """Forget the wait of a connection, if it has one."""
        self._ends.pop(conn, None)

    def expire(self, now_ns: int) -> None:
        """Call what has run out."""
        while self._ends:
            conn, (end_ns, expired) = next(iter(self._ends.items()))
            if end_ns > now_ns:
                return
            del self._ends[conn]
            expired(now_ns)


class Plane:
    """The event loop of one worker: descriptors, their handlers, and the clockwork around them.

    Attributes:
        epoll: The kernel's list of descriptors.
        handlers: What to call with the events of a descriptor.
        writer: Where frames go.
        housekeeping: Called with the time about four times a second.
        broken: Called with a descriptor whose handler raised: a fault of ours, which may cost one connection.
    """

    def __init__(self, writer: Writer, housekeeping: Handler, broken: Handler) -> None:
        """Make an empty loop."""
        self.epoll = select.epoll()
        self.handlers: dict[int, Handler] = {}
        self.writer = writer
        self.housekeeping = housekeeping
        self.broken = broken
        self._running = True
        self._doomed: list[socket.socket] = []
        self._house_ns = 0

    def watch(self, fd: int, handler: Handler, mask: int) -> None:
        """Call `handler` with the events of a new descriptor."""
        self.handlers[fd] = handler
        self.epoll.register(fd, mask)

    def doom(self, sock: socket.socket, *, reset: bool) -> None:
        """Close a socket after this batch, with a reset or in order; nothing is called for it any more."""
        self.handlers[sock.fileno()] = _ignore
        if reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._doomed.append(sock)

    def stop(self) -> None:
        """End `run` after this batch."""
        self._running = False

    def run(self) -> None:
        """Work until `stop`."""
        poll, handlers, doomed, writer = self.epoll.poll, self.handlers, self._doomed, self.writer
        due_ns, wait_s = 0, 0.0
        while self._running:
            ready = poll(wait_s, EVENTS_MAX)
            for fd, events in ready:
                try:
                    handlers[fd](events)
                except Exception:  # noqa: BLE001 - whatever it is, the other connections must go on
                    self.broken(fd)
            if doomed:
                self._bury()
            # The time of the last frame stands for the clock, which saves reading it.
            if not ready or writer.at_ns >= due_ns:
                due_ns = self._chores()
            wait_s = TICK_S if writer.used or writer.behind else _IDLE_S
        self._bury()

    def _chores(self) -> int:
        now_ns = monotonic_ns()
        self.writer.flush(now_ns)
        if now_ns >= self._house_ns:
            self.housekeeping(now_ns)
            self._house_ns = now_ns + HOUSE_NS
        return now_ns + FLUSH_NS

    def _bury(self) -> None:
        for sock in self._doomed:
            del self.handlers[sock.fileno()]
            sock.close()
        self._doomed.clear()


def _ignore(events: int) -> None:
    """Do nothing with an event of a socket that is about to be closed."""
