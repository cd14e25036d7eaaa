"""Knows what storing requests costs: over HTTP through our client, and in process with no wire as the floor.

One client inserts into one embedded store on this machine; both share its cores with whatever else runs, so figures of
time are best and median of many inserts. The floor is the same blocks given to chDB in this process, with the same
tables, views and table settings (fsync on).
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from statistics import median, quantiles
from typing import Any, cast

import msgspec
from clickhouse_connect.datatypes.registry import get_from_name
from clickhouse_connect.driver.insert import InsertContext
from clickhouse_connect.driver.transform import NativeTransform

from benchmarks.harness import Answer, Figure, main
from benchmarks.store_records import SPAN_MS, records
from telemetry import queries, schema
from telemetry.clock import wall_ms
from telemetry.record import RequestBatch, RequestRecord
from telemetry.store import Store, encode_requests
from telemetry.testing.store_process import StoreProcess

LARGE, SMALL = 20_000, 5_000
GOAL_ROWS_PER_S, FLOOR_ROWS_PER_S = 120_000, 60_000
"""spec/store.md 14."""
P99_MS_TARGET, DISK_BYTES_GOAL = 150.0, 60.0
_ON_DISK = queries.Question(
    sql="SELECT sum(bytes_on_disk) AS bytes FROM system.parts WHERE active AND database = 'inferometer'"
)


class Run:
    """Batches with ever new sequence numbers and tokens, over records that were made once."""

    def __init__(self, made: Sequence[tuple[RequestRecord, ...]]) -> None:
        """Keep the records."""
        self._made, self._next = made, 0

    def batch(self, rows: int) -> RequestBatch:
        """Return the next batch."""
        first = self._next
        self._next += rows
        chosen = self._made[first // LARGE % len(self._made)][:rows]
        return RequestBatch(collector="bench/00000000", seqs=tuple(range(first, first + rows)), records=chosen)


def measure(quick: bool) -> Answer:  # noqa: FBT001 - the harness hands it over by position
    """Run the store, then the floor."""
    n_batches, n_small, n_large = (3, 40, 8) if quick else (25, 300, 60)
    random = Random(1)  # noqa: S311 - the same figures every time
    start_ms = wall_ms() - SPAN_MS
    run = Run([records(LARGE, start_ms, random) for _ in range(n_batches)])
    with tempfile.TemporaryDirectory() as directory:
        with StoreProcess(Path(directory) / "data") as process:
            http = _over_http(process, run, (n_batches, n_small, n_large), start_ms)
        floor = _in_process(Path(directory) / "floor", run, n_large)
    ratios = {
        "rows_per_s_vs_in_process": http["rows_per_s"] / floor,
        "rows_per_s_vs_floor_60k": http["rows_per_s"] / FLOOR_ROWS_PER_S,
        "rows_per_s_vs_goal_120k": http["rows_per_s"] / GOAL_ROWS_PER_S,
        "insert_5000_p99_vs_150_ms": http["small_p99_ms"] / P99_MS_TARGET,
        "ingest_rows_per_s": http["rows_per_s"],
        "bytes_per_request": http["disk"],
        "bytes_per_request_vs_60": http["disk"] / DISK_BYTES_GOAL,
    }
    setting = {"rows_per_batch": [SMALL, LARGE], "inserts": [n_small, n_batches + n_large], "fsync": True}
    return Answer(benchmark="store", figures=_figures(http, floor, run), ratios=ratios, setting=setting)


def _over_http(process: StoreProcess, run: Run, counts: tuple[int, int, int], start_ms: int) -> dict[str, float]:
    n_batches, n_small, n_large = counts
    writer, reader = process.store("writer"), process.store("reader")
    writer.ping()
    for _ in range(n_batches):
        _insert(writer, run.batch(LARGE))
    on_disk = float(str(reader.query(_ON_DISK)[0]["bytes"])) / (n_batches * LARGE)
    question = queries.report(start_ms, start_ms + 2 * SPAN_MS)  # so far few enough rows for an exact one
    report_ms = [1000 * _timed(lambda: reader.query(question)) for _ in range(5)]
    large_s = [_insert(writer, run.batch(LARGE)) for _ in range(n_large)]
    small_ms = [1000 * _insert(writer, run.batch(SMALL)) for _ in range(n_small)]
    both_s = _timed(lambda: _insert_from_two_threads(process, run, n_large))
    writer.close()
    reader.close()
    return {
        "rows_per_s": LARGE / median(large_s),
        "best_rows_per_s": LARGE / min(large_s),
        "two_rows_per_s": 2 * n_large * LARGE / both_s,
        "small_p50_ms": median(small_ms),
        "small_p99_ms": quantiles(small_ms, n=100, method="inclusive")[98],
        "disk": on_disk,
        "report_ms": median(report_ms),
        "rows": float(n_batches * LARGE),
        "rss_mib": float(process.rss_mib),
    }


def _insert_from_two_threads(process: StoreProcess, run: Run, n_large: int) -> None:
    """Let one client encode while the store works for the other."""
    shares = [[run.batch(LARGE) for _ in range(n_large)] for _ in range(2)]
    writer = process.store("writer")

    def work(share: list[RequestBatch]) -> None:
        for batch in share:
            _insert(writer, batch)
        writer.close()

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(work, shares))


def _insert(writer: Store, batch: RequestBatch) -> float:
    return _timed(lambda: writer.insert_requests(batch, f"bench-{batch.seqs[0]}"))


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()  # noqa: TID251 - a benchmark is its own clock
    work()
    return time.perf_counter() - started  # noqa: TID251 - a benchmark is its own clock


def _in_process(path: Path, run: Run, n_large: int) -> float:
    """Rows/s of chDB alone: blocks that are encoded already, no wire, no other process."""
    import chdb  # noqa: PLC0415 - it brings 200 MB, which the run over HTTP must not feel

    engine: Any = cast("Any", chdb).connect(str(path))
    for statement in schema.statements():
        engine.query(statement)
    names = ", ".join(column.name for column in schema.REQUESTS.insert_columns)

    def insert(block: bytes, token: int) -> None:
        settings = (
            f"SETTINGS insert_deduplication_token = '{token}', async_insert = 0, "
            "deduplicate_blocks_in_dependent_materialized_views = 1"
        )
        inserter = engine.send_insert(f"INSERT INTO inferometer.requests ({names}) {settings}", "Native")
        inserter.append(block)
        inserter.finish()

    spent_s: list[float] = []
    for number in range(n_large):
        block = encode_requests(run.batch(LARGE))
        spent_s.append(_timed(lambda block=block, number=number: insert(block, number)))
    engine.close()
    return LARGE / median(spent_s)


def _figures(http: dict[str, float], floor: float, run: Run) -> list[Figure]:
    batch = run.batch(LARGE)
    ours, theirs = (_us_per_row(encode) for encode in (encode_requests, _encoded_by_clickhouse_connect))
    return [
        Figure(name="ingest over HTTP", value=http["rows_per_s"], unit="rows/s", note="batches of 20,000, median"),
        Figure(name="ingest over HTTP, best", value=http["best_rows_per_s"], unit="rows/s", note="least disturbed"),
        Figure(
            name="ingest over HTTP, two threads", value=http["two_rows_per_s"], unit="rows/s", note="with connecting"
        ),
        Figure(name="chDB in process, blocks ready", value=floor, unit="rows/s", note="floor: no encoding, no wire"),
        Figure(name="insert of 5,000 rows p50", value=http["small_p50_ms"], unit="ms"),
        Figure(name="insert of 5,000 rows p99", value=http["small_p99_ms"], unit="ms"),
        Figure(name="encoding, ours", value=ours(batch), unit="us/row", note="CPU, best of 5"),
        Figure(name="encoding, clickhouse-connect", value=theirs(batch), unit="us/row", note="CPU, best of 5"),
        Figure(name="size on the wire", value=len(encode_requests(batch)) / LARGE, unit="bytes/row"),
        Figure(
            name="size on disk", value=http["disk"], unit="bytes/request", note="distinct records, roll-ups included"
        ),
        Figure(name="report", value=http["report_ms"], unit="ms", note=f"median over {http['rows']:,.0f} rows"),
        Figure(name="RSS of an idle store", value=http["rss_mib"], unit="MiB"),
    ]


def _us_per_row(encode: Callable[[RequestBatch], bytes]) -> Callable[[RequestBatch], float]:
    def spent(batch: RequestBatch) -> float:
        best_s = float("inf")
        for _ in range(5):
            started = time.thread_time()
            encode(batch)
            best_s = min(best_s, time.thread_time() - started)
        return best_s / len(batch.records) * 1e6

    return spent


def _encoded_by_clickhouse_connect(batch: RequestBatch) -> bytes:
    names = [column.name for column in schema.REQUESTS.insert_columns]
    rows = [msgspec.structs.astuple(record) for record in batch.records]
    columns: dict[str, Sequence[object]] = dict(
        zip(RequestRecord.__struct_fields__, map(list, zip(*rows, strict=True)), strict=True)
    )
    columns |= {"collector": [batch.collector] * len(rows), "seq": list(batch.seqs)}
    types = [get_from_name(column.type) for column in schema.REQUESTS.insert_columns]
    context: Any = InsertContext("requests", names, types, data=[columns[name] for name in names], column_oriented=True)
    return b"".join(NativeTransform.build_insert(context))


if __name__ == "__main__":
    main("store", measure)
