"""A steady load of many raw clients, and whose connections a tee worker holds."""

import asyncio
import os
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from telemetry.testing.client import request, talk
from telemetry.testing.engine_bodies import MODEL
from telemetry.testing.steps import AwaitEnd, Send
from telemetry.testing.wire import Ending, Transcript

_TCP_ESTABLISHED = "01"  # st column of /proc/net/tcp: proc(5)


def streamed(n_tokens: int, *, asks_usage: bool = False) -> bytes:
    """One streamed chat request."""
    options = b'"stream_options":{"include_usage":true},' if asks_usage else b""
    body = b'{"model":"%s","stream":true,%b"max_tokens":%d,"messages":[{"role":"user","content":"hi"}]}'
    return request("POST", "/v1/chat/completions", body % (MODEL.encode(), options, n_tokens), "Connection: close")


def is_whole(seen: Transcript) -> bool:
    """Whether a streamed answer came to its regular end."""
    return seen.ending is Ending.EOF and seen.received.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")


class Tally:
    """What a load has seen so far."""

    def __init__(self) -> None:
        self.n_whole = 0
        self.broken: list[Transcript] = []

    def count(self, seen: Transcript) -> None:
        if is_whole(seen):
            self.n_whole += 1
        else:
            self.broken.append(seen)

    @property
    def endings(self) -> list[Ending]:
        """How the broken ones ended."""
        return [seen.ending for seen in self.broken]


@contextmanager
def load(address: tuple[str, int], *, n_clients: int, n_tokens: int = 8, asks_usage: bool = False) -> Generator[Tally]:
    """Ask for one streamed answer after the other, until the block ends; then wait for the last ones."""
    tally, over = Tally(), threading.Event()
    asked = streamed(n_tokens, asks_usage=asks_usage)

    async def client() -> None:
        while not over.is_set():
            tally.count(await talk(address, [Send(asked), AwaitEnd()]))

    async def clients() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(n_clients):
                group.create_task(client())

    thread = threading.Thread(target=asyncio.run, args=(clients(),))
    thread.start()
    try:
        yield tally
    finally:
        over.set()
        thread.join()


def held_connections(pid: int, port: int) -> int:
    """Client connections that a process holds on a port (proc(5): fd, net/tcp)."""
    inodes: set[str] = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            inodes.add(os.readlink(link))  # noqa: PTH115 a socket's link names no path
    rows = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    ours = [row for row in rows if int(row[1].split(":")[1], 16) == port and row[3] == _TCP_ESTABLISHED]
    return sum(f"socket:[{row[9]}]" in inodes for row in ours)
