"""The view on the real engine: one request as the span that a trace panel shows."""

import json
from collections.abc import Iterator
from uuid import UUID

import pytest
from chdb_child import Chdb

from telemetry import schema
from telemetry.schema.otel import OTEL_TRACES

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


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chdb]:
    running = Chdb(tmp_path_factory.mktemp("otel") / "store")
    for statement in (schema.CREATE_DATABASE, schema.ddl(schema.REQUESTS), schema.view_ddl(OTEL_TRACES)):
        running.execute(statement)
    yield running
    running.close()


def test_the_view_has_the_columns_of_the_exporter(engine: Chdb) -> None:
    rows = engine.execute(
        "SELECT name, type FROM system.columns WHERE database = 'inferometer' AND table = 'otel_traces' "
        "FORMAT JSONCompactEachRow"
    )

    assert dict(map(json.loads, rows.splitlines())) == COLUMNS


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
