"""Knows how a histogram looks in OTLP and in Prometheus, as plain data; refuses to know names, labels and transports.

Scale 4 is OTLP's `scale` 4 and Prometheus's `schema` 4, and the unit is seconds in all three, so no bucket is split or
merged: the counts that go out are the counts that were kept.

Source: opentelemetry-proto metrics/v1/metrics.proto, ExponentialHistogramDataPoint (bucket i holds (base^i,
base^(i+1)]; dense counts from `offset` on); prometheus.io/docs/specs/native_histograms (a bucket's number is one
higher; spans and deltas; a value within the zero threshold belongs to the zero bucket and to no other);
prometheus_client/samples.py (NativeHistogram: the names); spec/store.md 4.2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from telemetry.histogram import SCALE, ZERO_KEY, index

ZERO_THRESHOLD_S = 1e-6
"""Width of Prometheus's zero bucket: 1 us, the shortest duration that is not 0, belongs to it."""

_ONE_US = index(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class OtlpPoint:
    """The fields of an ExponentialHistogramDataPoint that a histogram fills.

    Attributes:
        count: Durations in all buckets.
        sum_s: Their sum in seconds; None if it is not known.
        scale: Resolution.
        zero_count: Durations that were 0.
        offset: Index of the first positive bucket; 0 without one.
        bucket_counts: Counts of consecutive buckets from `offset` on.
    """

    count: int
    sum_s: float | None
    scale: int
    zero_count: int
    offset: int
    bucket_counts: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeHistogram:
    """The fields of a Prometheus native histogram with integer counts.

    Attributes:
        count_value: Durations in all buckets.
        sum_value: Their sum in seconds; None if it is not known.
        schema: Resolution.
        zero_threshold: Longest duration of the zero bucket, seconds.
        zero_count: Durations in it.
        pos_spans: Runs of buckets as (offset, length): the first offset is a bucket's number, each later one a gap.
        pos_deltas: Each bucket's count less the one before it.
    """

    count_value: int
    sum_value: float | None
    schema: int
    zero_threshold: float
    zero_count: int
    pos_spans: Sequence[tuple[int, int]]
    pos_deltas: Sequence[int]


def otlp(h: Mapping[int, int], *, sum_s: float | None = None) -> OtlpPoint:
    """Return a histogram as OTLP has it."""
    positive = _positive(h)
    offset = min(positive, default=0)
    return OtlpPoint(
        count=sum(h.values()),
        sum_s=sum_s,
        scale=SCALE,
        zero_count=h.get(ZERO_KEY, 0),
        offset=offset,
        bucket_counts=[positive.get(i, 0) for i in range(offset, max(positive, default=-1) + 1)],
    )


def prometheus(h: Mapping[int, int], *, sum_s: float | None = None) -> NativeHistogram:
    """Return a histogram as Prometheus has it."""
    positive = _positive(h)
    within_threshold = positive.pop(_ONE_US, 0)
    counts = [positive[i] for i in sorted(positive)]
    return NativeHistogram(
        count_value=sum(h.values()),
        sum_value=sum_s,
        schema=SCALE,
        zero_threshold=ZERO_THRESHOLD_S,
        zero_count=h.get(ZERO_KEY, 0) + within_threshold,
        pos_spans=_spans(sorted(i + 1 for i in positive)),
        pos_deltas=[count - before for before, count in zip([0, *counts], counts, strict=False)],
    )


def _positive(h: Mapping[int, int]) -> dict[int, int]:
    return {i: count for i, count in h.items() if count and i != ZERO_KEY}


def _spans(numbers: Sequence[int]) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    end = 0
    for number in numbers:
        if spans and number == end:
            spans[-1] = (spans[-1][0], spans[-1][1] + 1)
        else:
            spans.append((number - end, 1))
        end = number + 1
    return spans
