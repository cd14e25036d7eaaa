"""The leanest client there is: sockets and epoll, one stamp right after each recv, nothing parsed while it runs."""

import select
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

PACE_S = 0.05
"""Between the first requests, so that they do not start in step."""


@dataclass(slots=True)
class Seen:
    """What one request saw: when it was sent, and each read with its stamp."""

    began_ns: int
    chunks: list[tuple[int, bytes]] = field(default_factory=list[tuple[int, bytes]])


class RawLoad:
    """Keeps a number of requests in flight, each on a connection of its own."""

    def __init__(self, address: tuple[str, int], requests: Sequence[bytes]) -> None:
        self._address = address
        self._waiting = list(enumerate(requests))
        self._seen: dict[int, Seen] = {}
        self._open: dict[int, tuple[socket.socket, Seen]] = {}
        self._epoll = select.epoll()

    def run(self, concurrency: int) -> list[Seen]:
        """Return what each request saw, in their order."""
        self._waiting.reverse()
        for _ in range(concurrency):
            self._start()
            self._work(PACE_S)
        while self._open:
            self._work(60.0)
        return [self._seen[number] for number in sorted(self._seen)]

    def _start(self) -> None:
        if self._waiting:
            number, request = self._waiting.pop()
            sock = socket.create_connection(self._address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._seen[number] = seen = Seen(time.monotonic_ns())  # noqa: TID251 -- an instrument beside ours
            sock.sendall(request)
            self._open[sock.fileno()] = (sock, seen)
            self._epoll.register(sock, select.EPOLLIN)

    def _work(self, wait_s: float) -> None:
        for fd, _ in self._epoll.poll(wait_s):
            sock, seen = self._open[fd]
            data = sock.recv(65536)
            seen.chunks.append((time.monotonic_ns(), data))  # noqa: TID251 -- as above
            if not data:
                self._epoll.unregister(fd)
                sock.close()
                del self._open[fd]
                self._start()
