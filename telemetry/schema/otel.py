"""Knows how `requests` looks to tools that read OpenTelemetry's tables in ClickHouse; refuses to know those tools.

A request is one span, and its row has the columns that the collector's ClickHouse exporter gives to `otel_traces`, so
that trace panels work unchanged. A request that carried no trace id is a trace of its own, named by its record id.

Source: spec/store.md 7; opentelemetry-collector-contrib, clickhouseexporter/internal/sqltemplates/traces_table.sql
(columns); OpenTelemetry GenAI conventions 1.37, gen-ai-spans (span name, kind, attributes).
"""

from telemetry.schema.parts import View

OTEL_TRACES = View(
    name="otel_traces",
    source="requests",
    select="""\
SELECT
    toDateTime64(started_at, 9, 'UTC') AS Timestamp,
    if(
        trace_id = toFixedString('', 16), replaceAll(toString(record_id), '-', ''), lower(hex(trace_id))
    ) AS TraceId,
    substring(replaceAll(toString(record_id), '-', ''), 17) AS SpanId,
    '' AS ParentSpanId,
    '' AS TraceState,
    toLowCardinality(
        concat(if(api = 'openai_completions', 'text_completion', 'chat'), ' ', toString(model))
    ) AS SpanName,
    toLowCardinality('Client') AS SpanKind,
    endpoint AS ServiceName,
    CAST(
        mapFilter(
            (name, value) -> value != '',
            map(
                'service.name', toString(endpoint),
                'service.instance.id', toString(replica),
                'cloud.region', toString(region)
            )
        ),
        'Map(LowCardinality(String), String)'
    ) AS ResourceAttributes,
    'inferometer' AS ScopeName,
    toString(defs_version) AS ScopeVersion,
    CAST(
        mapFilter(
            (name, value) -> value != '',
            map(
                'gen_ai.operation.name', if(api = 'openai_completions', 'text_completion', 'chat'),
                'gen_ai.request.model', toString(model),
                'gen_ai.response.finish_reasons', toString(finish_reason),
                'gen_ai.usage.input_tokens', ifNull(toString(tokens_in), ''),
                'gen_ai.usage.output_tokens', ifNull(toString(tokens_out), ''),
                'http.response.status_code', if(http_status = 0, '', toString(http_status)),
                'error.type', if(outcome = 'ok', '', toString(outcome)),
                'inferometer.request.ttft', ifNull(toString(ttft_us / 1e6), ''),
                'inferometer.request.phase', toString(phase),
                'inferometer.request.origin', toString(origin),
                'inferometer.request.traffic', toString(traffic)
            )
        ),
        'Map(LowCardinality(String), String)'
    ) AS SpanAttributes,
    elapsed_us * 1000 AS Duration,
    toLowCardinality(multiIf(outcome = 'ok', 'Ok', eligible = 'bad', 'Error', 'Unset')) AS StatusCode,
    if(outcome = 'ok', '', toString(outcome)) AS StatusMessage,
    CAST([], 'Array(DateTime64(9))') AS `Events.Timestamp`,
    CAST([], 'Array(LowCardinality(String))') AS `Events.Name`,
    CAST([], 'Array(Map(LowCardinality(String), String))') AS `Events.Attributes`,
    CAST([], 'Array(String)') AS `Links.TraceId`,
    CAST([], 'Array(String)') AS `Links.SpanId`,
    CAST([], 'Array(String)') AS `Links.TraceState`,
    CAST([], 'Array(Map(LowCardinality(String), String))') AS `Links.Attributes`
FROM inferometer.requests""",
)

OTEL_VIEWS = (OTEL_TRACES,)
