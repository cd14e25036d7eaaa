"""Knows Prometheus's protobuf form of metric families, the only one in which it takes native histograms; no transport.

The stream is one MetricFamily after the other, each behind its length as a varint. Written by hand, because the
messages are few and the client library has no such form. Fields that hold their default are left out, as proto3 does.

Source: prometheus/prometheus prompb/io/prometheus/client/metrics.proto at 0e0afa1 (field numbers);
protobuf.dev/programming-guides/encoding (varint, zigzag, packed).
"""

from collections.abc import Iterable, Mapping
from struct import pack

from collector.catalogue import Kind
from collector.families import Family, Labels, Shown
from collector.series import Worst
from telemetry.record import NO_TRACE

CONTENT_TYPE = "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"

_TYPES = {Kind.COUNTER: 0, Kind.GAUGE: 1, Kind.HISTOGRAM: 4}
_VARINT, _FIXED64, _BYTES = 0, 1, 2


def page(families: Iterable[Family]) -> bytes:
    """Return the families as the body of an answer."""
    encoded = (_family(family) for family in families if family.points)
    return b"".join(_varint(len(one)) + one for one in encoded)


def exemplar_labels(worst: Worst) -> dict[str, str]:
    """Return by which names the request of an exemplar is found."""
    trace = {} if worst.trace_id == NO_TRACE else {"trace_id": worst.trace_id.hex()}
    return {**trace, "record_id": str(worst.record_id)}


def _family(family: Family) -> bytes:
    spec = family.spec
    name = spec.full_name + ("_total" if spec.kind is Kind.COUNTER else "")
    metrics = b"".join(_message(4, _metric(family, labels, value)) for labels, value in family.points)
    return _text(1, name) + _text(2, spec.meaning) + _number(3, _TYPES[spec.kind]) + metrics


def _metric(family: Family, labels: Labels, value: float | Shown) -> bytes:
    pairs = _pairs(dict(zip(family.spec.labels, labels, strict=True)))
    if isinstance(value, Shown):
        return pairs + _message(7, _histogram(value))
    return pairs + _message(3 if family.spec.kind is Kind.COUNTER else 2, _double(1, value))


def _histogram(shown: Shown) -> bytes:
    bounds = (*shown.bounds, float("inf"))
    buckets = b"".join(
        _message(3, _number(1, count) + _double(2, bound) + _exemplar(shown, at))
        for at, (bound, count) in enumerate(zip(bounds, shown.cumulative, strict=True))
    )
    native = shown.native
    spans = b"".join(
        _message(12, _number(1, _zigzag(offset)) + _number(2, length)) for offset, length in native.pos_spans
    )
    deltas = b"".join(_varint(_zigzag(delta)) for delta in native.pos_deltas)
    return b"".join(
        (
            _number(1, shown.n),
            _double(2, shown.total),
            buckets,
            _number(5, _zigzag(native.schema)),
            _double(6, native.zero_threshold),
            _number(7, native.zero_count),
            spans,
            _message(13, deltas) if deltas else b"",
        )
    )


def _exemplar(shown: Shown, bucket: int) -> bytes:
    worst = shown.exemplars.get(bucket)
    if worst is None:
        return b""
    seconds, ms = divmod(worst.ended_at, 1000)
    at = _number(1, seconds) + _number(2, ms * 1_000_000)
    value = _double(2, worst.value / shown.per_unit)
    return _message(3, _pairs(exemplar_labels(worst)) + value + _message(3, at))


def _pairs(labels: Mapping[str, str]) -> bytes:
    return b"".join(_message(1, _text(1, name) + _text(2, value)) for name, value in labels.items())


def _text(field: int, text: str) -> bytes:
    return _message(field, text.encode("utf-8", "replace")) if text else b""


def _message(field: int, encoded: bytes) -> bytes:
    return _varint(field << 3 | _BYTES) + _varint(len(encoded)) + encoded


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3 | _VARINT) + _varint(value) if value else b""


def _double(field: int, value: float) -> bytes:
    return _varint(field << 3 | _FIXED64) + pack("<d", value) if value else b""


def _zigzag(value: int) -> int:
    return value << 1 if value >= 0 else (-value << 1) - 1


def _varint(value: int) -> bytes:
    if value < 0x80:  # noqa: PLR2004 -- seven bits to a byte
        return bytes((value,))
    low = bytearray()
    while value >= 0x80:  # noqa: PLR2004 -- as above
        low.append(value & 0x7F | 0x80)
        value >>= 7
    low.append(value)
    return bytes(low)
