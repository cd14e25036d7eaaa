"""What is written by hand is what a real protobuf decoder reads."""

from typing import Any, ClassVar

import pytest
from finished import counted, finished, never
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2
from google.protobuf.unknown_fields import UnknownFieldSet
from hypothesis import given
from hypothesis import strategies as st

from collector.catalogue import CATALOGUE
from collector.families import Family, family, measured
from collector.prometheus_wire import exemplar_labels, page
from collector.series import Worst
from telemetry.record import NO_TRACE

FIELD = descriptor_pb2.FieldDescriptorProto
OPTIONAL, REPEATED = FIELD.LABEL_OPTIONAL, FIELD.LABEL_REPEATED
# name, number, type, repeated; a type that is a text is a message. From prompb/io/prometheus/client/metrics.proto.
MESSAGES: dict[str, list[tuple[str, int, Any, bool]]] = {
    "LabelPair": [("name", 1, FIELD.TYPE_STRING, False), ("value", 2, FIELD.TYPE_STRING, False)],
    "Gauge": [("value", 1, FIELD.TYPE_DOUBLE, False)],
    "Counter": [("value", 1, FIELD.TYPE_DOUBLE, False)],
    "Exemplar": [
        ("label", 1, "LabelPair", True),
        ("value", 2, FIELD.TYPE_DOUBLE, False),
        ("timestamp", 3, "google.protobuf.Timestamp", False),
    ],
    "Bucket": [
        ("cumulative_count", 1, FIELD.TYPE_UINT64, False),
        ("upper_bound", 2, FIELD.TYPE_DOUBLE, False),
        ("exemplar", 3, "Exemplar", False),
    ],
    "BucketSpan": [("offset", 1, FIELD.TYPE_SINT32, False), ("length", 2, FIELD.TYPE_UINT32, False)],
    "Histogram": [
        ("sample_count", 1, FIELD.TYPE_UINT64, False),
        ("sample_sum", 2, FIELD.TYPE_DOUBLE, False),
        ("bucket", 3, "Bucket", True),
        ("schema", 5, FIELD.TYPE_SINT32, False),
        ("zero_threshold", 6, FIELD.TYPE_DOUBLE, False),
        ("zero_count", 7, FIELD.TYPE_UINT64, False),
        ("positive_span", 12, "BucketSpan", True),
        ("positive_delta", 13, FIELD.TYPE_SINT64, True),
    ],
    "Metric": [
        ("label", 1, "LabelPair", True),
        ("gauge", 2, "Gauge", False),
        ("counter", 3, "Counter", False),
        ("histogram", 7, "Histogram", False),
    ],
    "MetricFamily": [
        ("name", 1, FIELD.TYPE_STRING, False),
        ("help", 2, FIELD.TYPE_STRING, False),
        ("type", 3, FIELD.TYPE_INT32, False),
        ("metric", 4, "Metric", True),
    ],
}


Message = Any
"""A class that is made at run time."""


def metric_family() -> Message:
    file = descriptor_pb2.FileDescriptorProto(
        name="metrics.proto",
        package="io.prometheus.client",
        syntax="proto3",
        dependency=[timestamp_pb2.DESCRIPTOR.name],
    )
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind, repeated in fields:
            made = message.field.add(name=field, number=number, label=REPEATED if repeated else OPTIONAL)
            if isinstance(kind, str):
                made.type = FIELD.TYPE_MESSAGE
                made.type_name = f".{kind}" if "." in kind else f".io.prometheus.client.{kind}"
            else:
                made.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("io.prometheus.client.MetricFamily"))


class Decoder:
    """Reads a page as a stream of length-delimited messages."""

    kind: ClassVar[Any] = metric_family()

    @classmethod
    def read(cls, body: bytes) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while body:
            length, shift, at = 0, 0, 0
            while True:
                length |= (body[at] & 0x7F) << shift
                shift, at = shift + 7, at + 1
                if not body[at - 1] & 0x80:
                    break
            message = cls.kind.FromString(body[at : at + length])
            assert len(UnknownFieldSet(message)) == 0
            found[message.name] = message
            body = body[at + length :]
        return found


def labels(metric: Message) -> dict[str, str]:
    return {pair.name: pair.value for pair in metric.label}


def test_counters_and_gauges_are_read_with_their_labels() -> None:
    several = [
        family("requests_eligible", [(("e", "m", "good"), 3), (("e", "", "bad"), 0)]),
        family("channel_lag_seconds", [((), 0.25)]),
    ]
    read = Decoder.read(page(several))

    good, bad = read["inferometer_requests_eligible_total"].metric
    assert (labels(good), good.counter.value) == ({"endpoint": "e", "model": "m", "eligible": "good"}, 3)
    assert (labels(bad), bad.HasField("counter"), bad.counter.value) == (
        {"endpoint": "e", "model": "", "eligible": "bad"}, True, 0,
    )  # fmt: skip
    (lag,) = read["inferometer_channel_lag_seconds"].metric
    assert (lag.gauge.value, read["inferometer_channel_lag_seconds"].type) == (0.25, 1)
    assert read["inferometer_requests_eligible_total"].help == CATALOGUE["requests_eligible"].meaning


def test_a_family_without_a_value_is_left_out() -> None:
    assert page([Family(spec=CATALOGUE["dropped"], points=[])]) == b""


@given(st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=30))
def test_a_histogram_is_read_in_both_kinds(times: list[int]) -> None:
    several = list(measured(counted(*[finished(e2e_us=us) for us in times]).read(never)))
    (histogram,) = [metric.histogram for metric in Decoder.read(page(several))["inferometer_e2e_seconds"].metric]
    counts: list[int] = []
    for delta in histogram.positive_delta:
        counts.append(delta + (counts[-1] if counts else 0))

    assert (histogram.sample_count, histogram.schema) == (len(times), 4)
    assert histogram.sample_sum == pytest.approx(sum(times) / 1e6)
    assert sum(counts) + histogram.zero_count == len(times)
    assert [bucket.cumulative_count for bucket in histogram.bucket] == [
        sum(us <= bucket.upper_bound * 1e6 for us in times) for bucket in histogram.bucket
    ]
    assert sum(span.length for span in histogram.positive_span) == len(counts)


def test_an_exemplar_names_the_request() -> None:
    worst = finished(ttft_us=900_000, trace_id=b"\xab" * 16)
    several = measured(counted(worst, finished(ttft_us=850_000)).read(never))
    (histogram,) = [metric.histogram for metric in Decoder.read(page(several))["inferometer_ttft_seconds"].metric]
    (exemplar,) = [bucket.exemplar for bucket in histogram.bucket if bucket.HasField("exemplar")]

    assert labels(exemplar) == {"trace_id": "ab" * 16, "record_id": str(worst.record_id)}
    assert (exemplar.value, exemplar.timestamp.seconds) == (0.9, worst.ended_at // 1000)


def test_a_request_without_a_trace_is_named_by_its_record_alone() -> None:
    assert list(exemplar_labels(Worst(1, 2, NO_TRACE, finished().record_id))) == ["record_id"]
