"""Measures how fast hints are answered to many pollers: `python -m benchmarks.hints [--quick] [--output table|json]`.

A thousand pollers, each with a connection of its own that stays open, ask `GET /v1/hints/{target}` every 15 s, spread
evenly, of one real `inferometer serve` on one core; it follows ten targets over a real store meanwhile. The pollers are
one process on the other core. A latency is from the moment at which a poll was due to its last byte, so that waiting
behind others counts.

The floor is a server of the same process kind, on the same core, that answers each request with the same bytes and
knows nothing; the service goes on following its targets beside it. Pollers and store share the other core, so on two
cores both percentiles hold what the store takes from the pollers; the processor time of an answer does not. On a
machine that does other things, too, the tail is mostly time in which the core ran those: "no core" says how much.

Source: Linux Documentation/scheduler/sched-stats.rst (/proc/PID/schedstat: time on a run queue, ns).
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.harness import Answer, Figure, main
from telemetry.clock import sleep, wall_ms
from telemetry.percentile import P50, P99, rank
from telemetry.samples import EngineSample, Heartbeat
from telemetry.testing.store_process import StoreProcess

POLLERS, EVERY_S = 1_000, 15.0
TARGETS = 10
ROUNDS, QUICK_ROUNDS = 3, 1
"""Times that every poller asks; the median of the rounds' percentiles is the figure."""
FLOOR_MS = 50.0
"""P99 that is promised on one core."""
PORT, FLOOR_PORT = 18_200, 18_201
_LOOKS = 450
_SERVER, _CLIENT = 0, 1
_FLOOR = """
import asyncio, sys
body = sys.stdin.buffer.read()
answer = b"HTTP/1.1 200 OK\\r\\ncontent-type: application/json\\r\\ncontent-length: %d\\r\\n\\r\\n" % len(body) + body
class Plain(asyncio.Protocol):
    def connection_made(self, transport): self.transport = transport
    def data_received(self, data): self.transport.write(answer)
async def serve():
    server = await asyncio.get_running_loop().create_server(Plain, "127.0.0.1", int(sys.argv[1]), backlog=4096)
    await server.serve_forever()
asyncio.run(serve())
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One round of polls.

    Attributes:
        p50_ms: Median.
        p99_ms: 99th percentile.
        answered: Polls with a whole answer of status 200.
    """

    p50_ms: float
    p99_ms: float
    answered: int


def measure(quick: bool) -> Answer:  # noqa: FBT001 -- of the harness
    """Measure both servers in turn."""
    rounds = QUICK_ROUNDS if quick else ROUNDS
    os.sched_setaffinity(0, {_core(_CLIENT)})
    with tempfile.TemporaryDirectory() as folder, StoreProcess(Path(folder) / "data") as store:
        _fill(store)
        with _serving(Path(folder), store) as serving:
            body = _first(PORT)
            before_s, waited_s = _cpu_s(serving), _waited_s(serving)
            ours = asyncio.run(_rounds(PORT, rounds))
            spent_s, waited_s = _cpu_s(serving) - before_s, _waited_s(serving) - waited_s
            with _plain(body):
                _first(FLOOR_PORT)
                before_s = _cpu_s(serving)
                floor = asyncio.run(_rounds(FLOOR_PORT, rounds))
                idle_s = _cpu_s(serving) - before_s
    each_ms = max(0.0, spent_s - idle_s) / (POLLERS * rounds) * 1e3
    p99, plain = median(one.p99_ms for one in ours), median(one.p99_ms for one in floor)
    figures = [
        Figure(name="p50", value=median(one.p50_ms for one in ours), unit="ms"),
        Figure(name="p99", value=p99, unit="ms", note=f"promised below {FLOOR_MS:.0f} ms"),
        Figure(name="answered", value=sum(one.answered for one in ours) / (POLLERS * rounds), unit="ratio"),
        Figure(name="processor", value=each_ms, unit="ms", note="of one answer, less what the service takes unasked"),
        Figure(name="unasked", value=idle_s / (EVERY_S * rounds), unit="ratio", note="of a core, ten targets"),
        Figure(
            name="no core", value=waited_s / (EVERY_S * rounds), unit="ratio", note="of the time, though it had work"
        ),
        Figure(name="floor p50", value=median(one.p50_ms for one in floor), unit="ms"),
        Figure(name="floor p99", value=plain, unit="ms", note="the same bytes from a server that knows nothing"),
        Figure(name="body", value=float(len(body)), unit="bytes"),
    ]
    return Answer(
        benchmark="hints",
        figures=figures,
        ratios={"p99 over promise": p99 / FLOOR_MS, "p99 over floor": p99 / plain},
        setting={"pollers": POLLERS, "every_s": EVERY_S, "rounds": rounds, "targets": TARGETS, "cores": 1},
    )


async def _rounds(port: int, rounds: int) -> list[Round]:
    async with asyncio.TaskGroup() as group:
        began_s = asyncio.get_running_loop().time() + 1.0
        polls = [
            group.create_task(_poller(port, began_s + EVERY_S * at / POLLERS, rounds, at)) for at in range(POLLERS)
        ]
    found = [poll.result() for poll in polls]
    return [_round([one[at] for one in found]) for at in range(rounds)]


def _round(latencies: Sequence[float | None]) -> Round:
    known = sorted(one for one in latencies if one is not None)
    if not known:
        raise RuntimeError("nobody was answered")
    return Round(
        p50_ms=known[rank(P50, len(known)) - 1] * 1e3,
        p99_ms=known[rank(P99, len(known)) - 1] * 1e3,
        answered=len(known),
    )


async def _poller(port: int, due_s: float, rounds: int, number: int) -> list[float | None]:
    """Return the latency of each poll, seconds; None for one that was not answered well."""
    loop = asyncio.get_running_loop()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    question = f"GET /v1/hints/t{number % TARGETS} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    found: list[float | None] = []
    try:
        for at in range(rounds):
            at_s = due_s + at * EVERY_S
            await asyncio.sleep(max(0.0, at_s - loop.time()))
            writer.write(question)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            await reader.readexactly(length)
            found.append(loop.time() - at_s if head.startswith(b"HTTP/1.1 200") else None)
    finally:
        writer.close()
    return found


def _fill(store: StoreProcess) -> None:
    """Let ten targets have been seen for five minutes, and go on so for ten."""
    now_ms = wall_ms()
    times = range(now_ms - 300_000, now_ms + 600_000, 5_000)
    scrapes = [
        EngineSample(ts=ts, endpoint=f"t{n}", replica=f"r{r}", up=1, scrape_us=1, running=8, queued=0,
                     kv_used_ratio=0.3)
        for n in range(TARGETS) for r in range(4) for ts in times
    ]  # fmt: skip
    beats = [
        Heartbeat(
            ts=ts, collector="c", endpoint=f"t{n}", model="", workload_class="", boot=1, watermark=ts, seq_last=0,
            accepted_total=0, stored_total=0, dlq_total=0, spooled=0, dropped_total={}, tee_frames_dropped_total=0,
            unparsed_conns_total=0, arrivals_total=at * 25, first_outputs_total=0, tokens_out_total=0, in_flight=0,
            waiting_first=0, waiting_age_h={}, in_flight_age_h={}, loop_lag_us_max=0, rss_bytes=0, cpu_us_total=0,
            clock_offset_us=0,
        )
        for n in range(TARGETS) for at, ts in enumerate(times)
    ]  # fmt: skip
    writer = store.store("writer")
    writer.insert_samples(scrapes, "bench-scrapes")
    writer.insert_samples(beats, "bench-beats")
    writer.close()


@contextmanager
def _serving(folder: Path, store: StoreProcess) -> Generator["subprocess.Popen[bytes]"]:
    config = {
        "host": "127.0.0.1", "port": PORT, "objectives": [], "ledger": str(folder / "ledger.sqlite"), "replica": "r",
        "store_url": store.url, "reader": "reader", "writer": "writer",
        "reader_password_file": str(store.data / "secrets" / "store_reader"),
        "writer_password_file": str(store.data / "secrets" / "store_writer"),
        "hints": [{"settings": {"target": {"name": f"t{n}"}}, "endpoint": f"t{n}"} for n in range(TARGETS)],
    }  # fmt: skip
    argv = [sys.executable, "-m", "inferometer.serve", "--config", json.dumps(config)]
    with _pinned(argv) as running:
        yield running


def _cpu_s(of: "subprocess.Popen[bytes]") -> float:
    """Return the processor time that a process took so far."""
    fields = Path(f"/proc/{of.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _waited_s(of: "subprocess.Popen[bytes]") -> float:
    """Return for how long the thread that answers could have run, and its core ran something else."""
    return int(Path(f"/proc/{of.pid}/schedstat").read_text().split()[1]) / 1e9


@contextmanager
def _plain(body: bytes) -> Generator[None]:
    with _pinned([sys.executable, "-c", _FLOOR, str(FLOOR_PORT)], body):
        yield


@contextmanager
def _pinned(argv: Sequence[str], told: bytes | None = None) -> Generator["subprocess.Popen[bytes]"]:
    """Run a process on the server's core, and end it."""
    running = subprocess.Popen(argv, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    os.sched_setaffinity(running.pid, {_core(_SERVER)})
    if running.stdin is not None:
        running.stdin.write(told or b"")
        running.stdin.close()
    try:
        yield running
    finally:
        running.kill()
        running.wait()


def _core(number: int) -> int:
    there = sorted(os.sched_getaffinity(os.getppid()))
    return there[number % len(there)]


def _first(port: int) -> bytes:
    """Return the first good answer, however long the server takes to begin."""

    async def ask() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET /v1/hints/t0 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        body = await reader.readexactly(length)
        writer.close()
        return body if head.startswith(b"HTTP/1.1 200") else b""

    for _ in range(_LOOKS):
        try:
            if body := asyncio.run(ask()):
                return body
        except (OSError, asyncio.IncompleteReadError):
            pass
        sleep(0.2)
    raise RuntimeError(f"nobody answers on port {port}")


if __name__ == "__main__":
    main("hints", measure)
