"""A receiver of notices on 127.0.0.1, and clocks that a test turns."""

import json
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from threading import Thread
from typing import Any

from slo.channels import Channel, ChannelKind
from slo.courier import Clock
from telemetry.guard import Policy

HERE = Policy(networks=(ip_network("127.0.0.0/8"),), ports=None)
START_S = 1_790_000_100


@dataclass(frozen=True, slots=True)
class Got:
    """One post that came."""

    path: str
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> Any:  # noqa: ANN401 -- JSON
        return json.loads(self.raw)

    @property
    def key(self) -> str:
        return self.headers["Idempotency-Key"]


Answer = tuple[int, Mapping[str, str]]
OK: Answer = (200, {})


@dataclass
class Receiver:
    """What came, and what is answered."""

    url: str
    answer: Callable[[Got], Answer] = lambda _: OK
    got: list[Got] = field(default_factory=list[Got])

    @property
    def keys(self) -> list[str]:
        return [one.key for one in self.got]


@contextmanager
def receiver(answer: Callable[[Got], Answer] = lambda _: OK) -> Generator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got = Got(self.path, dict(self.headers.items()), self.rfile.read(int(self.headers["Content-Length"])))
            running.got.append(got)
            status, headers = running.answer(got)
            self.send_response(status)
            for name, value in {"Content-Length": "0", **headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the library's name
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        running = Receiver(f"http://127.0.0.1:{server.server_address[1]}", answer)
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield running
        finally:
            server.shutdown()
            thread.join()


@dataclass
class Dial:
    """Clocks that stand until a test turns them."""

    now_s: float = 0.0
    wall_step_s: float = 0.0

    @property
    def clock(self) -> Clock:
        return Clock(wall_s=lambda: START_S + self.now_s + self.wall_step_s, elapsed_s=lambda: self.now_s)


def channel(kind: ChannelKind, *urls: str, name: str = "c", secret: str = "", **more: Any) -> Channel:  # noqa: ANN401 -- handed on
    return Channel(name=name, kind=kind, urls=urls, secret=secret, policy=HERE, **more)
