"""A worker process of the tee between a listening socket and an upstream that the test plays by hand."""

import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from select import select

from collector import channel
from collector.frames import Frame, Kind

WAIT_S = 10.0
LOOPBACK = ("127.0.0.1", 0)


@dataclass
class Rig:
    worker: subprocess.Popen[bytes]
    front: socket.socket
    upstream: socket.socket
    reader: channel.Reader

    def connect(self) -> socket.socket:
        return socket.create_connection(self.front.getsockname(), timeout=WAIT_S)

    def accept(self) -> socket.socket:
        sock, _ = self.upstream.accept()
        sock.settimeout(WAIT_S)
        return sock

    def link(self) -> tuple[socket.socket, socket.socket]:
        """Return (client, server) of a new connection through the tee."""
        client = self.connect()
        return client, self.accept()

    def frames_until(self, *wanted: Kind) -> list[Frame]:
        """Return all frames up to the last of the wanted ones, the first frame being HELLO."""
        seen: list[Frame] = []
        missing = list(wanted)
        while missing:
            assert select([self.reader], [], [], WAIT_S)[0], f"no {missing} after {seen}"
            for frame in self.reader.frames():
                seen.append(frame)
                if frame.kind in missing:
                    missing.remove(Kind(frame.kind))
        return seen

    def terminate(self) -> int:
        self.worker.terminate()
        return self.worker.wait(WAIT_S)


@contextmanager
def rig(*options: str, before: str = "") -> Generator[Rig]:
    """Run a worker; `before` is Python that its process runs first."""
    front = socket.create_server(LOOPBACK, backlog=128)
    upstream = socket.create_server(LOOPBACK, backlog=128)
    upstream.settimeout(WAIT_S)
    read_end, write_end = channel.pair()
    fds = (front.fileno(), write_end.fileno())
    host, port = upstream.getsockname()
    argv = ["--listen-fd", str(fds[0]), "--channel-fd", str(fds[1]), "--target", f"{host}:{port}", *options]
    argv[:0] = ["--connections-max", "100"]  # an option given later wins
    start = f"import sys\n{before}\nfrom collector import tee\nsys.exit(tee.main(sys.argv[1:]))"
    worker = subprocess.Popen(
        [sys.executable, "-c", start, *argv], pass_fds=fds, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    with front, upstream, read_end, write_end, worker:
        try:
            yield Rig(worker, front, upstream, channel.Reader(read_end))
        finally:
            worker.kill()


def read_all(sock: socket.socket) -> bytes:
    """Read until the end; a reset raises."""
    data = bytearray()
    while piece := sock.recv(1 << 20):
        data += piece
    return bytes(data)


def read_exactly(sock: socket.socket, n: int) -> bytes:
    data = bytearray()
    while len(data) < n:
        piece = sock.recv(n - len(data))
        assert piece, f"end after {len(data)} of {n} bytes"
        data += piece
    return bytes(data)
