"""What goes out in OTLP and Prometheus holds the same counts in the same buckets."""

from itertools import accumulate
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition, parser
from prometheus_client.registry import Collector, CollectorRegistry
from prometheus_client.samples import BucketSpan
from prometheus_client.samples import NativeHistogram as TheirHistogram

from telemetry.histogram import US_MAX, ZERO_KEY, build
from telemetry.histogram_export import ZERO_THRESHOLD_S, NativeHistogram, otlp, prometheus

EXPOSITION: Any = exposition
PARSER: Any = parser
HISTOGRAMS = st.lists(st.integers(0, US_MAX)).map(build)


def from_spans(spans: list[tuple[int, int]], deltas: list[int]) -> dict[int, int]:
    """What a Prometheus server reads: bucket number to count."""
    counts, found, at = accumulate(deltas), dict[int, int](), 0
    for offset, length in spans:
        at += offset
        found |= {number: next(counts) for number in range(at, at + length)}
        at += length
    return found


def test_otlp_counts_are_dense_from_the_lowest_bucket_on() -> None:
    point = otlp({ZERO_KEY: 4, -17: 10, -15: 3, 2: 0}, sum_s=12.5)

    assert (17, 12.5, 4, 4) == (point.count, point.sum_s, point.scale, point.zero_count)
    assert (-17, [10, 0, 3]) == (point.offset, point.bucket_counts)


def test_nothing_goes_out_as_nothing() -> None:
    assert (0, None, 0, []) == (otlp({}).count, otlp({}).sum_s, otlp({}).offset, otlp({}).bucket_counts)
    assert ([], [], 0) == (prometheus({}).pos_spans, prometheus({}).pos_deltas, prometheus({}).zero_count)


def test_prometheus_spans_as_in_its_specification() -> None:
    # The example of the native histogram specification, bucket numbers one lower in ours.
    theirs = {-2: 3, -1: 5, 0: 0, 1: 0, 2: 1, 3: 0, 4: 3, 5: 2}
    found = prometheus({number - 1: count for number, count in theirs.items()})

    assert [(-2, 2), (2, 1), (1, 2)] == found.pos_spans
    assert [3, 2, -4, 2, -1] == found.pos_deltas


def test_one_microsecond_is_within_the_zero_threshold() -> None:
    found = prometheus(build([0, 1, 1, 2]))

    assert 1e-6 == ZERO_THRESHOLD_S
    assert (3, 4, 1) == (found.zero_count, found.count_value, len(found.pos_deltas))


@given(HISTOGRAMS)
def test_no_count_moves_or_is_lost(h: dict[int, int]) -> None:
    point, native = otlp(h), prometheus(h)
    dense = {point.offset + at: count for at, count in enumerate(point.bucket_counts) if count}
    sparse = from_spans(list(native.pos_spans), list(native.pos_deltas))

    assert h == dense | ({ZERO_KEY: point.zero_count} if point.zero_count else {})
    assert {i: count for i, count in dense.items() if i != -319} == {number - 1: n for number, n in sparse.items()}
    assert native.count_value == native.zero_count + sum(sparse.values())


def test_the_client_library_reads_what_it_is_given() -> None:
    # Above 1 s only: its parser (0.26) reads no negative offset, though the format has them.
    found = prometheus(build([0, 1_100_000, 1_110_000, 1_150_000, 5_000_000]), sum_s=8.36)

    [family] = PARSER.text_string_to_metric_families(exposed(found))
    read = family.samples[0].native_histogram

    assert read is not None
    assert (5, 8.36, 4, 1e-6, 1) == read[:5]
    assert list(found.pos_spans) == [tuple(span) for span in read.pos_spans or ()]
    assert list(found.pos_deltas) == list(read.pos_deltas or ())


def exposed(found: NativeHistogram) -> str:
    class One(Collector):
        def collect(self) -> list[Metric]:
            metric = Metric("x", "x", "histogram")
            metric.add_sample(
                "x",
                {},
                None,  # type: ignore[arg-type]  # the library's own tests do so: the value is the histogram
                native_histogram=TheirHistogram(
                    found.count_value,
                    found.sum_value or 0.0,
                    found.schema,
                    found.zero_threshold,
                    found.zero_count,
                    pos_spans=[BucketSpan(*span) for span in found.pos_spans],
                    pos_deltas=found.pos_deltas,
                ),
            )
            return [metric]

    registry = CollectorRegistry()
    registry.register(One())
    text: bytes = EXPOSITION.generate_latest(registry, version="2.0.0")
    return text.decode()
