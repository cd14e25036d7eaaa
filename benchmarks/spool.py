"""Knows how fast records go into the spool and come out of it, beside the durable queue everybody has: SQLite.

Both sides encode the same records to the same payloads and make each group survive a kill -9 when the call returns.
Ours writes a group by one write and syncs in a thread each 100 ms. SQLite runs twice: `full` (WAL, synchronous=FULL, a
commit and so an fsync per group: it promises more) and `normal` (WAL, synchronous=NORMAL, no fsync per group: the same
promise as ours). The raw floor is one write of ready frames with nothing else.

Every figure is the median of the repeats; the CPU is the user and system time of the process, all threads.
"""

import os
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from time import process_time

from benchmarks.harness import Answer, Figure, main
from telemetry.clock import monotonic_ns
from telemetry.record import RequestRecord
from telemetry.shipper import Shipper
from telemetry.spool import Spool
from telemetry.spool_format import FRAME_OVERHEAD_BYTES, encode_frame, scan
from telemetry.spool_record import RequestEncoder, decode_request
from telemetry.testing.memory_store import MemoryStore, sample_request

GROUPS = (1, 16, 256)
NOW_MS = 1_790_000_000_000
Append = Callable[[Sequence[RequestRecord]], None]


def per_s(append: Append, group: Sequence[RequestRecord], rounds: int) -> tuple[float, float]:
    """Return records per second and CPU microseconds per record."""
    append(group)
    cpu, start_ns = process_time(), monotonic_ns()
    for _ in range(rounds):
        append(group)
    n = rounds * len(group)
    return 1e9 * n / (monotonic_ns() - start_ns), 1e6 * (process_time() - cpu) / n


def ours(directory: Path, group: Sequence[RequestRecord], rounds: int) -> tuple[float, float]:
    """Measure our spool."""
    spool = Spool(directory / "spool", node="bench")
    try:
        return per_s(spool.append_requests, group, rounds)
    finally:
        spool.close()


def raw(directory: Path, group: Sequence[RequestRecord], rounds: int) -> tuple[float, float]:
    """Measure the floor: one write of frames that are ready."""
    encoder = RequestEncoder()
    encoded = [encoder.encode(record, NOW_MS) for record in group]
    data = b"".join(encode_frame(1, 1, one.payload) for one in encoded if one is not None)
    fd = os.open(directory / "raw", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    try:
        return per_s(lambda _: _wrote(os.write(fd, data)), group, rounds)
    finally:
        os.close(fd)


def _wrote(_: int) -> None:
    return None


def sqlite(synchronous: str) -> Callable[[Path, Sequence[RequestRecord], int], tuple[float, float]]:
    """Return the measurement of an SQLite table as queue."""

    def measure(directory: Path, group: Sequence[RequestRecord], rounds: int) -> tuple[float, float]:
        db = sqlite3.connect(directory / f"{synchronous}.sqlite", isolation_level=None)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute(f"PRAGMA synchronous={synchronous}")
        db.execute("CREATE TABLE queue (seq INTEGER PRIMARY KEY, payload BLOB)")
        encoder = RequestEncoder()

        def append(records: Sequence[RequestRecord]) -> None:
            encoded = [encoder.encode(record, NOW_MS) for record in records]
            db.execute("BEGIN")
            db.executemany("INSERT INTO queue (payload) VALUES (?)", [(e.payload,) for e in encoded if e is not None])
            db.execute("COMMIT")

        try:
            return per_s(append, group, rounds)
        finally:
            db.close()

    return measure


PEERS = {"ours": ours, "sqlite_full": sqlite("FULL"), "sqlite_normal": sqlite("NORMAL"), "raw_write": raw}


def appends(repeats: int, records_n: int) -> tuple[list[Figure], dict[str, float | None]]:
    """Measure every peer at every group size, the peers in turn within each repeat."""
    figures: list[Figure] = []
    ratios: dict[str, float | None] = {}
    for size in GROUPS:
        group = [sample_request(n) for n in range(size)]
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in PEERS}
        for _ in range(repeats):
            for name, measure in PEERS.items():
                with tempfile.TemporaryDirectory() as directory:
                    few = 20 if name == "sqlite_full" else 1
                    found[name].append(measure(Path(directory), group, max(20, records_n // size // few)))
        rates = {name: median(rate for rate, _ in runs) for name, runs in found.items()}
        for name, runs in found.items():
            figures.append(Figure(name=f"{name} group {size}", value=rates[name], unit="records/s"))
            figures.append(Figure(name=f"{name} group {size} CPU", value=median(c for _, c in runs), unit="us/record"))
        ratios[f"append_vs_sqlite_full_group_{size}"] = rates["ours"] / rates["sqlite_full"]
        ratios[f"append_vs_sqlite_normal_group_{size}"] = rates["ours"] / rates["sqlite_normal"]
    return figures, ratios


def parts(repeats: int, records_n: int) -> list[Figure]:
    """Measure the steps apart: encode, frame, decode, scan."""
    encoder, record = RequestEncoder(), sample_request(1)
    encoded = encoder.encode(record, NOW_MS)
    assert encoded is not None  # noqa: S101  # the sample is sound
    payload = encoded.payload
    log = b"".join(encode_frame(n, 1, payload) for n in range(records_n))
    steps: dict[str, Callable[[], object]] = {
        "encode and check": lambda: encoder.encode(record, NOW_MS),
        "frame": lambda: encode_frame(1, 1, payload),
        "decode": lambda: decode_request(payload),
    }
    figures = [Figure(name=n, value=_us(step, repeats, records_n), unit="us/record") for n, step in steps.items()]
    scan_us = _us(lambda: sum(1 for _ in scan(log, 0)), repeats, 1)
    figures.append(Figure(name="scan", value=len(log) / scan_us * 1e6 / 2**20, unit="MiB/s"))
    size = float(len(payload) + FRAME_OVERHEAD_BYTES)
    return [*figures, Figure(name="record on disk", value=size, unit="bytes", note="frame included")]


def _us(step: Callable[[], object], repeats: int, n: int) -> float:
    runs: list[float] = []
    for _ in range(repeats):
        start_ns = monotonic_ns()
        for _ in range(n):
            step()
        runs.append((monotonic_ns() - start_ns) / n / 1000)
    return median(runs)


def replay(records_n: int) -> Figure:
    """Measure how fast a backlog on disk goes into a store that answers at once."""
    group = [sample_request(n) for n in range(256)]
    with tempfile.TemporaryDirectory() as directory:
        spool = Spool(Path(directory), node="bench")
        for _ in range(records_n // len(group)):
            spool.append_requests(group)
        spool.close()
        again = Spool(Path(directory), node="bench")
        shipper = Shipper(again, MemoryStore())
        start_ns = monotonic_ns()
        shipper.start()
        left = shipper.stop(deadline_s=120)
        seconds = (monotonic_ns() - start_ns) / 1e9
        again.close()
    rate = (records_n // len(group) * len(group) - left) / seconds
    return Figure(
        name="replay of a backlog", value=rate, unit="records/s", note="recovery, read, freeze, ack; no store"
    )


def measure(quick: bool) -> Answer:  # noqa: FBT001  # the harness hands it over
    """Measure everything."""
    repeats, records_n = (3, 20_000) if quick else (7, 100_000)
    figures, ratios = appends(repeats, records_n)
    figures += parts(repeats, records_n // 2)
    figures.append(replay(5 * records_n))
    setting = {"repeats": repeats, "records": records_n, "cores": os.cpu_count(), "directory": tempfile.gettempdir()}
    return Answer(benchmark="spool", figures=figures, ratios=ratios, setting=setting)


if __name__ == "__main__":
    main("spool", measure)
