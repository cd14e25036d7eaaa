"""Knows the roll-ups of `requests` and the views that feed them; refuses to know what is asked of them.

Parts may be unmerged, so a reader always groups again: `sum`, `sumMap`, `max`, `min` of the columns here, never an
average of a ratio or of a quantile. Histograms are maps from the bucket index of `telemetry.histogram` to a count.

Subtle, each of them seen on the engine: a view that fails does not undo the insert into its source, so nothing here can
fail (no division, no cast of what may not fit). `sumMap` refuses LowCardinality and Nullable keys. An alias equal to a
source column shadows it inside aggregates, hence `s.`. A row older than the source's TTL is dropped there at insert and
still feeds what hangs behind it.

Source: spec/store.md 4.1 (columns, TTLs), 4.2 (bucket index).
"""

from dataclasses import dataclass

from telemetry.schema.parts import BY_SERIES, T64, ZSTD, Column, Engine, Table, View, dims

_COUNT = "SimpleAggregateFunction(sum, UInt64)"
_OUTCOMES = "SimpleAggregateFunction(sumMap, Map(String, UInt64))"
_HISTOGRAM = "SimpleAggregateFunction(sumMap, Map(Int16, UInt64))"
_WORST = "SimpleAggregateFunction(max, Tuple(UInt64, UUID))"
_EARLIEST = "SimpleAggregateFunction(min, DateTime64(3, 'UTC'))"
_LATEST = "SimpleAggregateFunction(max, DateTime64(3, 'UTC'))"
_MERGED_BY = {
    _COUNT: "sum",
    _OUTCOMES: "sumMap",
    _HISTOGRAM: "sumMap",
    _WORST: "max",
    _EARLIEST: "min",
    _LATEST: "max",
}
_OK = "s.outcome = 'ok'"
_BINNED = "notEmpty(s.tok_by_s) AND isNotNull(s.ttft_us)"


def index_sql(us: str) -> str:
    """Return the expression for the bucket of a duration in microseconds, equal to `histogram.index` and total.

    Args:
        us: Expression of an unsigned integer that is not NULL.
    """
    seconds = f"least(greatest({us}, 1), 4294967295) / 1e6"
    return f"if({us} = 0, toInt16(-32768), toInt16(ceil(log2({seconds}) * 16) - 1))"


@dataclass(frozen=True, slots=True)
class _Figure:
    """A column beside the dims and the time: how it merges, what of `requests AS s` it is, what it means."""

    name: str
    kind: str
    of_requests: str
    meaning: str
    unit: str = ""

    @property
    def column(self) -> Column:
        codec = {_COUNT: T64, _HISTOGRAM: ZSTD, _WORST: ZSTD}.get(self.kind, "")
        return Column(name=self.name, type=self.kind, meaning=self.meaning, codec=codec, unit=self.unit)

    @property
    def of_finer(self) -> str:
        return f"{_MERGED_BY[self.kind]}(s.{self.name})"


def _rows(name: str, condition: str, meaning: str) -> _Figure:
    return _Figure(name, _COUNT, f"countIf({condition})", meaning, "requests")


def _sum(name: str, value: str, meaning: str, unit: str) -> _Figure:
    return _Figure(name, _COUNT, f"sum(toUInt64(ifNull({value}, 0)))", meaning, unit)


def _mean(name: str) -> tuple[_Figure, _Figure]:
    column = f"s.{name}_us"
    known = f"{_OK} AND isNotNull({column})"
    return (
        _Figure(
            f"{name}_us_sum",
            _COUNT,
            f"sumIf(toUInt64(ifNull({column}, 0)), {known})",
            f"sum of {name}_us over the rows of {name}_n; their quotient is the mean",
            "us",
        ),
        _rows(f"{name}_n", known, f"rows with outcome ok whose {name}_us is known"),
    )


def _histogram(name: str, column: str, condition: str, meaning: str) -> _Figure:
    value = f"map({index_sql(f'assumeNotNull({column})')}, toUInt64(1))"
    return _Figure(name, _HISTOGRAM, f"sumMapIf({value}, {condition})", meaning, "requests")


def _ok_histogram(name: str) -> _Figure:
    column = f"s.{name}_us"
    return _histogram(f"{name}_h", column, f"{_OK} AND isNotNull({column})", f"{name}_us of rows with outcome ok")


def _worst(name: str, column: str) -> _Figure:
    value, known = f"assumeNotNull(s.{column})", f"isNotNull(s.{column})"
    # Two aggregates of plain numbers take half the time of one `max` of tuples.
    worst = f"tuple(toUInt64(maxIf({value}, {known})), argMaxIf(s.record_id, {value}, {known}))"
    return _Figure(name, _WORST, worst, f"exemplar: largest {column} and the record it belongs to; 0 if none", "us")


_FIGURES = (
    _Figure("n", _COUNT, "count()", "rows", "requests"),
    _rows("good", "s.eligible = 'good'", "rows judged good by default"),
    _rows("bad", "s.eligible = 'bad'", "rows judged bad by default: the mass at infinity of the population `all`"),
    _rows("excluded", "s.eligible = 'excluded'", "rows that no objective counts by default"),
    _rows("censored", "s.eligible = 'censored'", "rows whose end was not seen"),
    _rows("in_stream", "s.in_stream = 1", "rows whose fault was seen under HTTP 200"),
    _sum("tokens_in", "s.tokens_in", "prompt tokens, cache reads included", "tokens"),
    _sum("tokens_out", "s.tokens_out", "output tokens, by the time of the request's end", "tokens"),
    _sum("tokens_cache_read", "s.tokens_cache_read", "prompt tokens read from a cache", "tokens"),
    _sum("tokens_reasoning", "s.tokens_reasoning", "output tokens spent on reasoning", "tokens"),
    _sum("tokens_failed", f"if({_OK}, 0, s.tokens_out)", "output tokens of rows whose outcome is not ok", "tokens"),
    _rows("n_tok_null", f"{_OK} AND isNull(s.tokens_out)", "rows with outcome ok whose tokens_out is unknown"),
    _rows("n_ttft_null", f"{_OK} AND isNull(s.ttft_us)", "rows with outcome ok whose ttft_us is unknown"),
    _rows("n_tpot_null", f"{_OK} AND isNull(s.tpot_us)", "rows with outcome ok whose tpot_us is unknown"),
    _sum("stall_n", "s.stall_n", "gaps above the stall threshold", "gaps"),
    _sum(
        "tokens_by_event",
        f"if({_BINNED}, 0, s.tokens_out)",
        "output tokens, by the second they came in; by the request's end where only their total is known",
        "tokens",
    ),
    *(figure for name in ("ttft", "e2e", "tpot", "srv_queue", "srv_prefill", "srv_decode") for figure in _mean(name)),
    _Figure("outcomes", _OUTCOMES, "sumMap(map(toString(s.outcome), toUInt64(1)))", "rows of each outcome", "requests"),
    *map(_ok_histogram, ("ttft", "ttfo", "e2e", "tpot")),
    _Figure(
        "itl_h", _HISTOGRAM, f"sumMapIf(s.itl_h, {_OK})", "inter-token latencies of rows with outcome ok", "tokens"
    ),
    *map(_ok_histogram, ("icl_max", "srv_queue")),
    _histogram(
        "ttft_nok_h",
        "s.ttft_us",
        f"NOT ({_OK}) AND isNotNull(s.ttft_us)",
        "observed ttft_us of rows whose outcome is not ok",
    ),
    _histogram(
        "abandon_h",
        "s.elapsed_us",
        "s.outcome = 'client_cancelled' AND s.n_out_events = 0",
        "elapsed_us of clients that left before any output: how long they waited",
    ),
    _worst("ttft_worst", "ttft_us"),
    _worst("e2e_worst", "e2e_us"),
    _worst("stall_worst", "icl_max_us"),
    _Figure("ingested_at_min", _EARLIEST, "min(s.ingested_at)", "when the first of its rows was stored", "ms"),
    _Figure("ingested_at_max", _LATEST, "max(s.ingested_at)", "when the last of its rows was stored", "ms"),
)
_KEYS = tuple(column.name for column in dims())


def _rollup(name: str, bucket: str, days: int) -> Table:
    time = Column(
        name="t",
        type="DateTime('UTC')",
        meaning=f"start of the {bucket} in which the request ended; for tokens_by_event, in which the tokens came",
        codec="DoubleDelta, ZSTD(1)",
        unit="s",
    )
    return Table(
        name=name,
        writer="view",
        meaning=f"the requests of one {bucket} and one set of dims",
        engine=Engine.AGGREGATING,
        columns=(*dims(), time, *(figure.column for figure in _FIGURES)),
        order_by=f"({', '.join((*_KEYS, 't'))})",
        time="t",
        kept_days=days,
        shard_by=BY_SERIES,
    )


R_1S = _rollup("r_1s", "second", 3)
R_1M = _rollup("r_1m", "minute", 90)
R_1H = _rollup("r_1h", "hour", 800)


def _select(time: str, figures: dict[str, str], source: str) -> str:
    keys = [f"s.{name}" for name in _KEYS]
    columns = [f"{key} AS {name}" for key, name in zip(keys, _KEYS, strict=True)]
    columns += [f"{time} AS t", *(f"{expression} AS {name}" for name, expression in figures.items())]
    listed = ",\n    ".join(columns)
    return f"SELECT\n    {listed}\nFROM {source}\nGROUP BY {', '.join([*keys, time])}"


# Nothing is placed further back than 30 days, so that no arithmetic on a stamp can overflow.
_BINS = """\
(
    SELECT
        endpoint, model, region, workload_class, variant, traffic, ingested_at, tok_by_s,
        addMicroseconds(
            ended_at, toInt64(assumeNotNull(ttft_us)) - toInt64(least(elapsed_us, 2592000000000))
        ) AS first_token_at
    FROM inferometer.requests{local}
    WHERE notEmpty(tok_by_s) AND isNotNull(ttft_us)
) AS s
ARRAY JOIN s.tok_by_s AS n_tokens, arrayEnumerate(s.tok_by_s) AS place"""


def _coarser(target: Table, source: Table, rounding: str) -> View:
    return View(
        name=f"{target.name}_from_{source.name}",
        target=target.name,
        source=source.name,
        select=_select(
            f"{rounding}(s.t)",
            {figure.name: figure.of_finer for figure in _FIGURES},
            f"inferometer.{source.name}{{local}} AS s",
        ),
    )


ROLLUP_TABLES = (R_1S, R_1M, R_1H)
ROLLUP_VIEWS = (
    # The last link first: nothing may reach a table whose own view is still missing.
    _coarser(R_1H, R_1M, "toStartOfHour"),
    _coarser(R_1M, R_1S, "toStartOfMinute"),
    View(
        name="r_1s_from_tok_by_s",
        target=R_1S.name,
        source="requests",
        select=_select(
            "toDateTime(s.first_token_at, 'UTC') + (place - 1)",
            {
                "tokens_by_event": "sum(toUInt64(n_tokens))",
                # Else these rows would stand there with a zero, which is the earliest time of all.
                "ingested_at_min": "min(s.ingested_at)",
                "ingested_at_max": "max(s.ingested_at)",
            },
            _BINS,
        ),
    ),
    View(
        name="r_1s_from_requests",
        target=R_1S.name,
        source="requests",
        select=_select(
            "toDateTime(s.ended_at, 'UTC')",
            {figure.name: figure.of_requests for figure in _FIGURES},
            "inferometer.requests{local} AS s",
        ),
    ),
)
