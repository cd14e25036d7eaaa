"""Knows what a server and its store spend while so many tabs look at one page; refuses to know what a tab does with it.

A tab is its event stream, read in this process and thrown away. What is spent is the processor time of the two
processes (proc(5), stat) less what they spend while nobody looks; the statements are the store's own count.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from benchmarks.processes import cpu_s, rss_bytes
from benchmarks.ui_site import Site
from telemetry.clock import monotonic_ns
from telemetry.queries.question import Question
from telemetry.store import Store
from telemetry.testing.store_process import StoreProcess

FLEET = (
    "fleet.bad",
    "fleet.demand",
    "fleet.endpoints",
    "fleet.gave_up",
    "fleet.gpu",
    "fleet.numbers",
    "fleet.saturation",
)
PANELS = (*FLEET, "fleet.ttft")
"""Of the first page, as the page asks for them."""
_SELECTS = "SELECT sum(value) AS n FROM system.events WHERE event = 'SelectQuery'"
_SETTLE_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What so many tabs cost.

    Attributes:
        tabs: How many.
        serve_ratio: Cores that the server used.
        store_ratio: Cores that the store used.
        serve_mib: Resident memory of the server.
        statements_per_s: Statements that the store ran.
        events_per_s: Events of panels that one tab got.
        bytes_per_s: What one tab got.
    """

    tabs: int
    serve_ratio: float
    store_ratio: float
    serve_mib: float
    statements_per_s: float
    events_per_s: float
    bytes_per_s: float


def spent(site: Site, store: StoreProcess, reader: Store, tabs: Sequence[int], seconds: float) -> list[Spent]:
    """Return what each number of tabs costs, one after the other."""
    return [asyncio.run(_spent(site, store, reader, n, seconds)) for n in tabs]


class _Got:
    """What all tabs got."""

    def __init__(self) -> None:
        self.n_bytes = self.n_events = 0


async def _spent(site: Site, store: StoreProcess, reader: Store, tabs: int, seconds: float) -> Spent:
    got = _Got()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_tab(site, got)) for _ in range(tabs)]
        found = await _looked(site, store, reader, got, tabs, seconds)
        if any(task.done() for task in tasks):
            raise SystemExit("ui: a tab's stream ended")
        for task in tasks:
            task.cancel()
    return found


async def _looked(site: Site, store: StoreProcess, reader: Store, got: _Got, tabs: int, seconds: float) -> Spent:
    await asyncio.sleep(_SETTLE_S)
    pids = (site.pid, store.pid)
    before = [cpu_s(pid) for pid in pids]
    n_before, got.n_bytes, got.n_events = _selects(reader), 0, 0
    started_ns = monotonic_ns()
    await asyncio.sleep(seconds)
    elapsed_s = (monotonic_ns() - started_ns) / 1e9
    used = [(cpu_s(pid) - was) / elapsed_s for pid, was in zip(pids, before, strict=True)]
    statements = _selects(reader) - n_before - 1  # the count itself is one
    return Spent(
        tabs=tabs,
        serve_ratio=used[0],
        store_ratio=used[1],
        serve_mib=rss_bytes(site.pid) / (1 << 20),
        statements_per_s=statements / elapsed_s,
        events_per_s=got.n_events / elapsed_s / max(tabs, 1),
        bytes_per_s=got.n_bytes / elapsed_s / max(tabs, 1),
    )


def _selects(reader: Store) -> int:
    return int(str(reader.query(Question(sql=_SELECTS))[0]["n"]))


async def _tab(site: Site, got: _Got) -> None:
    at = urlsplit(site.url)
    reader, writer = await asyncio.open_connection(at.hostname, at.port, limit=1 << 24)
    path = f"/v1/live?panels={','.join(PANELS)}&from=now-15m&to=now&step=10"
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {at.netloc}\r\nAccept: text/event-stream\r\n\r\n".encode())
    try:
        while data := await reader.read(1 << 18):
            got.n_bytes += len(data)
            got.n_events += data.count(b"event: panel")
    finally:
        writer.close()
