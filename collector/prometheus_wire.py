"""Knows Prometheus's protobuf form of metric families, the only one in which it takes native histograms; no transport.

The stream is one MetricFamily after the other, each behind its length as a varint. Written by hand, because the
messages are few and the client library has no such form.

Source: prometheus/prometheus prompb/io/prometheus/client/metrics.proto at 0e0afa1 (field numbers);
telemetry.protobuf (fields); protobuf.dev/programming-guides/encoding (packed).
"""

from collections.abc import Iterable, Mapping

from collector.catalogue import Kind
from collector.families import Family, Labels, Shown
from collector.series import Worst
from telemetry.protobuf import double, message, number, text, varint, zigzag
from telemetry.record import NO_TRACE

CONTENT_TYPE = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"

_TYPES = {Kind.COUNTER: 0, Kind.GAUGE: 1, Kind.HISTOGRAM: 4}


def page(families: Iterable[Family]) -> bytes:
    """Return the families as the body of an answer."""
    encoded = (_family(family) for family in families if family.points)
    return b"".join(varint(len(one)) + one for one in encoded)


def exemplar_labels(worst: Worst) -> dict[str, str]:
    """Return by which names the request of an exemplar is found."""
    trace = {} if worst.trace_id == NO_TRACE else {"trace_id": worst.trace_id.hex()}
    return {**trace, "record_id": str(worst.record_id)}


def _family(family: Family) -> bytes:
    spec = family.spec
    name = spec.full_name + ("_total" if spec.kind is Kind.COUNTER else "")
    metrics = b"".join(message(4, _metric(family, labels, value)) for labels, value in family.points)
    return text(1, name) + text(2, spec.meaning) + number(3, _TYPES[spec.kind]) + metrics


def _metric(family: Family, labels: Labels, value: float | Shown) -> bytes:
    pairs = _pairs(dict(zip(family.spec.labels, labels, strict=True)))
    if isinstance(value, Shown):
        return pairs + message(7, _histogram(value))
    return pairs + message(3 if family.spec.kind is Kind.COUNTER else 2, double(1, value))


def _histogram(shown: Shown) -> bytes:
    bounds = (*shown.bounds, float("inf"))
    buckets = b"".join(
        message(3, number(1, count) + double(2, bound) + _exemplar(shown, at))
        for at, (bound, count) in enumerate(zip(bounds, shown.cumulative, strict=True))
    )
    native = shown.native
    spans = b"".join(message(12, number(1, zigzag(offset)) + number(2, length)) for offset, length in native.pos_spans)
    deltas = b"".join(varint(zigzag(delta)) for delta in native.pos_deltas)
    return b"".join(
        (
            number(1, shown.n),
            double(2, shown.total),
            buckets,
            number(5, zigzag(native.schema)),
            double(6, native.zero_threshold),
            number(7, native.zero_count),
            spans,
            message(13, deltas) if deltas else b"",
        )
    )


def _exemplar(shown: Shown, bucket: int) -> bytes:
    worst = shown.exemplars.get(bucket)
    if worst is None:
        return b""
    seconds, ms = divmod(worst.ended_at, 1000)
    at = number(1, seconds) + number(2, ms * 1_000_000)
    value = double(2, worst.value / shown.per_unit)
    return message(3, _pairs(exemplar_labels(worst)) + value + message(3, at))


def _pairs(labels: Mapping[str, str]) -> bytes:
    return b"".join(message(1, text(1, name) + text(2, value)) for name, value in labels.items())
