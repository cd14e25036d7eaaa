"""Knows when requests and the tokens of their answers crossed the loopback interface, whoever asked; refuses to ask.

A packet socket sees each segment once and the kernel stamps it, so neither client's own clock, loop or queue has a part
in the times. It needs root (CAP_NET_RAW). One request at a time is followed on each connection, as HTTP/1.1 clients
without pipelining use it. Run it as a program beside what it watches: `python -m benchmarks.wire PORT FILE`, ended by
SIGTERM, whereupon the file is written.

Source: packet(7) (PACKET_OUTGOING: loopback shows each packet twice); socket(7) (SO_TIMESTAMPNS, SO_RCVBUFFORCE),
asm-generic/socket.h (their numbers); RFC 9293 3.1 (segment); vLLM 0.32 entrypoints/openai/completion/serving.py (events
`data: {... "choices":[{...`).
"""

import contextlib
import json
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from telemetry.clock import sleep

_ETH_P_IP = 0x0800
_PACKET_OUTGOING = 4
_SO_TIMESTAMPNS, _SO_RCVBUFFORCE = 35, 33
_SEGMENT_BYTES_MAX = 1 << 16
_BUFFER_BYTES = 1 << 25
_ETHERNET_BYTES = 14
_READY = b"watching\n"
_TOKEN = b'"choices":[{'
_TIMESPEC = struct.Struct("@qq")


@dataclass(slots=True)
class Crossed:
    """When a request and the tokens of its answer crossed, nanoseconds of the wall clock.

    Attributes:
        sent_ns: First segment of the request.
        first_ns: First segment that holds a token; None before it.
        last_ns: Last one so far.
    """

    sent_ns: int
    first_ns: int | None = None
    last_ns: int | None = None


class Watch:
    """Puts segments together to requests.

    Args:
        port: Of the server.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._open: dict[int, Crossed] = {}
        self.crossed: list[Crossed] = []

    def saw(self, frame: bytes, at_ns: int) -> None:
        """Take note of one frame of the interface."""
        ip = frame[_ETHERNET_BYTES:]
        if len(ip) < 40 or ip[0] >> 4 != 4 or ip[9] != socket.IPPROTO_TCP:
            return
        segment = ip[(ip[0] & 15) * 4 : int.from_bytes(ip[2:4])]
        source, destination = int.from_bytes(segment[:2]), int.from_bytes(segment[2:4])
        payload = segment[(segment[12] >> 4) * 4 :]
        if destination == self._port and payload.startswith(b"POST "):
            self._open[source] = Crossed(at_ns)
            self.crossed.append(self._open[source])
        elif source == self._port and _TOKEN in payload and (one := self._open.get(destination)):
            one.first_ns = one.first_ns or at_ns
            one.last_ns = at_ns


@contextmanager
def watched(port: int, folder: Path) -> Generator[list[Crossed]]:
    """Watch a server of this machine while the block runs; the list is filled at its end."""
    found: list[Crossed] = []
    kept = folder / "wire.json"
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.wire", str(port), str(kept)], stdout=subprocess.PIPE
    ) as child:
        if child.stdout is None or child.stdout.readline() != _READY:
            raise RuntimeError("the wire cannot be watched: it needs root")
        try:
            yield found
            sleep(0.2)
        finally:
            child.terminate()
    found += [Crossed(*one) for one in json.loads(kept.read_text())]


def _stop(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


def main() -> None:
    """Watch until SIGTERM, then write what crossed."""
    port, kept = int(sys.argv[1]), Path(sys.argv[2])
    watch = Watch(port)
    signal.signal(signal.SIGTERM, _stop)
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_IP)) as sock:
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
        sock.bind(("lo", _ETH_P_IP))
        sys.stdout.buffer.write(_READY)
        sys.stdout.buffer.flush()
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                frame, ancillary, _, address = sock.recvmsg(_SEGMENT_BYTES_MAX, 64)
                if address[2] != _PACKET_OUTGOING and ancillary:
                    seconds, nanoseconds = _TIMESPEC.unpack(ancillary[0][2])
                    watch.saw(frame, seconds * 1_000_000_000 + nanoseconds)
    kept.write_text(json.dumps([(one.sent_ns, one.first_ns, one.last_ns) for one in watch.crossed]))


if __name__ == "__main__":
    main()
