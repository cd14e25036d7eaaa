"""Knows the roll-ups of engine and GPU samples and of heartbeats to minutes; refuses to know their meaning.

A gauge keeps its minimum, maximum, sum and count; a counter its maximum, and `n_reset` says how often one fell. A
minute of heartbeats keeps only what is least and what is most: a heartbeat that is added twice changes nothing, so the
minutes of those that are stored already may be made while others come in.

Source: spec/store.md 3 (r_engine_1m, r_gpu_1m, heartbeats).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from telemetry.schema import samples
from telemetry.schema.parts import STAMP, T64, ZSTD, Column, Engine, Table, View, label, number
from telemetry.schema.pipeline import HEARTBEATS

_KEPT_DAYS = 400


@dataclass(frozen=True, slots=True)
class _Figure:
    """A column beside the key: what it is of the samples `s`."""

    column: Column
    of_samples: str


def _figure(name: str, how: str, kind: str, expression: str, like: Column) -> _Figure:
    codec = ZSTD if "Float" in kind else T64
    words = {"min": "smallest", "max": "largest", "sum": "sum of all"}[how]
    column = Column(
        name=name,
        type=f"SimpleAggregateFunction({how}, {kind})",
        meaning=f"{words}: {like.meaning}",
        codec=codec,
        unit=like.unit,
    )
    return _Figure(column, expression)


def _of_gauge(gauge: Column) -> tuple[_Figure, ...]:
    name, kind = f"s.{gauge.name}", gauge.type
    total, cast = ("Float64", "toFloat64") if "Float" in kind else ("UInt64", "toUInt64")
    count = Column(
        name=f"{gauge.name}_n",
        type="SimpleAggregateFunction(sum, UInt64)",
        meaning=f"samples in which {gauge.name} is known",
        codec=T64,
        unit="samples",
    )
    return (
        _figure(f"{gauge.name}_min", "min", kind, f"min({name})", gauge),
        _figure(f"{gauge.name}_max", "max", kind, f"max({name})", gauge),
        _figure(f"{gauge.name}_sum", "sum", total, f"sum({cast}(ifNull({name}, 0)))", gauge),
        _Figure(count, f"countIf(isNotNull({name}))"),
    )


def _of_counter(counter: Column) -> _Figure:
    return _figure(counter.name, "max", counter.type, f"max(s.{counter.name})", counter)


def _count(name: str, expression: str, meaning: str) -> _Figure:
    kind = "SimpleAggregateFunction(sum, UInt64)"
    return _Figure(Column(name=name, type=kind, meaning=meaning, codec=T64, unit="samples"), expression)


_ENGINE = (
    _count("n", "count()", "samples"),
    _count("n_up", "countIf(s.up = 1)", "samples that the engine answered"),
    _count("n_reset", "countIf(s.reset = 1)", "samples in which a counter fell: no rate goes across them"),
    *(figure for gauge in samples.ENGINE_GAUGES for figure in _of_gauge(gauge)),
    *map(_of_counter, samples.ENGINE_COUNTERS),
)
_GPU = (
    _count("n", "count()", "samples"),
    *(figure for gauge in samples.GPU_GAUGES for figure in _of_gauge(gauge)),
    *map(_of_counter, samples.GPU_COUNTERS),
    _figure(
        "xid", "max", "Nullable(UInt32)", "max(s.xid)", next(c for c in samples.GPU_SAMPLES.columns if c.name == "xid")
    ),
    _Figure(
        Column(
            name="throttle_bits",
            type="SimpleAggregateFunction(groupBitOr, UInt64)",
            meaning="every reason for a lowered clock that a sample had",
            codec=T64,
        ),
        "groupBitOr(ifNull(s.throttle_bits, 0))",
    ),
)


def _of_heartbeat(how: str, name: str, named: str = "") -> _Figure:
    like = next(column for column in HEARTBEATS.columns if column.name == name)
    return _figure(named or f"{name}_{how}", how, like.type, f"{how}(s.{name})", like)


_NEWEST = Column(
    name="newest",
    type=f"SimpleAggregateFunction(max, Tuple({STAMP}, {STAMP}))",
    meaning="wall time of the last heartbeat, and its watermark",
    codec=ZSTD,
    unit="ms",
)
_OLDEST = Column(
    name="oldest",
    type=f"SimpleAggregateFunction(min, {STAMP})",
    meaning="wall time of the first heartbeat",
    codec=ZSTD,
    unit="ms",
)
_HEARTBEATS = (
    _Figure(_OLDEST, "min(s.ts)"),
    # Two aggregates of plain times take less than one `max` of pairs.
    _Figure(_NEWEST, "tuple(max(s.ts), argMax(s.watermark, s.ts))"),
    *(
        _of_heartbeat(how, name)
        for name in ("arrivals_total", "tee_frames_dropped_total", "cpu_us_total")
        for how in ("min", "max")
    ),
    *(_of_heartbeat("max", name) for name in ("spooled", "rss_bytes")),
    _of_heartbeat("max", "loop_lag_us_max", "loop_lag_us_max"),
)


def _table(
    name: str, source: Table, keys: Sequence[Column], figures: Sequence[_Figure], kept_days: int | None = _KEPT_DAYS
) -> Table:
    time = Column(
        name="t", type="DateTime('UTC')", meaning="start of the minute", codec="DoubleDelta, ZSTD(1)", unit="s"
    )
    return Table(
        name=name,
        writer="view",
        meaning=f"the rows of {source.name} of one minute",
        engine=Engine.AGGREGATING,
        order_by=f"({', '.join(key.name for key in keys)}, t)",
        time="t",
        kept_days=kept_days,
        shard_by=source.shard_by,
        columns=(*keys, time, *(figure.column for figure in figures)),
    )


def _view(target: Table, source: Table, keys: Sequence[Column], figures: Sequence[_Figure]) -> View:
    minute = "toStartOfMinute(toDateTime(s.ts, 'UTC'))"
    grouped = [*(f"s.{key.name}" for key in keys), minute]
    columns = [f"s.{key.name} AS {key.name}" for key in keys]
    columns += [f"{minute} AS t", *(f"{figure.of_samples} AS {figure.column.name}" for figure in figures)]
    lines = ",\n    ".join(columns)
    return View(
        name=f"{target.name}_from_{source.name}",
        target=target.name,
        source=source.name,
        select="\n".join(
            [f"SELECT\n    {lines}", f"FROM inferometer.{source.name}{{local}} AS s", f"GROUP BY {', '.join(grouped)}"]
        ),
    )


_ENGINE_KEYS = (
    label("endpoint", "configured name of the endpoint"),
    label("replica", "address or pod of the engine"),
    label("engine", "which engine it is"),
    label("model", "model it serves"),
)
_GPU_KEYS = (
    label("node", "machine"),
    label("gpu_uuid", "UUID of the GPU"),
    label("mig_uuid", "UUID of the MIG instance; empty for a whole GPU"),
    label("gpu_name", "product name"),
    label("endpoint", "endpoint that runs on it; empty if unknown"),
    label("replica", "address or pod that runs on it; empty if unknown"),
)
_HEARTBEAT_KEYS = (
    label("endpoint", "configured name of the endpoint"),
    label("collector", "<node>/<epoch8> of the spool"),
    label("model", "model named by the requests; empty for those that name none"),
    label("workload_class", "configured class of the workload; empty if not set"),
    number("boot", "UInt32", "number of the process's start: totals begin again with it", "", T64),
)
R_ENGINE_1M = _table("r_engine_1m", samples.ENGINE_METRICS, _ENGINE_KEYS, _ENGINE)
R_GPU_1M = _table("r_gpu_1m", samples.GPU_SAMPLES, _GPU_KEYS, _GPU)
R_HEARTBEATS_1M = _table("r_heartbeats_1m", HEARTBEATS, _HEARTBEAT_KEYS, _HEARTBEATS, HEARTBEATS.kept_days)

MINUTE_TABLES = (R_ENGINE_1M, R_GPU_1M)
MINUTE_VIEWS = (
    _view(R_ENGINE_1M, samples.ENGINE_METRICS, _ENGINE_KEYS, _ENGINE),
    _view(R_GPU_1M, samples.GPU_SAMPLES, _GPU_KEYS, _GPU),
)
R_HEARTBEATS_1M_VIEW = _view(R_HEARTBEATS_1M, HEARTBEATS, _HEARTBEAT_KEYS, _HEARTBEATS)
