"""Knows how datagrams leave without ever making the engine wait; refuses to know what is in them.

Each is sent to the path anew, so there is no connection to lose: a receiver may come late, go away and come back. What
cannot leave now waits in memory, up to a bound; beyond it the oldest is dropped and its rows counted. (A Unix datagram
socket holds 10 datagrams where nobody raised net.unix.max_dgram_qlen, as in every new network namespace, so a receiver
that is busy for a moment is the usual case.)

Source: unix(7), sendto(2), net.unix.max_dgram_qlen in the kernel's ip-sysctl.
"""

import contextlib
import errno
import socket
from collections import deque

WAITING_BYTES_MAX = 1 << 20
"""Most bytes that wait for a receiver: some 10,000 rows."""
BURST_MAX = 64
"""Most datagrams that leave in one call, so that a long queue does not hold up the engine."""


class Sender:
    """One way to the receiver.

    Args:
        path: Where the receiver listens; nobody need be there.

    Attributes:
        dropped: Rows that were given up since the start.
        waiting_bytes: Bytes that wait.
    """

    def __init__(self, path: str) -> None:
        self.dropped = 0
        self.waiting_bytes = 0
        self._path = path
        self._waiting: deque[tuple[bytes, int]] = deque()
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._sock.settimeout(0)

    def __del__(self) -> None:
        """Close the socket with the object; vLLM tells no logger of its end."""
        with contextlib.suppress(AttributeError):  # no descriptor was left to make one
            self._sock.close()

    def send(self, datagram: bytes, rows: int) -> None:
        """Queue a datagram; `flush` sends it."""
        self._waiting.append((datagram, rows))
        self.waiting_bytes += len(datagram)
        while self.waiting_bytes > WAITING_BYTES_MAX:
            self._drop_oldest()

    def flush(self) -> None:
        """Send what waits, as far as the receiver takes it now."""
        for _ in range(min(len(self._waiting), BURST_MAX)):
            datagram, _ = self._waiting[0]
            try:
                self._sock.sendto(datagram, self._path)
            except OSError as error:
                if error.errno != errno.EMSGSIZE:
                    return  # full, or nobody is there: it waits
                self._drop_oldest()  # it would never leave
            else:
                self._forget_oldest()

    def _drop_oldest(self) -> None:
        self.dropped += self._forget_oldest()

    def _forget_oldest(self) -> int:
        datagram, rows = self._waiting.popleft()
        self.waiting_bytes -= len(datagram)
        return rows
