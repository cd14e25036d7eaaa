"""Knows how an instant of the SLO engine grows with its objectives: `python -m benchmarks.slo_scale [--quick]`.

Ten, a hundred and a thousand objectives over a real store process, engine and store together on one core. The store
holds a month of buckets of each objective (made by the store's own engine: a month of requests would take days), and
in each half minute that is evaluated a thousand requests of ten endpoints end, in the real way. The objectives differ
in endpoint, threshold and form of expression, and have the nine windows of the default catalogue for 30 days.

An instant is one `Engine.step`. Its parts are timed apart: `counting` requests into buckets, the `windows` question,
the `recent` buckets, who is `heard` (coverage, in flight, probes), `evaluation`, `alarms`, `ledger` and `transitions`.
Calm instants come first; then every request fails, and every objective fires at once. The first instant, and then one
an hour, also looks up what past weeks lead to expect.

The floor is what the store alone needs to count and to sum: the text of those two questions, sent again, the answers
left undecoded.
"""

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from uuid import UUID

import msgspec

from benchmarks.harness import Answer, Figure, main
from inferometer.store_open import opened
from slo.alert_moves import AlertState
from slo.engine import Engine, Reach
from slo.expression import parse
from slo.ledger import Ledger
from slo.objective import DAY_S, Indicator, Objective, Rolling, counted
from slo.reader import Reader
from slo.watched import Watched, watched
from slo.windows import BUCKET_S
from telemetry import queries
from telemetry.clock import wall_ms
from telemetry.outcome import Eligibility, Outcome
from telemetry.queries import Dim
from telemetry.queries.burn import BURN_WINDOWS_S
from telemetry.queries.counted import counts
from telemetry.record import RequestBatch, RequestRecord
from telemetry.samples import Heartbeat
from telemetry.store import Store
from telemetry.testing.memory_store import sample_request
from telemetry.testing.store_process import StoreProcess

OBJECTIVES = (10, 100, 1_000)
"""Objectives at which an instant is timed."""
KEPT_DAYS, QUICK_DAYS = 30, 1
"""Days of buckets in the store."""
CALM, STORM = 6, 5
"""Instants of each kind; the first of each is no part of the median."""
STEP_S = 15.0
"""The target: 1,000 objectives in 8 windows every 15 s."""
ENDPOINTS, REQUESTS = 10, 100
"""Endpoints, and requests of each that end in half a minute."""
WINDOWS_S = (60, *BURN_WINDOWS_S)
"""Windows of the catalogue for 30 days, that of the outage rule, and the period."""
LOAD_OBJECTIVES = 10
FORMS = (
    "ok",
    "ok and ttft_s <= {fast}",
    "ok and ttft_s <= {fast} and tpot_s <= {pace}",
    "complete and e2e_s <= {slow}",
    "ok and (ttft_s <= {fast} or tokens_in > {prompt})",
)
"""What the objectives ask, by turns; thresholds differ from one to the next."""
TARGETS = (0.99, 0.995, 0.999)
PARTS = ("counting", "windows", "recent", "heard", "evaluation", "alarms", "ledger", "transitions")
READ = {
    "coverage": "heard",
    "heard": "heard",
    "probes": "heard",
    "windows": "windows",
    "buckets": "recent",
    "keep_transitions": "transitions",
}
"""Questions of the reader, by method, and the part they belong to."""
STEPS = {"_found": "evaluation", "_keep": "kept"}
"""Steps of the engine, by method; what it keeps is alarms, ledger and transitions."""
_BUCKETS = """
INSERT INTO inferometer.slo_minutes (t, slo, group_key, definition_hash, revision, eligible, good, bad, coverage)
SETTINGS insert_deduplication_token = 'slo-scale-{token}'
SELECT
    toDateTime({since_s} + number % {buckets} * 30), names[1 + intDiv(number, {buckets})] AS slo,
    groups[1 + intDiv(number, {buckets})], hashes[1 + intDiv(number, {buckets})], 0, 100,
    if(rand() % 50 = 0, 99, 100) AS good, if(good < 100, map('server_error', 1), map()), NULL
FROM (SELECT number, {names} AS names, {groups} AS groups, {hashes} AS hashes FROM numbers({rows}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was measured at one number of objectives.

    Attributes:
        objectives: How many.
        calm: Seconds of an instant, whole and by part.
        storm: The same while every objective fires.
        floor_s: Seconds of the two large questions alone.
        engine_mib: Peak resident memory of this process so far.
        store_mib: Peak resident memory of the store.
    """

    objectives: int
    calm: Mapping[str, float]
    storm: Mapping[str, float]
    floor_s: float
    engine_mib: float
    store_mib: float


class Parts:
    """A stop watch with a hand for each part."""

    def __init__(self) -> None:
        """Start at nothing."""
        self.spent_s: dict[str, float] = dict.fromkeys((*PARTS, "kept"), 0.0)

    def watch(self, owner: object, method: str, part: str) -> None:
        """Add the time of every call of a method of one object to a part."""
        inner: Callable[..., object] = getattr(owner, method)

        def timed(*args: object, **named: object) -> object:
            started = time.perf_counter()  # noqa: TID251 - a benchmark is its own clock
            try:
                return inner(*args, **named)
            finally:
                self.spent_s[part] += time.perf_counter() - started  # noqa: TID251 - a benchmark is its own clock

        setattr(owner, method, timed)

    def take(self) -> dict[str, float]:
        """Return what was spent since the last time, by part."""
        spent_s, self.spent_s = self.spent_s, dict.fromkeys(self.spent_s, 0.0)
        kept_s = spent_s.pop("kept")
        return spent_s | {"alarms": kept_s - spent_s["ledger"] - spent_s["transitions"]}


class Bench:
    """One store, time that the benchmark makes, and requests that end in it."""

    def __init__(self, data: Path, days: int) -> None:
        """Begin now; time then runs ahead of the store's clock, so that no request seems to have come late."""
        self.data, self.days, self._n = data, days, 0
        self.now_s = wall_ms() // 1000 // BUCKET_S * BUCKET_S
        StoreProcess(data).end()  # it makes the tables

    def seen(self, some: Sequence[Watched], before: int) -> Seen:
        """Fill the store up to now with the buckets of those objectives that are new, and time the engine."""
        # In a process of its own: the store's engine would stay in the memory of this one.
        new, since_s = some[before:], self.now_s - self.days * DAY_S
        loading = get_context("spawn").Process(target=_load, args=(self.data, new, since_s, self.now_s))
        loading.start()
        loading.join()
        if loading.exitcode:
            raise SystemExit("slo_scale: the buckets were not made")
        with StoreProcess(self.data) as process, closing(process.store("writer")) as self._writer:
            with closing(process.store("reader")) as reader, closing(Ledger(self._ledger(len(some)))) as ledger:
                parts = Parts()
                engine = self._engine(some, Reader(reader, self._writer, some, "bench"), ledger, parts)
                calm = self._instants(engine, parts, CALM, bad=0)
                storm = self._instants(engine, parts, STORM, bad=REQUESTS)
                _expect_storm(engine, len(some))
                floor_s = self._floor_s(some, reader)
            return Seen(
                objectives=len(some),
                calm=calm,
                storm=storm,
                floor_s=floor_s,
                engine_mib=_peak_mib("self"),
                store_mib=_peak_mib(str(process.pid)),
            )

    def _ledger(self, objectives: int) -> Path:
        return self.data.parent / f"slo-{objectives}.sqlite"

    def _engine(self, some: Sequence[Watched], reader: Reader, ledger: Ledger, parts: Parts) -> Engine:
        reach = Reach(channels=lambda notices: {"bench": notices} if notices else {})
        engine = Engine(some, reader, ledger, reach, (self.now_s, self.now_s))
        for method, part in READ.items():
            parts.watch(reader, method, part)
        for method, part in STEPS.items():
            parts.watch(engine, method, part)
        parts.watch(engine._counting, "reach", "counting")  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] -- a hand of the watch
        parts.watch(ledger, "save", "ledger")
        return engine

    def _instants(self, engine: Engine, parts: Parts, n: int, bad: int) -> dict[str, float]:
        """Return the median instant, whole and by part, and apart from it the first."""
        seen: list[dict[str, float]] = []
        for _ in range(n):
            self._live(bad)
            parts.take()
            started = time.perf_counter()  # noqa: TID251 - a benchmark is its own clock
            if engine.step(self.now_s, self.now_s) != 1 or engine.view.blind_cause:
                raise SystemExit(f"slo_scale: an instant is missing or blind ({engine.view.blind_cause})")
            whole_s = time.perf_counter() - started  # noqa: TID251 - a benchmark is its own clock
            seen.append(parts.take() | {"whole": whole_s})
        return {name: median(one[name] for one in seen[1:]) for name in seen[0]} | {"first": seen[0]["whole"]}

    def _live(self, bad: int) -> None:
        """Let half a minute pass, in which requests end and collectors are heard."""
        self.now_s += BUCKET_S
        for at in range(ENDPOINTS):
            name, first = f"bench/{at}", self._n
            records = tuple(_request(first + n, at, self.now_s, is_bad=n < bad) for n in range(REQUESTS))
            self._n += REQUESTS
            batch = RequestBatch(collector=name, seqs=tuple(range(first, self._n)), records=records)
            self._writer.insert_requests(batch, f"{name}-{first}")
        beats = [_beat(at, self.now_s, self._n) for at in range(ENDPOINTS)]
        self._writer.insert_samples(beats, f"beats-{self.now_s}")

    def _floor_s(self, some: Sequence[Watched], reader: Store) -> float:
        at_s = self.now_s
        names = [one.objective.name for one in some]
        of = counted([one.objective for one in some])
        asked = (counts(of, (at_s - BUCKET_S) * 1000, at_s * 1000), queries.burn_inputs(at_s, WINDOWS_S, names))
        spent_s: list[float] = []
        for _ in range(4):
            started = time.perf_counter()  # noqa: TID251 - a benchmark is its own clock
            for question in asked:
                reader.raw(question.sql, parameters=question.parameters, output="Native")
            spent_s.append(time.perf_counter() - started)  # noqa: TID251 - a benchmark is its own clock
        return median(spent_s[1:])


def measure(quick: bool) -> Answer:  # noqa: FBT001 - the harness hands it over by position
    """Time instants at each number of objectives, one after the other on one core."""
    days = QUICK_DAYS if quick else KEPT_DAYS
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(own)})  # the store's process inherits it
    try:
        with tempfile.TemporaryDirectory() as directory:
            bench = Bench(Path(directory) / "data", days)
            every = [watched(_objective(at)) for at in range(OBJECTIVES[-1])]
            seen = [bench.seen(every[:n], before) for before, n in pairwise((0, *OBJECTIVES))]
    finally:
        os.sched_setaffinity(0, own)
    first, last = seen[0], seen[-1]
    ratios = {
        "step_s_1000_vs_15": last.calm["whole"] / STEP_S,
        "storm_step_s_1000_vs_15": last.storm["whole"] / STEP_S,
        "growth_10_to_1000": last.calm["whole"] / first.calm["whole"],
        "step_1000_vs_floor": last.calm["whole"] / last.floor_s,
    }
    setting: dict[str, object] = {
        "objectives": OBJECTIVES,
        "windows": len(every[0].windows_s),
        "days": days,
        "endpoints": ENDPOINTS,
        "requests per instant": ENDPOINTS * REQUESTS,
        "cores": 1,
    }
    return Answer(
        benchmark="slo_scale", figures=[line for one in seen for line in _figures(one)], ratios=ratios, setting=setting
    )


def _objective(at: int) -> Objective:
    limits = {"fast": 0.2 + at / 1000, "pace": 0.03 + at / 20_000, "slow": 10 + at / 50, "prompt": 4_000 + at}
    return Objective(
        name=f"slo-{at}",
        service="bench",
        target=TARGETS[at % len(TARGETS)],
        window=Rolling(length_s=30 * DAY_S),
        indicator=Indicator(
            good=parse(FORMS[at % len(FORMS)].format(**limits)),
            only=parse(f"endpoint == 'endpoint-{at // len(FORMS) % ENDPOINTS}'"),
            group_by=(Dim.ENDPOINT,),
        ),
    )


def _endpoint(one: Watched) -> str:
    return f"endpoint-{int(one.objective.name.removeprefix('slo-')) // len(FORMS) % ENDPOINTS}"


def _request(n: int, endpoint: int, now_s: int, *, is_bad: bool) -> RequestRecord:
    one = msgspec.structs.replace(
        sample_request(n, now_s * 1000 - 1 - n % 30_000), endpoint=f"endpoint-{endpoint}", record_id=UUID(int=n)
    )
    if is_bad:
        one = msgspec.structs.replace(one, outcome=Outcome.SERVER_ERROR, eligible=Eligibility.BAD)
    return one


def _beat(at: int, now_s: int, requests: int) -> Heartbeat:
    now_ms = now_s * 1000
    return Heartbeat(
        ts=now_ms, collector=f"bench/{at}", endpoint=f"endpoint-{at}", model="", workload_class="", boot=1,
        watermark=now_ms - 1_000, seq_last=requests, accepted_total=requests, stored_total=requests, dlq_total=0,
        spooled=0, dropped_total={}, tee_frames_dropped_total=0, unparsed_conns_total=0, arrivals_total=requests,
        first_outputs_total=requests, tokens_out_total=0, in_flight=0, waiting_first=0, waiting_age_h={},
        in_flight_age_h={}, loop_lag_us_max=0, rss_bytes=1, cpu_us_total=1, clock_offset_us=0,
    )  # fmt: skip


def _load(data: Path, some: Sequence[Watched], since_s: int, until_s: int) -> None:
    """Make the buckets [since, until) of objectives."""
    buckets = (until_s - since_s) // BUCKET_S
    with closing(opened(data)) as engine:
        for first in range(0, len(some), LOAD_OBJECTIVES):
            ones = some[first : first + LOAD_OBJECTIVES]
            engine.execute(
                _BUCKETS.format(
                    token=ones[0].objective.name,
                    since_s=since_s,
                    buckets=buckets,
                    rows=buckets * len(ones),
                    names=[one.objective.name for one in ones],
                    groups=[json.dumps({"endpoint": _endpoint(one)}, separators=(",", ":")) for one in ones],
                    hashes=[one.definition_hash for one in ones],
                )
            )


def _expect_storm(engine: Engine, objectives: int) -> None:
    """Refuse to tell figures of a storm that was none."""
    firing = sum(one.record.state is AlertState.FIRING for one in engine.view.alerts.values())
    if firing < objectives:
        raise SystemExit(f"slo_scale: {firing} alerts fire, of {objectives} objectives")


def _peak_mib(process: str) -> float:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024


def _figures(seen: Seen) -> Iterator[Figure]:
    note = f"{seen.objectives:,} objectives"
    for kind, parts in (("calm", seen.calm), ("storm", seen.storm)):
        yield Figure(name=f"{kind} instant", value=parts["whole"], unit="s", note=note)
        for name in PARTS:
            yield Figure(name=f"{kind} instant: {name}", value=parts[name], unit="s", note=note)
    yield Figure(name="first instant, demand of past weeks looked up", value=seen.calm["first"], unit="s", note=note)
    yield Figure(name="floor: counting and windows, the store alone", value=seen.floor_s, unit="s", note=note)
    yield Figure(name="peak memory of the engine", value=seen.engine_mib, unit="MiB", note=note)
    yield Figure(name="peak memory of the store", value=seen.store_mib, unit="MiB", note=note)


if __name__ == "__main__":
    main("slo_scale", measure)
