"""Knows how questions and disk use grow with the rows that are stored: `python -m benchmarks.store_scale [--quick]`.

The rows are made by the engine itself in the store's own directory (a month of ten endpoints with three models each,
every view at work, fsync on), because making and sending a hundred million from Python would take an hour; what the
wire costs is `benchmarks.store`'s subject. The questions go through the real store process and client, as a reader's.
Each is asked cold once and then five times; the median of the five is told.

`STORE_SCALE_DATA` names a directory that is kept: a run that was cut short goes on from the rows it finds there.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from statistics import median

from benchmarks.harness import Answer, Figure, main
from benchmarks.store_filler import TENS, load
from benchmarks.store_records import SPAN_MS, records
from inferometer.store_open import opened
from telemetry import queries
from telemetry.clock import wall_ms
from telemetry.queries import Asked, Dim, Metric, Question
from telemetry.queries.bounds import Figure as Of
from telemetry.queries.counted import Clause, Counted, counts
from telemetry.record import RequestBatch, RequestRecord
from telemetry.store import Store
from telemetry.testing.store_process import StoreProcess

QUICK_ROWS, FULL_ROWS = (100_000, 400_000), (1_000_000, 10_000_000, 100_000_000)
"""Rows at which the questions are asked."""
BLOCK_ROWS = 3_300_000
"""Rows of one insert: a day of thirty series has 2.6 M seconds, so fewer make nearly a row of r_1s each."""
DAY_MS = 86_400_000
HOUR_MS = 3_600_000
KEPT_DAYS = 30
PERCENTILES_MS, BURN_MS, REQUEST_MS = 150.0, 5_000.0, 50.0
"""Targets: any percentile panel, burn inputs of 1,000 objectives in 8 windows, one request by its id."""
_PART = "SELECT sum(bytes_on_disk) AS bytes FROM system.parts WHERE active AND database = 'inferometer'"
_BUCKETS = """
INSERT INTO inferometer.slo_minutes (t, slo, group_key, definition_hash, revision, eligible, good, coverage)
SETTINGS insert_deduplication_token = 'slo-{token}'
SELECT
    toDateTime({since_s} + number * 30), concat('slo-', toString({slo})), '', 1, 0, 1000, 999 - rand() % 3, 1
FROM numbers({buckets})
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was measured at one number of rows.

    Attributes:
        rows: Requests stored so far.
        load_rows_per_s: Of the rows made since the last look, views and fsync on.
        bytes_per_request: On disk, every table and roll-up.
        ms: Milliseconds of each question.
    """

    rows: int
    load_rows_per_s: float
    bytes_per_request: float
    ms: dict[str, float]


def measure(quick: bool) -> Answer:  # noqa: FBT001 - the harness hands it over by position
    """Load, ask, load more, ask again."""
    steps, slos = (QUICK_ROWS, 20) if quick else (FULL_ROWS, 1_000)
    with _directory() as data:
        StoreProcess(data).end()  # it makes the tables
        at = _progress(data)
        seen = list(_steps(data, steps, at))
        burn_ms, peak_mib = _burn(data, slos, at.now_ms)
    first, last = seen[0], seen[-1]
    ratios = {
        "bytes_per_request": last.bytes_per_request,
        "percentiles_ms_vs_150": _worst_ms(last) / PERCENTILES_MS,
        "percentiles_growth": _worst_ms(last) / _worst_ms(first),
        "request_by_id_ms_vs_50": last.ms["request by id"] / REQUEST_MS,
        "burn_ms_vs_5000": burn_ms[slos] / BURN_MS,
    }
    setting: dict[str, object] = {"rows": steps, "series": 30, "days": KEPT_DAYS, "objectives": slos}
    figures = [Figure(name=f"burn inputs of {n:,} objectives", value=ms, unit="ms") for n, ms in burn_ms.items()]
    figures.append(Figure(name="peak resident memory of the store", value=peak_mib, unit="MiB"))
    return Answer(benchmark="store_scale", figures=[*_figures(seen), *figures], ratios=ratios, setting=setting)


@contextmanager
def _directory() -> Generator[Path]:
    if kept := os.environ.get("STORE_SCALE_DATA"):
        yield Path(kept)
        return
    with tempfile.TemporaryDirectory() as directory:
        yield Path(directory) / "data"


@dataclass(slots=True, kw_only=True)
class Progress:
    """Where the load stands, in a file beside the store.

    Attributes:
        now_ms: End of the month that the rows are of.
        done: Rows stored.
    """

    now_ms: int
    done: int

    def keep(self, data: Path) -> None:
        """Remember it."""
        _progress_file(data).write_text(json.dumps(asdict(self)))


def _progress(data: Path) -> Progress:
    if (kept := _progress_file(data)).exists():
        return Progress(**json.loads(kept.read_text()))
    return Progress(now_ms=wall_ms() // HOUR_MS * HOUR_MS, done=0)


def _progress_file(data: Path) -> Path:
    return data.parent / f"{data.name}.progress.json"


def _steps(data: Path, steps: tuple[int, ...], at: Progress) -> Iterator[Seen]:
    for rows in [rows for rows in steps if rows >= at.done]:
        before = at.done
        started = time.perf_counter()  # noqa: TID251 - a benchmark is its own clock
        _load(data, rows, at)
        spent_s = time.perf_counter() - started  # noqa: TID251 - a benchmark is its own clock
        with StoreProcess(data) as process:
            ms, on_disk = _ask(process, rows, at.now_ms)
        one = Seen(rows=rows, load_rows_per_s=(rows - before) / spent_s, bytes_per_request=on_disk, ms=ms)
        print(
            *(f"{figure.note}: {figure.name} {figure.value:.1f}" for figure in _figures([one])),
            sep="\n",
            file=sys.stderr,
        )
        yield one


def _load(data: Path, end: int, at: Progress) -> None:
    """Make rows up to `end`: a block is rows of one day, and the days take turns, so that the month fills evenly."""
    with closing(opened(data)) as engine:
        while at.done < end:
            first = at.done
            day_ms = at.now_ms - (1 + first // BLOCK_ROWS % KEPT_DAYS) * DAY_MS
            rows = min(BLOCK_ROWS, end - first)
            engine.execute(load(TENS, first=first, rows=rows, since_ms=day_ms, length_ms=DAY_MS))
            at.done += rows
            at.keep(data)


def _ask(process: StoreProcess, rows: int, now_ms: int) -> tuple[dict[str, float], float]:
    writer, reader = process.store("writer"), process.store("reader")
    made = records(1000, now_ms - SPAN_MS, Random(rows))  # noqa: S311 - the same figures every time
    writer.insert_requests(RequestBatch(collector="bench/one", seqs=tuple(range(1000)), records=made), f"one-{rows}")
    ms = {name: _ms(reader, question) for name, question in _questions(now_ms, made[500]).items()}
    on_disk = float(str(reader.query(Question(sql=_PART))[0]["bytes"])) / rows
    writer.close()
    reader.close()
    return ms, on_disk


def _questions(now_ms: int, one: RequestRecord) -> dict[str, Question]:
    """Return what is asked, by name."""
    found: dict[str, Question] = {}
    for name, hours in (("1 h", 1), ("24 h", 24), ("30 d", 24 * KEPT_DAYS)):
        asked = Asked(since_ms=now_ms - hours * HOUR_MS, until_ms=now_ms, by=(Dim.ENDPOINT,))
        found[f"percentiles by endpoint, {name}"] = queries.percentiles(
            asked, queries.pick(asked, now_ms=now_ms), Metric.TTFT
        )
    found["counts of 100 objectives"] = counts([_within(at) for at in range(100)], now_ms - 60_000, now_ms)
    found["request by id"] = queries.request(one.record_id)
    return found


def _within(at: int) -> Counted:
    """Return one of many objectives: a first output within its own time."""
    good = Clause(sql="if(ttft_s_hi <= $0, 2, 0)", values=(0.1 + at * 0.005,))
    return Counted(name=f"slo-{at}", good=good, figures=(Of.TTFT_S,), needed=(Of.TTFT_S,))


def _burn(data: Path, slos: int, now_ms: int) -> tuple[dict[int, float], int]:
    """Return how long burn inputs take, by number of objectives, and the resident memory of the store then."""
    buckets = KEPT_DAYS * DAY_MS // 30_000
    with closing(opened(data)) as engine:
        for at in range(slos):
            engine.execute(_BUCKETS.format(token=at, slo=at, since_s=now_ms // 1000 - buckets * 30, buckets=buckets))
    ms: dict[int, float] = {}
    with StoreProcess(data) as process:
        reader = process.store("reader")
        for some in (slos // 10, slos):
            names = [f"slo-{at}" for at in range(some)]
            ms[some] = _ms(reader, queries.burn_inputs(now_ms // 1000, objectives=names))
        reader.close()
        status = Path(f"/proc/{process.pid}/status").read_text()
    peak = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return ms, int(peak.split()[1]) // 1024


def _ms(reader: Store, question: Question) -> float:
    """Return the median of five answers after a first one, milliseconds."""
    spent_s: list[float] = []
    for _ in range(6):
        started = time.perf_counter()  # noqa: TID251 - a benchmark is its own clock
        if not reader.query(question):
            raise SystemExit("store_scale: a question without an answer")
        spent_s.append(time.perf_counter() - started)  # noqa: TID251 - a benchmark is its own clock
    return median(spent_s[1:]) * 1000


def _figures(seen: list[Seen]) -> list[Figure]:
    return [
        Figure(name=name, value=value, unit=unit, note=f"{one.rows:,} requests")
        for one in seen
        for name, value, unit in (
            ("load, views and fsync on", one.load_rows_per_s, "rows/s"),
            ("disk, roll-ups included", one.bytes_per_request, "bytes/request"),
            *((name, ms, "ms") for name, ms in one.ms.items()),
        )
    ]


def _worst_ms(seen: Seen) -> float:
    return max(ms for name, ms in seen.ms.items() if name.startswith("percentiles"))


if __name__ == "__main__":
    main("store_scale", measure)
