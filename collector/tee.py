"""Knows how one worker of the data plane lives: starts, accepts, drains, ends; refuses to know what bytes mean.

    python -m collector.tee --listen-fd 3 --channel-fd 4 --target 127.0.0.1:8000

It prints nothing on stdout; a line on stderr only for what an operator must know. SIGTERM: stop accepting and end when
the last connection has; a second SIGTERM, or `--drain-s-max`, ends at once.

Source: spec/reliability.md 4.1; epoll(7) for EPOLLEXCLUSIVE, by which one connection wakes one of several workers.
"""

import argparse
import contextlib
import gc
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from errno import EAGAIN, ECONNABORTED
from select import EPOLLEXCLUSIVE, EPOLLIN

from collector import link, sockets, target
from collector.channel import Writer
from collector.frames import Kind
from collector.plane import Plane, Waits
from telemetry.clock import monotonic_ns

CONNECTIONS_MAX = 10_000
"""Default limit of simultaneous client connections of one worker."""
FDS_PER_CONNECTION = 3
"""Descriptors reserved per connection: two in use, one to spare."""
ACCEPTS_MAX = 16
"""Most connections accepted per round, so that a burst does not hold up the running streams."""
BACKLOG_MAX = 4096
"""Connections that the kernel keeps while no worker accepts."""
PAUSE_NS = 100_000_000
"""How long accepting rests when the kernel has no descriptor or memory for another connection."""
NOTICE_PERIOD_NS = 10_000_000_000
"""Shortest time between two groups of lines on stderr."""
FDS_RESERVED = 64
"""Descriptors for everything that is no connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one worker allows.

    Attributes:
        connections_max: Simultaneous client connections.
        head_s_max: First byte of a client after it connected, seconds.
        connect_s_max: Upstream connect over all addresses, seconds.
        idle_s_max: Silence in both directions, seconds; 0 allows any silence.
        drain_s_max: How long connections may go on after SIGTERM, seconds.
    """

    connections_max: int = CONNECTIONS_MAX
    head_s_max: float = 30.0
    connect_s_max: float = 5.0
    idle_s_max: float = 0.0
    drain_s_max: float = 600.0


class Worker:
    """One worker: a listening socket, its links, and the loop they live in."""

    def __init__(self, listener: socket.socket, goal: target.Target, writer: Writer, limits: Limits) -> None:
        """Take a listening socket; `run` does the rest."""
        self._listener, self._limits, self._writer = listener, limits, writer
        self._plane = Plane(writer, self._house, self._broken)
        self._rules = link.Rules(
            plane=self._plane,
            target=goal,
            heads=Waits(limits.head_s_max),
            connects=Waits(limits.connect_s_max),
            closed=self._closed,
        )
        self._links: dict[int, link.Link] = {}
        self._conns = 0
        self._accepting = False
        self._paused_until_ns = 0
        self._end_ns: int | None = None
        self._notices = Notices()

    def run(self) -> None:
        """Accept and copy until told to end."""
        sockets.set_options(self._listener)
        self._listener.settimeout(0)
        self._writer.offer(Kind.HELLO, 0, monotonic_ns(), b"%d" % os.getpid())
        self._open_gate()
        self._plane.run()
        self._writer.flush(monotonic_ns())
        self._notices.tell_all()

    def hear(self, fd: int) -> None:
        """Act on the signals that are written to a wake-up descriptor (`signal.set_wakeup_fd`)."""
        self._plane.watch(fd, lambda _: self._signalled(os.read(fd, 64)), EPOLLIN)

    def _signalled(self, numbers: bytes) -> None:
        for _ in range(numbers.count(signal.SIGTERM)):
            if self._end_ns is not None:
                self._plane.stop()
                return
            self._end_ns = monotonic_ns() + round(self._limits.drain_s_max * 1e9)
            self._close_gate()
            self._listener.close()
            self._closed(0)

    def _open_gate(self) -> None:
        if not self._accepting and self._end_ns is None:
            self._plane.watch(self._listener.fileno(), self._accept, EPOLLIN | EPOLLEXCLUSIVE)
            self._accepting = True

    def _close_gate(self) -> None:
        if self._accepting:
            self._plane.epoll.unregister(self._listener.fileno())
            self._accepting = False

    def _accept(self, events: int) -> None:
        del events
        for _ in range(ACCEPTS_MAX):
            if len(self._links) >= self._limits.connections_max:
                self._notices.count("connection limit reached")
                self._close_gate()
                return
            try:
                sock, address = self._listener.accept()
            except OSError as error:
                self._not_accepted(error)
                return
            sock.settimeout(0)
            self._conns += 1
            new = link.Link(self._conns, sock, f"{address[0]}:{address[1]}", self._rules)
            self._links[self._conns] = new
            new.begin()

    def _not_accepted(self, error: OSError) -> None:
        if error.errno not in {EAGAIN, ECONNABORTED}:  # EMFILE, ENFILE, ENOBUFS, ENOMEM
            self._notices.count(f"cannot accept ({error.strerror})")
            self._paused_until_ns = monotonic_ns() + PAUSE_NS
            self._close_gate()

    def _closed(self, conn: int) -> None:
        self._links.pop(conn, None)
        if self._end_ns is None:
            if not self._paused_until_ns:
                self._open_gate()
        elif not self._links:
            self._plane.stop()

    def _house(self, now_ns: int) -> None:
        self._rules.heads.expire(now_ns)
        self._rules.connects.expire(now_ns)
        self._notices.tell(now_ns)
        if self._limits.idle_s_max:
            self._expire_idle(now_ns - round(self._limits.idle_s_max * 1e9))
        if self._paused_until_ns and now_ns >= self._paused_until_ns:
            self._paused_until_ns = 0
            self._open_gate()
        if self._end_ns is not None and now_ns >= self._end_ns:
            self._plane.stop()

    def _broken(self, fd: int) -> None:
        self._notices.count(f"a fault of the tee itself: {traceback.format_exc().strip()}")
        for old in [one for one in self._links.values() if fd in {one.client.fd, one.upstream.fd}]:
            old.close(monotonic_ns(), reset=True)

    def _expire_idle(self, before_ns: int) -> None:
        for old in [one for one in self._links.values() if one.last_byte_ns() < before_ns]:
            old.close(before_ns, reset=False)


class Notices:
    """Lines for the operator on stderr: each kind at most once per `NOTICE_PERIOD_NS`, with how often it happened."""

    def __init__(self) -> None:
        """Start with nothing to tell."""
        self._counts: dict[str, int] = {}
        self._told_ns = 0

    def count(self, text: str) -> None:
        """Note one occurrence."""
        self._counts[text] = self._counts.get(text, 0) + 1

    def tell(self, now_ns: int) -> None:
        """Write what was noted, if the last lines are old enough."""
        if self._counts and now_ns - self._told_ns >= NOTICE_PERIOD_NS:
            self._told_ns = now_ns
            self.tell_all()

    def tell_all(self) -> None:
        """Write what was noted."""
        for text, n in self._counts.items():
            tell(f"{text}, {n} times")
        self._counts.clear()


def tell(text: str) -> None:
    """Write one line to stderr; a closed or full stderr is no reason to stop copying."""
    with contextlib.suppress(OSError):
        os.write(2, f"tee: {text}\n".encode())


def affordable(connections: int) -> int:
    """Raise the descriptor limit for this many connections; return how many the limit allows."""
    need = connections * FDS_PER_CONNECTION + FDS_RESERVED
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < need:
        soft = need if hard == resource.RLIM_INFINITY else min(need, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft < need:
        connections = max(1, (soft - FDS_RESERVED) // FDS_PER_CONNECTION)
        tell(f"the descriptor limit {soft} allows {connections} connections, not more")
    return connections


def listen(text: str) -> socket.socket:
    """Listen on `HOST:PORT`."""
    host, port = target.parse(text)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=BACKLOG_MAX)


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """Parse the command line; a mistake ends the process with 2."""
    default = Limits()
    parser = argparse.ArgumentParser(prog="python -m collector.tee", allow_abbrev=False)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--listen-fd", type=int, help="an inherited listening socket")
    where.add_argument("--listen", type=listen, metavar="HOST:PORT")
    parser.add_argument("--channel-fd", type=int, help="write end of the observer's channel; without it the tap is off")
    parser.add_argument("--target", type=target.Target, required=True, metavar="HOST:PORT")
    parser.add_argument("--connections-max", type=int, default=default.connections_max)
    for name in ("head_s_max", "connect_s_max", "idle_s_max", "drain_s_max"):
        parser.add_argument("--" + name.replace("_", "-"), type=float, default=getattr(default, name), metavar="S")
    return parser.parse_args(argv)


def main(argv: Sequence[str]) -> int:
    """Run one worker."""
    given = arguments(argv)
    limits = Limits(
        connections_max=affordable(given.connections_max),
        head_s_max=given.head_s_max,
        connect_s_max=given.connect_s_max,
        idle_s_max=given.idle_s_max,
        drain_s_max=given.drain_s_max,
    )
    writer = Writer(None if given.channel_fd is None else socket.socket(fileno=given.channel_fd))
    worker = Worker(given.listen or socket.socket(fileno=given.listen_fd), given.target, writer, limits)
    worker.hear(signal_fd(interruptible=given.listen is not None))
    given.target.start()
    gc.freeze()
    gc.disable()  # links undo their cycles themselves, so a collection would only be a pause
    worker.run()
    return 0


def signal_fd(*, interruptible: bool) -> int:
    """Have SIGTERM written to a pipe; return its read end. A supervised worker leaves SIGINT to its supervisor."""
    read_fd, write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(write_fd, warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, _noted)
    if not interruptible:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    return read_fd


def _noted(number: int, frame: object) -> None:
    """Let the wake-up descriptor speak."""
    del number, frame


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
