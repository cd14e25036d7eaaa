"""Knows a fleet whose month is stored, and how that store is kept up to the present; refuses to know who looks at it.

A fleet of 50 endpoints: the busiest has a seventh of the requests, the quietest a hundredth, and three of a hundred
requests end otherwise than well. Every second each endpoint has a heartbeat, every five seconds its engine and its GPU
a sample. Of a month of requests a store holds the last 14 days as rows, the last 3 in `r_1s`, all in `r_1m` and `r_1h`.

The store's own engine makes the last day, every view at work, and the heartbeats and samples of 14 days. Each day of
requests before it is the same day again, set back: rows through a table without views whose parts are then taken over,
`r_1s` for two days and `r_1m` for the rest, from which hours follow by their view. To make each day anew takes two
minutes of a core for 3.3 million requests, half of it for days that no table keeps; how much is stored, in how many
parts and in which order, and so what a question costs, is the same. A store is kept; each run adds what happened since.

Source: spec/store.md 2.1, 3, 4.1 (tables and for how long they are kept); benchmarks/store_scale.py, its twin.
"""

import json
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.store_filler import Mix, load
from inferometer.store_engine import Engine
from inferometer.store_open import opened
from telemetry.clock import wall_ms

FOLDER = Path(__file__).parent / "results" / "ui"
"""Where stores are kept; git ignores it."""
DAY_MS, HOUR_MS = 86_400_000, 3_600_000
MODELS = 4
SAMPLE_S = 5
"""Time between two samples of an engine or a GPU."""
RAW_DAYS = 14
"""Days for which rows, heartbeats and samples are kept."""
_DRAWN = "rand(4) % 1000"
_OUTCOME = (
    f"multiIf({_DRAWN} < 970, 'ok', {_DRAWN} < 985, 'client_cancelled', {_DRAWN} < 990, 'server_error',"
    f" {_DRAWN} < 995, 'stream_error', 'overloaded')"
)
_SILENT = "ended IN ('server_error', 'overloaded') OR (ended = 'client_cancelled' AND rand(11) % 2 = 0)"
_OF = "concat('endpoint-', leftPad(toString({at}), 2, '0')) AS endpoint, concat('model-', toString({at} % {models}))"
_BEATS = """
INSERT INTO inferometer.heartbeats
(
    ts, collector, endpoint, model, workload_class, boot, watermark, seq_last, accepted_total, stored_total,
    arrivals_total, first_outputs_total, tokens_out_total, in_flight, waiting_first, loop_lag_us_max, rss_bytes,
    cpu_us_total
)
SETTINGS insert_deduplication_token = 'beats-{since_ms}', max_insert_block_size = {rows},
    min_insert_block_size_rows = {rows}, min_insert_block_size_bytes = 0
SELECT
    fromUnixTimestamp64Milli(toInt64({since_ms} + intDiv(number, {endpoints}) * 1000)) AS ts,
    concat('node-', toString(at % 4), '/00000001'), {of}, '', 1, ts - 1, total, total, total, total, total, 200 * total,
    3 + rand(1) % 9, rand(2) % 4, rand(3) % 900, 67108864, 1000 * total
FROM
(
    SELECT
        number,
        number % {endpoints} AS at,
        toUInt64(intDiv({since_ms} - 1700000000000 + intDiv(number, {endpoints}) * 1000, 1000) * {rate_per_s}
            * (sqrt((at + 1) / {endpoints}) - sqrt(at / {endpoints}))) AS total
    FROM numbers({rows})
)
"""
_ENGINES = """
INSERT INTO inferometer.engine_metrics
(
    ts, endpoint, model, replica, engine, up, scrape_us, running, queued, queued_capacity, queued_deferred,
    kv_used_ratio, kv_used_ratio_max, prompt_tokens_total, generation_tokens_total, preemptions_total,
    prefix_hits_total, prefix_queries_total, rejections_total
)
SETTINGS insert_deduplication_token = 'engines-{since_ms}', max_insert_block_size = {rows},
    min_insert_block_size_rows = {rows}, min_insert_block_size_bytes = 0
SELECT
    fromUnixTimestamp64Milli(toInt64({since_ms} + intDiv(number, {endpoints}) * 1000 * {every_s})), {of},
    '10.0.0.1:8000', 'vllm', 1, 2000 + rand(1) % 900, 8 + rand(2) % 40, rand(3) % 6, 0, 0, rand(4) % 80 / 100,
    rand(4) % 80 / 100 + 0.1, 30000 * n, 4000 * n, intDiv(n, 40), 9000 * n, 30000 * n, 0
FROM
(
    SELECT number, number % {endpoints} AS at,
        toUInt64(intDiv({since_ms} - 1700000000000, 1000 * {every_s}) + intDiv(number, {endpoints})) AS n
    FROM numbers({rows})
)
"""
_GPUS = """
INSERT INTO inferometer.gpu_samples
(
    ts, node, gpu_uuid, gpu_name, endpoint, replica, gpu_index, gpu_util_ratio, mem_busy_ratio, sm_ratio, tensor_ratio,
    mem_used_bytes, mem_total_bytes, power_w, power_limit_w, temp_c, sm_mhz, sm_max_mhz, throttle_bits
)
SETTINGS insert_deduplication_token = 'gpus-{since_ms}', max_insert_block_size = {rows},
    min_insert_block_size_rows = {rows}, min_insert_block_size_bytes = 0
SELECT
    fromUnixTimestamp64Milli(toInt64({since_ms} + intDiv(number, {endpoints}) * 1000 * {every_s})),
    concat('node-', toString(at % 4)), concat('GPU-', toString(at)), 'H100', endpoint, '10.0.0.1:8000', at % 8, 0.98,
    0.6, 0.4 + rand(1) % 40 / 100, 0.2 + rand(2) % 20 / 100, 75161927680, 85899345920, 500 + rand(3) % 60, 700, 61,
    1755, 1980, 0
FROM
(
    SELECT number, number % {endpoints} AS at, concat('endpoint-', leftPad(toString(at), 2, '0')) AS endpoint
    FROM numbers({rows})
)
"""


_TWIN = "copied_requests"
"""A table like `requests` that no view reads."""
_SAME_ROWS = """
INSERT INTO inferometer.{twin}
SELECT * REPLACE (
    requests.ended_at - INTERVAL {days} DAY AS ended_at, requests.ended_at - INTERVAL {days} DAY AS ingested_at
)
FROM inferometer.requests
WHERE requests.ended_at >= toDateTime({since_s}) AND requests.ended_at < toDateTime({until_s})
"""
_SAME_STEPS = """
INSERT INTO inferometer.{table}
SETTINGS insert_deduplication_token = '{table}-{days}'
SELECT * REPLACE ({table}.t - INTERVAL {days} DAY AS t)
FROM inferometer.{table}
WHERE {table}.t >= toDateTime({since_s}) AND {table}.t < toDateTime({until_s})
"""
SECONDS_DAYS = 3
"""Days for which `r_1s` is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """What happens in a store.

    Attributes:
        name: Of its folder.
        endpoints: How many.
        requests: How many in the whole time.
        length_ms: The time.
    """

    name: str
    endpoints: int
    requests: int
    length_ms: int

    @property
    def rate_per_s(self) -> float:
        """Requests of all endpoints together."""
        return self.requests / self.length_ms * 1000

    @property
    def mix(self) -> Mix:
        """What its requests are like."""
        at = f"least(toUInt32({self.endpoints} * pow(rand(12) / 4294967296, 2)), {self.endpoints - 1})"
        return Mix(
            endpoint=f"concat('endpoint-', leftPad(toString({at}), 2, '0'))",
            model=f"concat('model-', toString({at} % {MODELS}))",
            outcome=_OUTCOME,
            silent=_SILENT,
        )


DEMO = Fleet(name="demo", endpoints=2, requests=36_000, length_ms=2 * HOUR_MS)
"""As much as `inferometer demo` has after two hours: five requests a second."""
QUICK = Fleet(name="10m", endpoints=50, requests=10_000_000, length_ms=30 * DAY_MS)
FULL = Fleet(name="100m", endpoints=50, requests=100_000_000, length_ms=30 * DAY_MS)


@dataclass(slots=True, kw_only=True)
class Progress:
    """How far a store is filled, in a file beside it.

    Attributes:
        end_ms: End of the day that the others are copies of, unix milliseconds, the end of an hour.
        until_ms: Everything from then on and before this is stored; 0 until that day is.
        requests: Requests made so far.
        days: Days of requests before it that are copied.
        side_days: Days of heartbeats and samples before `end_ms`.
    """

    end_ms: int
    until_ms: int = 0
    requests: int = 0
    days: int = 0
    side_days: int = 0


def data(fleet: Fleet) -> Path:
    """Return the directory of a fleet's store."""
    return FOLDER / fleet.name / "store"


def filled(fleet: Fleet, steps_max: int = 1_000) -> int:
    """Fill a fleet's store up to the present; returns the requests that were ever put into it.

    Args:
        fleet: What happens in it.
        steps_max: Steps to make, of a day each; the next call goes on from there.
    """
    folder = data(fleet)
    folder.parent.mkdir(parents=True, exist_ok=True)
    kept = folder.parent / "progress.json"
    at = Progress(end_ms=wall_ms() // HOUR_MS * HOUR_MS)
    if kept.exists():
        at = Progress(**json.loads(kept.read_text()))
    with closing(opened(folder)) as engine:
        filling = _Filling(fleet, engine, at)
        while steps_max > 0 and filling.step():
            steps_max -= 1
            kept.write_text(json.dumps(asdict(at)))
    return at.requests


class _Filling:
    """What is to be done in a store, step by step."""

    def __init__(self, fleet: Fleet, engine: Engine, at: Progress) -> None:
        self._fleet, self._engine, self._at = fleet, engine, at
        self._days = fleet.length_ms // DAY_MS

    def step(self) -> bool:
        """Do what is next; returns whether there was something."""
        at, now_ms = self._at, wall_ms() // 1000 * 1000
        if not at.until_ms:
            length_ms = min(self._fleet.length_ms, DAY_MS)
            self._make(at.end_ms - length_ms, length_ms)
            at.until_ms = at.end_ms
        elif at.side_days < min(self._days, RAW_DAYS):
            at.side_days += 1
            self._beside(at.end_ms - at.side_days * DAY_MS, DAY_MS)
        elif at.days < self._days - 1:
            at.days += 1
            self._copy(at.days)
        elif at.until_ms < now_ms:
            length_ms = min(DAY_MS, now_ms - at.until_ms)
            self._make(at.until_ms, length_ms)
            self._beside(at.until_ms, length_ms)
            at.until_ms += length_ms
        else:
            return False
        return True

    def _make(self, since_ms: int, length_ms: int) -> None:
        rows = max(1, round(self._fleet.rate_per_s * length_ms / 1000))
        first = self._at.requests
        self._engine.execute(load(self._fleet.mix, first=first, rows=rows, since_ms=since_ms, length_ms=length_ms))
        if not self._days:
            self._beside(since_ms, length_ms)
        self._at.requests += rows

    def _copy(self, days: int) -> None:
        """Let the last day have happened so many days before, too."""
        since_s, until_s = (self._at.end_ms - DAY_MS) // 1000, self._at.end_ms // 1000
        if days < RAW_DAYS:
            self._engine.execute(f"DROP TABLE IF EXISTS inferometer.{_TWIN}")
            self._engine.execute(f"CREATE TABLE inferometer.{_TWIN} AS inferometer.requests")
            self._engine.execute(_SAME_ROWS.format(twin=_TWIN, days=days, since_s=since_s, until_s=until_s))
            for at_s in range((since_s - days * 86_400) // 86_400, -(-(until_s - days * 86_400) // 86_400)):
                self._engine.execute(
                    f"ALTER TABLE inferometer.requests ATTACH PARTITION ID '{_day(at_s)}' FROM inferometer.{_TWIN}"
                )
            self._engine.execute(f"DROP TABLE inferometer.{_TWIN}")
        table = "r_1s" if days < SECONDS_DAYS else "r_1m"
        self._engine.execute(_SAME_STEPS.format(table=table, days=days, since_s=since_s, until_s=until_s))
        self._at.requests += round(self._fleet.rate_per_s * 86_400)

    def _beside(self, since_ms: int, length_ms: int) -> None:
        for statement in _sides(self._fleet, since_ms, length_ms):
            self._engine.execute(statement)


def _day(days: int) -> str:
    """Return the id of a day's partition: YYYYMMDD."""
    return f"{datetime.fromtimestamp(days * 86_400, UTC):%Y%m%d}"


def _sides(fleet: Fleet, since_ms: int, length_ms: int) -> list[str]:
    """Return the statements that make heartbeats and samples."""
    found: list[str] = []
    for text, every_s in ((_BEATS, 1), (_ENGINES, SAMPLE_S), (_GPUS, SAMPLE_S)):
        steps = length_ms // (1000 * every_s)
        if steps:
            found.append(
                text.format(
                    since_ms=since_ms,
                    rows=steps * fleet.endpoints,
                    endpoints=fleet.endpoints,
                    every_s=every_s,
                    rate_per_s=fleet.rate_per_s,
                    of=_OF.format(at="at", models=MODELS),
                )
            )
    return found
