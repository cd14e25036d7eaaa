from typing import Any

import pytest
from finished import BROKEN, LEFT, UNIX_MS, counted, finished, never
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.sdk.resources import Resource
from otlp_receiver import attributes

from collector.otlp_points import Snapshot, Target, data
from collector.otlp_settings import OtlpSettings
from collector.series import Key, since
from telemetry.record import RequestRecord
from telemetry.semconv import FIRST_TOKEN_BOUNDS_S, INSTRUMENTS, TOKEN_BOUNDS, Generation

TARGET = Target(engine="vllm", address="10.0.0.1", port=8000)
BASE = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "vllm",
    "gen_ai.request.model": "m",
    "inferometer.endpoint": "chat",
    "server.address": "10.0.0.1",
    "server.port": 8000,
}
AT_MS = UNIX_MS + 60_000


def encoded(*records: RequestRecord, target: Target = TARGET, **settings: Any) -> dict[str, Any]:  # noqa: ANN401
    """What goes out, as the exporter's own encoder writes it."""
    snapshot = Snapshot(at_ms=AT_MS, read=counted(*records).read(never), open=3, waiting=1)
    told = encode_metrics(data(snapshot, OtlpSettings(**settings), target, Resource({})))
    ((scope,),) = [resource.scope_metrics for resource in told.resource_metrics]
    return {metric.name: metric for metric in scope.metrics}


@pytest.mark.parametrize("generation", Generation)
def test_names_and_units_are_those_of_the_conventions(generation: Generation) -> None:
    sent = encoded(finished(), generation=generation)

    assert {(name, metric.unit) for name, metric in sent.items()} == {
        (instrument.name, instrument.unit) for instrument in INSTRUMENTS[generation].values()
    }


def test_a_duration_carries_how_it_failed_and_a_success_carries_nothing() -> None:
    sent = encoded(finished(), finished(BROKEN), finished(LEFT), finished(LEFT, phase="streaming"))
    for name in ("gen_ai.server.request.duration", "gen_ai.client.operation.duration"):
        points = {point.count: attributes(point) for point in sent[name].histogram.data_points}

        assert sorted(point.count for point in sent[name].histogram.data_points) == [1, 1, 2]
        assert points[2] == BASE | {"error.type": "client_cancelled"}
        assert BASE in [attributes(point) for point in sent[name].histogram.data_points]


def test_first_token_and_pace_are_of_successes_with_the_advised_bounds() -> None:
    sent = encoded(finished(), finished(BROKEN, ttft_us=1))
    (point,) = sent["gen_ai.server.time_to_first_token"].histogram.data_points

    assert (attributes(point), point.count, point.sum) == (BASE, 1, 0.5)
    assert tuple(point.explicit_bounds) == FIRST_TOKEN_BOUNDS_S
    assert list(point.bucket_counts) == [int(bound == 0.5) for bound in (*FIRST_TOKEN_BOUNDS_S, 0)]
    assert (point.start_time_unix_nano, point.time_unix_nano) == (UNIX_MS * 10**6, AT_MS * 10**6)
    assert not point.HasField("min")
    assert [point.count for point in sent["gen_ai.server.time_per_output_token"].histogram.data_points] == [1]


def test_the_first_chunk_is_the_first_event_of_a_stream() -> None:
    sent = encoded(finished(stream=1, first_event_us=20_000), finished(first_event_us=30_000))
    (point,) = sent["gen_ai.client.operation.time_to_first_chunk"].histogram.data_points

    assert (point.count, point.sum, attributes(point)) == (1, 0.02, BASE)


def test_tokens_are_a_histogram_by_type_at_first() -> None:
    points = encoded(finished(), finished(BROKEN))["gen_ai.client.token.usage"].histogram.data_points

    assert {attributes(point)["gen_ai.token.type"]: (point.count, point.sum) for point in points} == {
        "input": (2, 100),
        "output": (2, 108),
    }
    assert tuple(points[0].explicit_bounds) == TOKEN_BOUNDS


def test_tokens_are_counters_in_the_newest_names() -> None:
    sent = encoded(finished(tokens_cache_read=30), finished(BROKEN), generation=Generation.GENAI)
    sums = {
        name.removeprefix("gen_ai.client.inference.usage."): [point.as_int for point in metric.sum.data_points]
        for name, metric in sent.items()
        if name.startswith("gen_ai.client.inference.usage.")
    }
    (point,) = sent["gen_ai.client.inference.usage.input_tokens"].sum.data_points

    assert sums == {
        "input_tokens": [100],
        "output_tokens": [108],
        "cache_read.input_tokens": [30],
        "cache_write.input_tokens": [0],
        "reasoning.output_tokens": [0],
    }
    assert attributes(point) == BASE | {"gen_ai.token.modality": "unknown"}


def test_an_exponential_histogram_goes_out_as_it_was_kept() -> None:
    sent = encoded(finished(ttft_us=0), finished(), finished(ttft_us=520_000), exponential=True)
    (point,) = sent["gen_ai.server.time_to_first_token"].exponential_histogram.data_points

    # 0.5 s closes bucket -17 (spec/store.md 4.2), and 0.52 s lies in the next one: 2^(-15/16) is 0.522.
    assert (point.scale, point.zero_count, point.positive.offset) == (4, 1, -17)
    assert list(point.positive.bucket_counts) == [1, 1]
    assert (point.count, point.sum) == (3, 1.02)
    assert sent["gen_ai.client.token.usage"].exponential_histogram.data_points[0].scale == 4


def test_what_is_no_inference_is_counted_but_has_no_convention() -> None:
    sent = encoded(finished(api="http", model="", tokens_in=None, tokens_out=None))
    (point,) = sent["inferometer.requests"].sum.data_points

    assert not sent["gen_ai.server.request.duration"].histogram.data_points
    assert (point.as_int, attributes(point)) == (
        1,
        {
            "inferometer.endpoint": "chat",
            "inferometer.request.outcome": "ok",
            "inferometer.request.phase": "done",
            "inferometer.request.eligible": "good",
        },
    )


def test_requests_in_flight_are_no_counter() -> None:
    sent = encoded(finished(BROKEN))
    open_sum, waiting = sent["inferometer.requests.open"].sum, sent["inferometer.requests.waiting"].sum

    assert (open_sum.is_monotonic, open_sum.data_points[0].as_int, waiting.data_points[0].as_int) == (False, 3, 1)
    assert sent["inferometer.in_stream_errors"].sum.is_monotonic
    assert sent["inferometer.in_stream_errors"].sum.data_points[0].as_int == 1


def test_an_address_that_is_not_known_is_left_out() -> None:
    sent = encoded(finished(), target=Target(engine="vllm"))
    (point,) = sent["gen_ai.server.time_to_first_token"].histogram.data_points

    assert {"server.address", "server.port"} & set(attributes(point)) == set()


def test_a_delta_says_since_when() -> None:
    series = counted(finished())
    before = series.read(never)
    series.add(finished())
    read: dict[Key, Any] = since(series.read(never), before)
    snapshot = Snapshot(at_ms=AT_MS, read=read, since_ms=AT_MS - 1000)
    told = encode_metrics(data(snapshot, OtlpSettings(delta=True), TARGET, Resource({})))
    found = {metric.name: metric for metric in told.resource_metrics[0].scope_metrics[0].metrics}
    (point,) = found["inferometer.requests"].sum.data_points

    assert (point.as_int, point.start_time_unix_nano) == (1, (AT_MS - 1000) * 10**6)
    assert found["inferometer.requests"].sum.aggregation_temporality == 1
    assert found["inferometer.requests.open"].sum.aggregation_temporality == 2


def test_an_exemplar_names_the_worst_request() -> None:
    worst = finished(ttft_us=499_000, trace_id=b"\xab" * 16)
    sent = encoded(worst, finished(ttft_us=498_000))

    # Without a span id the exporter writes the names as filtered attributes.
    (point,) = sent["gen_ai.server.time_to_first_token"].histogram.data_points
    (exemplar,) = point.exemplars
    names = {pair.key: pair.value.string_value for pair in exemplar.filtered_attributes}
    assert names == {"trace_id": "ab" * 16, "inferometer.record_id": str(worst.record_id)}
    assert exemplar.as_double == 0.499
