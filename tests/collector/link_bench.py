"""One link in the test's own process: the test sets the stage in the kernel, then `run` plays it to the end."""

import socket
from collections.abc import Generator
from contextlib import closing, contextmanager

import pytest
from tee_rig import LOOPBACK, WAIT_S

from collector import channel
from collector.channel import Reader, Writer
from collector.frames import Frame
from collector.link import Link, Rules
from collector.plane import Plane, Waits
from collector.target import Address, Target


class Bench:
    def __init__(self, ends: tuple[socket.socket, socket.socket], upstream: socket.socket) -> None:
        self.reader, self.writer = Reader(ends[0]), Writer(ends[1])
        self.upstream, self.plane = upstream, Plane(self.writer, self._house, self._broke)
        self.addresses: list[Address] = [(socket.AF_INET, upstream.getsockname())]
        self.target = Target("engine.test:80", lambda _host, _port: self.addresses)
        self.heads, self.connects = Waits(30), Waits(5)
        self.hurry_ns = 0
        with socket.create_server(LOOPBACK) as front:
            self.client = socket.create_connection(front.getsockname(), timeout=WAIT_S)
            self._accepted, _ = front.accept()
        self._accepted.settimeout(0)

    def begin(self) -> None:
        """Take the client's connection."""
        self.target.resolve()
        rules = Rules(
            plane=self.plane,
            target=self.target,
            heads=self.heads,
            connects=self.connects,
            closed=self._closed,
        )
        Link(1, self._accepted, "192.0.2.7:5", rules).begin()

    def server(self) -> socket.socket:
        """Accept the link's upstream connection."""
        sock, _ = self.upstream.accept()
        return sock

    def link(self) -> Link:
        """Return the link, as long as its client has said nothing."""
        (handler,) = [one for one in self.plane.handlers.values() if isinstance(getattr(one, "__self__", None), Link)]
        found = getattr(handler, "__self__", None)
        assert isinstance(found, Link)
        return found

    def run(self) -> list[Frame]:
        """Play until the link is gone; return its frames."""
        self.plane.run()
        self.writer.flush(0)
        return list(self.reader.frames())

    def _house(self, now_ns: int) -> None:
        self.heads.expire(now_ns + self.hurry_ns)
        self.connects.expire(now_ns + self.hurry_ns)

    def _closed(self, conn: int) -> None:
        assert 1 == conn
        self.plane.stop()

    def _broke(self, fd: int) -> None:
        pytest.fail(f"the handler of descriptor {fd} raised")


@contextmanager
def bench() -> Generator[Bench]:
    reader, writer = channel.pair()
    with closing(reader), closing(writer), socket.create_server(LOOPBACK) as upstream:
        made = Bench((reader, writer), upstream)
        with closing(made.client), closing(made.plane.epoll):
            yield made
