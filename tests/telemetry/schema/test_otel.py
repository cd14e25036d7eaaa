"""The views on the real engine: one request as the span that a trace panel shows, one minute as OTLP's data points."""

import json
from collections.abc import Iterator
from uuid import UUID

import pytest
from chdb_child import Chdb

from telemetry import schema
from telemetry.histogram import ZERO_KEY
from telemetry.histogram_export import otlp
from telemetry.schema.otel import OTEL_EXP_HISTOGRAM, OTEL_TRACES

RECORD = UUID("01a21784-289f-7841-aa1e-54bb9d6ea1af")
# Columns of the exporter's own table, opentelemetry-collector-contrib at 2bf6b9e, without its two aliases.
COLUMNS = {
    "Timestamp": "DateTime64(9, 'UTC')",
    "TraceId": "String",
    "SpanId": "String",
    "ParentSpanId": "String",
    "TraceState": "String",
    "SpanName": "LowCardinality(String)",
    "SpanKind": "LowCardinality(String)",
    "ServiceName": "LowCardinality(String)",
    "ResourceAttributes": "Map(LowCardinality(String), String)",
    "ScopeName": "String",
    "ScopeVersion": "String",
    "SpanAttributes": "Map(LowCardinality(String), String)",
    "Duration": "UInt64",
    "StatusCode": "LowCardinality(String)",
    "StatusMessage": "String",
    "Events.Timestamp": "Array(DateTime64(9))",
    "Events.Name": "Array(LowCardinality(String))",
    "Events.Attributes": "Array(Map(LowCardinality(String), String))",
    "Links.TraceId": "Array(String)",
    "Links.SpanId": "Array(String)",
    "Links.TraceState": "Array(String)",
    "Links.Attributes": "Array(Map(LowCardinality(String), String))",
}


_LABELS = "Map(LowCardinality(String), String)"
# At e3bd2d1; `Sum`, `Min` and `Max` are not Nullable there, because what is unknown is 0 there.
POINT_COLUMNS = {
    "ResourceAttributes": _LABELS,
    "ResourceSchemaUrl": "String",
    "ScopeName": "String",
    "ScopeVersion": "String",
    "ScopeAttributes": _LABELS,
    "ScopeDroppedAttrCount": "UInt32",
    "ScopeSchemaUrl": "String",
    "ServiceName": "LowCardinality(String)",
    "MetricName": "String",
    "MetricDescription": "String",
    "MetricUnit": "String",
    "Attributes": _LABELS,
    "StartTimeUnix": "DateTime64(9, 'UTC')",
    "TimeUnix": "DateTime64(9, 'UTC')",
    "Count": "UInt64",
    "Sum": "Nullable(Float64)",
    "Scale": "Int32",
    "ZeroCount": "UInt64",
    "PositiveOffset": "Int32",
    "PositiveBucketCounts": "Array(UInt64)",
    "NegativeOffset": "Int32",
    "NegativeBucketCounts": "Array(UInt64)",
    "Exemplars.FilteredAttributes": f"Array({_LABELS})",
    "Exemplars.TimeUnix": "Array(DateTime64(9))",
    "Exemplars.Value": "Array(Float64)",
    "Exemplars.SpanId": "Array(String)",
    "Exemplars.TraceId": "Array(String)",
    "Flags": "UInt32",
    "Min": "Nullable(Float64)",
    "Max": "Nullable(Float64)",
    "AggregationTemporality": "Int32",
}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chdb]:
    running = Chdb(tmp_path_factory.mktemp("otel") / "store")
    tables, views = (schema.REQUESTS, schema.R_1M), (OTEL_TRACES, OTEL_EXP_HISTOGRAM)
    for statement in (schema.CREATE_DATABASE, *map(schema.ddl, tables), *map(schema.view_ddl, views)):
        running.execute(statement)
    yield running
    running.close()


@pytest.mark.parametrize(("view", "expected"), [("otel_traces", COLUMNS), ("otel_exp_histogram", POINT_COLUMNS)])
def test_a_view_has_the_columns_of_the_exporter(engine: Chdb, view: str, expected: dict[str, str]) -> None:
    rows = engine.execute(
        "SELECT name, type FROM system.columns WHERE database = 'inferometer' AND table = {view:String} "
        "FORMAT JSONCompactEachRow",
        {"view": view},
    )

    assert dict(map(json.loads, rows.splitlines())) == expected


def test_a_histogram_is_a_data_point_of_otlp(engine: Chdb) -> None:
    """Two unmerged rows of one minute; counts, offset and sum as `histogram_export.otlp` has them."""
    for ttft, itl in (({-17: 10, -14: 2, ZERO_KEY: 3}, {}), ({-17: 1, -12: 4}, {5: 6})):
        engine.execute(
            "INSERT INTO inferometer.r_1m (endpoint, model, t, ttft_h, ttft_us_sum, itl_h) VALUES "
            "('chat', 'tiny', toDateTime('2026-11-01 10:11:00', 'UTC'), {ttft:Map(Int16, UInt64)}, 2500000, "
            "{itl:Map(Int16, UInt64)})",
            {"ttft": str(ttft), "itl": str(itl)},
        )
    engine.execute(
        "INSERT INTO inferometer.r_1m (endpoint, t, srv_queue_h) VALUES "
        "('zeros', toDateTime('2026-11-01 10:11:00', 'UTC'), map(-32768, 4))"
    )
    rows = engine.execute("SELECT * FROM inferometer.otel_exp_histogram ORDER BY MetricName FORMAT JSONEachRow")
    ttft_row, itl_row, queue_row = map(json.loads, rows.splitlines())

    for row, h, sum_s in (
        (ttft_row, {-17: 11, -14: 2, -12: 4, ZERO_KEY: 3}, 5.0),
        (itl_row, {5: 6}, None),
        (queue_row, {ZERO_KEY: 4}, 0.0),
    ):
        point = otlp(h, sum_s=sum_s)
        assert (int(row["Count"]), row["Sum"], row["Scale"]) == (point.count, point.sum_s, point.scale)
        assert (int(row["ZeroCount"]), row["PositiveOffset"]) == (point.zero_count, point.offset)
        assert list(map(int, row["PositiveBucketCounts"])) == point.bucket_counts
        assert (1, [], None) == (row["AggregationTemporality"], row["NegativeBucketCounts"], row["Min"])
    assert (ttft_row["MetricName"], ttft_row["MetricUnit"]) == ("gen_ai.server.time_to_first_token", "s")
    assert ttft_row["Attributes"] == {"gen_ai.request.model": "tiny"}
    assert ttft_row["ResourceAttributes"] == {"service.name": "chat"}
    assert (ttft_row["StartTimeUnix"][:19], ttft_row["TimeUnix"][:19]) == ("2026-11-01 10:11:00", "2026-11-01 10:12:00")


def test_a_request_is_a_span(engine: Chdb) -> None:
    for outcome, eligible, trace in (("ok", "good", ""), ("stream_error", "bad", "ab" * 16)):
        engine.execute(
            "INSERT INTO inferometer.requests (ended_at, elapsed_us, endpoint, model, record_id, trace_id, outcome, "
            "eligible, api, ttft_us, tokens_out) SELECT now64(3), 1500000, 'chat', 'tiny', {record:UUID}, "
            "unhex({trace:String}), {outcome:String}, {eligible:String}, 'openai_chat', 250000, 7",
            {"record": str(RECORD), "outcome": outcome, "eligible": eligible, "trace": trace},
        )

    rows = engine.execute(
        "SELECT TraceId, SpanId, SpanName, ServiceName, Duration, StatusCode, StatusMessage, SpanAttributes, "
        "dateDiff('millisecond', Timestamp, now64(3)) BETWEEN 1500 AND 61500 AS is_start "
        "FROM inferometer.otel_traces ORDER BY StatusCode DESC FORMAT JSONEachRow SETTINGS "
        "output_format_json_quote_64bit_integers = 0"
    )
    good, bad = map(json.loads, rows.splitlines())

    assert (good["TraceId"], good["SpanId"]) == (RECORD.hex, RECORD.hex[16:])
    assert (bad["TraceId"], bad["SpanId"]) == ("ab" * 16, RECORD.hex[16:])
    assert (good["SpanName"], good["ServiceName"], good["Duration"]) == ("chat tiny", "chat", 1_500_000_000)
    assert (good["StatusCode"], good["StatusMessage"], good["is_start"]) == ("Ok", "", 1)
    assert (bad["StatusCode"], bad["StatusMessage"]) == ("Error", "stream_error")
    assert good["SpanAttributes"] == {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "tiny",
        "gen_ai.usage.output_tokens": "7",
        "inferometer.request.ttft": "0.25",
    }
    assert bad["SpanAttributes"]["error.type"] == "stream_error"
