"""Knows what the counts of finished requests look like in OpenTelemetry's data model; refuses to send them.

What is sent are the counts themselves, not measurements that an SDK would count again: an exponential histogram goes
out at scale 4 as it was kept, and an explicit one is exact, because the conventions' bounds are ends of our cells.

Source: OpenTelemetry metrics data model; names of telemetry.semconv.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Buckets,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from collector.buckets import ITL, TOKENS, Scale
from collector.families import itl
from collector.otlp_settings import OtlpSettings
from collector.series import MEASURES, Counted, Key, Spread, merged
from telemetry.histogram_export import otlp
from telemetry.outcome import Outcome
from telemetry.record import NO_TRACE
from telemetry.semconv import INSTRUMENTS, Attribute, Generation, Measure, operation

_SCOPE = "inferometer"
_SCHEMA_URL = f"https://opentelemetry.io/schemas/{Generation.MAIN}"
_MS_NS = 1_000_000
_UNKNOWN = cast("float", None)  # The encoder leaves a least and a greatest value out that it does not get.

Values = dict[str, str | int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What there is to send.

    Attributes:
        at_ms: Wall time, unix milliseconds.
        read: Counts of finished requests; of those since `since_ms` if that is set.
        since_ms: Start of a delta; None if the counts are cumulative.
        open: Requests in flight.
        waiting: Of these, without output.
    """

    at_ms: int
    read: Mapping[Key, Counted]
    since_ms: int | None = None
    open: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Whom the requests went to: the engine, and where it is, as far as that is known."""

    engine: str
    address: str = ""
    port: int | None = None


Group = tuple[Values, Mapping[Key, Counted]]


def data(snapshot: Snapshot, settings: OtlpSettings, target: Target, resource: Resource) -> MetricsData:
    """Return everything as one export."""
    url = _SCHEMA_URL if settings.generation is Generation.MAIN else ""
    scope = InstrumentationScope(_SCOPE, schema_url=url)
    metrics = list(_Export(snapshot, settings, target).metrics())
    return MetricsData([ResourceMetrics(resource, [ScopeMetrics(scope, metrics, url)], url)])


class _Export:
    """The metrics of one export."""

    def __init__(self, snapshot: Snapshot, settings: OtlpSettings, target: Target) -> None:
        self._snapshot = snapshot
        self._settings = settings
        self._target = target
        self._names = INSTRUMENTS[settings.generation]

    def metrics(self) -> Iterator[Metric]:
        everything = self._grouped(_error)
        ok = self._grouped(lambda key: {} if key.outcome == Outcome.OK else None)
        for measure in (Measure.SERVER_DURATION, Measure.CLIENT_DURATION):
            yield self._histogram(measure, MEASURES["e2e"], _spreads(everything, "e2e"))
        streams = _spreads(self._grouped(lambda _: {}), "first_event")
        yield self._histogram(Measure.FIRST_CHUNK, MEASURES["first_event"], streams)
        yield self._histogram(Measure.TTFT, MEASURES["ttft"], _spreads(ok, "ttft"))
        yield self._histogram(Measure.TPOT, MEASURES["tpot"], _spreads(ok, "tpot"))
        yield self._histogram(Measure.ICL_MAX, MEASURES["icl_max"], _spreads(ok, "icl_max"))
        yield self._histogram(Measure.ITL, ITL, ((values, parts, itl(parts.values())) for values, parts in ok))
        yield from self._tokens(everything) if Measure.TOKENS_IN in self._names else self._token_usage()
        yield from self._own()

    def _token_usage(self) -> Iterator[Metric]:
        groups = self._grouped(lambda _: {})
        kinds = {"input": "tokens_in", "output": "tokens_out"}
        points = (
            (values | {Attribute.TOKEN_TYPE: kind}, parts, merged(parts, name))
            for values, parts in groups
            for kind, name in kinds.items()
        )
        yield self._histogram(Measure.TOKENS, TOKENS, points)

    def _tokens(self, groups: Iterable[Group]) -> Iterator[Metric]:
        yield self._histogram(Measure.TOKENS_IN, TOKENS, _spreads(groups, "tokens_in"))
        yield self._histogram(Measure.TOKENS_OUT, TOKENS, _spreads(groups, "tokens_out"))
        sums: dict[Measure, Callable[[Counted], int]] = {
            Measure.TOKENS_IN_SUM: lambda counted: counted.spreads["tokens_in"].total,
            Measure.TOKENS_OUT_SUM: lambda counted: counted.spreads["tokens_out"].total,
            Measure.TOKENS_CACHE_READ_SUM: lambda counted: counted.tokens_cache_read,
            Measure.TOKENS_CACHE_WRITE_SUM: lambda counted: counted.tokens_cache_write,
            Measure.TOKENS_REASONING_SUM: lambda counted: counted.tokens_reasoning,
        }
        modality = self._grouped(lambda _: {Attribute.TOKEN_MODALITY: "unknown"})
        for measure, part in sums.items():
            yield self._sum(measure, modality, part)

    def _own(self) -> Iterator[Metric]:
        """Yield what no convention names; of every exchange, GenAI or not."""
        read = self._snapshot.read
        one_by_one = [(_plain(key) | _fate(key), {key: counted}) for key, counted in read.items()]
        yield self._sum(Measure.REQUESTS, one_by_one, lambda counted: counted.n)
        in_stream = [(_plain(key) | _error(key), {key: it}) for key, it in read.items() if it.in_stream]
        yield self._sum(Measure.IN_STREAM, in_stream, lambda counted: counted.in_stream)
        at_ns = self._snapshot.at_ms * _MS_NS
        for measure, value in ((Measure.OPEN, self._snapshot.open), (Measure.WAITING, self._snapshot.waiting)):
            point = NumberDataPoint({}, at_ns, at_ns, value)
            yield self._metric(measure, Sum([point], AggregationTemporality.CUMULATIVE, is_monotonic=False))

    def _grouped(self, more: Callable[[Key], Values | None]) -> list[Group]:
        """Gather the cells of GenAI operations that have the same attributes; None leaves a cell out."""
        groups: dict[tuple[tuple[str, str | int], ...], dict[Key, Counted]] = {}
        for key, counted in self._snapshot.read.items():
            named, extra = operation(key.api), more(key)
            if named is not None and extra is not None:
                values = self._values(named, key) | extra
                groups.setdefault(tuple(values.items()), {})[key] = counted
        return [(dict(values), parts) for values, parts in groups.items()]

    def _values(self, named: str, key: Key) -> Values:
        target = self._target
        values: Values = {Attribute.OPERATION: named, Attribute.PROVIDER: target.engine, **_plain(key)}
        if target.address and target.port is not None:
            values |= {Attribute.SERVER_ADDRESS: target.address, Attribute.SERVER_PORT: target.port}
        return values

    def _histogram(
        self, measure: Measure, scale: Scale, spreads: Iterable[tuple[Values, Mapping[Key, Counted], Spread]]
    ) -> Metric:
        at_ns = self._snapshot.at_ms * _MS_NS
        several = [
            (values, self._start_ns(parts), at_ns, spread, scale) for values, parts, spread in spreads if spread.n
        ]
        if self._settings.exponential:
            return self._metric(
                measure, ExponentialHistogram([_exponential(*one) for one in several], self._temporality)
            )
        return self._metric(measure, Histogram([_explicit(*one) for one in several], self._temporality))

    def _sum(self, measure: Measure, groups: Iterable[Group], part: Callable[[Counted], int]) -> Metric:
        at_ns = self._snapshot.at_ms * _MS_NS
        points = [
            NumberDataPoint(dict(values), self._start_ns(parts), at_ns, sum(map(part, parts.values())))
            for values, parts in groups
        ]
        return self._metric(measure, Sum(points, self._temporality, is_monotonic=True))

    @property
    def _temporality(self) -> AggregationTemporality:
        return AggregationTemporality.DELTA if self._settings.delta else AggregationTemporality.CUMULATIVE

    def _start_ns(self, parts: Mapping[Key, Counted]) -> int:
        since_ms = self._snapshot.since_ms
        return (min(counted.since for counted in parts.values()) if since_ms is None else since_ms) * _MS_NS

    def _metric(self, measure: Measure, points: Sum | Histogram | ExponentialHistogram) -> Metric:
        instrument = self._names[measure]
        return Metric(instrument.name, instrument.meaning, instrument.unit, points)


def _spreads(groups: Iterable[Group], name: str) -> Iterator[tuple[Values, Mapping[Key, Counted], Spread]]:
    return ((values, parts, merged(parts, name)) for values, parts in groups)


def _plain(key: Key) -> Values:
    model: Values = {Attribute.REQUEST_MODEL: key.model} if key.model else {}
    return {**model, Attribute.ENDPOINT: key.endpoint}


def _error(key: Key) -> Values:
    return {} if key.outcome == Outcome.OK else {Attribute.ERROR_TYPE: key.outcome}


def _fate(key: Key) -> Values:
    named = operation(key.api)
    values: Values = {} if named is None else {Attribute.OPERATION: named}
    return values | {Attribute.OUTCOME: key.outcome, Attribute.PHASE: key.phase, Attribute.ELIGIBLE: key.eligible}


def _explicit(values: Values, start_ns: int, at_ns: int, spread: Spread, scale: Scale) -> HistogramDataPoint:
    return HistogramDataPoint(
        attributes=dict(values),
        start_time_unix_nano=start_ns,
        time_unix_nano=at_ns,
        count=spread.n,
        sum=spread.total / scale.per_unit,
        bucket_counts=scale.otel(spread.cells),
        explicit_bounds=scale.otel_bounds,
        min=_UNKNOWN,
        max=_UNKNOWN,
        exemplars=_exemplars(spread, scale),
    )


def _exponential(
    values: Values, start_ns: int, at_ns: int, spread: Spread, scale: Scale
) -> ExponentialHistogramDataPoint:
    point = otlp(scale.exponential(spread.cells), sum_s=spread.total / scale.per_unit)
    return ExponentialHistogramDataPoint(
        attributes=dict(values),
        start_time_unix_nano=start_ns,
        time_unix_nano=at_ns,
        count=point.count,
        sum=spread.total / scale.per_unit,
        scale=point.scale,
        zero_count=point.zero_count,
        positive=Buckets(point.offset, point.bucket_counts),
        negative=Buckets(0, []),
        flags=0,
        min=_UNKNOWN,
        max=_UNKNOWN,
        exemplars=_exemplars(spread, scale),
    )


def _exemplars(spread: Spread, scale: Scale) -> list[Exemplar]:
    """Return the worst requests; by names only, for an exemplar's own trace id needs a span id, which is not known."""
    return [
        Exemplar(
            ({} if worst.trace_id == NO_TRACE else {"trace_id": worst.trace_id.hex()})
            | {"inferometer.record_id": str(worst.record_id)},
            worst.value / scale.per_unit,
            worst.ended_at * _MS_NS,
        )
        for worst in spread.worst.values()
    ]
