"""Knows how our rows look to tools that read OpenTelemetry's tables in ClickHouse; refuses to know those tools.

The views have the columns that the collector's ClickHouse exporter gives to its tables, so that panels work unchanged.
A request is one span; one that carried no trace id is a trace of its own, named by its record id. A histogram of one
minute is one data point, a delta, of the requests with outcome ok. What is unknown of it is NULL, where the exporter
writes 0: the sum of some, the smallest and the largest value of all.

Source: spec/store.md 7, 4.2; opentelemetry-collector-contrib, clickhouseexporter/internal/sqltemplates/traces_table.sql
and metrics_exp_histogram_table.sql at e3bd2d1 (columns); OpenTelemetry GenAI conventions 1.37, gen-ai-spans,
gen-ai-metrics (names, kind, attributes); opentelemetry-proto metrics/v1/metrics.proto (dense counts from the offset
on; temporality 1 is delta).
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

_HISTOGRAMS = (
    ("gen_ai.server.time_to_first_token", "Time to generate first token.", "ttft_h", "ttft_us_sum"),
    ("gen_ai.server.request.duration", "Request sent to finish event.", "e2e_h", "e2e_us_sum"),
    ("gen_ai.server.time_per_output_token", "Time per token after the first.", "tpot_h", "tpot_us_sum"),
    ("inferometer.request.ttfo", "Request sent to first visible output.", "ttfo_h", ""),
    ("inferometer.request.itl", "Inter-token latencies.", "itl_h", ""),
    ("inferometer.request.icl_max", "Largest gap between arrivals of output.", "icl_max_h", ""),
    ("inferometer.request.srv_queue", "Queue time that the engine reported.", "srv_queue_h", "srv_queue_us_sum"),
)
"""Name, meaning, column of the roll-up, and column of the sum of the same requests if there is one."""
_POINTS = ",\n        ".join(
    f"('{name}', '{meaning}', m.{h}, CAST({f'm.{total} / 1e6' if total else 'NULL'}, 'Nullable(Float64)'))"
    for name, meaning, h, total in _HISTOGRAMS
)
_MERGED = ", ".join(f"sumMap(s.{h}) AS {h}" for _, _, h, _ in _HISTOGRAMS)
_SUMS = ", ".join(f"sum(s.{total}) AS {total}" for _, _, _, total in _HISTOGRAMS if total)
_EXP_HISTOGRAM = """\
SELECT
    CAST(
        mapFilter(
            (name, value) -> value != '',
            map('service.name', toString(endpoint), 'cloud.region', toString(region))
        ),
        'Map(LowCardinality(String), String)'
    ) AS ResourceAttributes,
    '' AS ResourceSchemaUrl,
    'inferometer' AS ScopeName,
    '' AS ScopeVersion,
    CAST(map(), 'Map(LowCardinality(String), String)') AS ScopeAttributes,
    toUInt32(0) AS ScopeDroppedAttrCount,
    '' AS ScopeSchemaUrl,
    endpoint AS ServiceName,
    point.1 AS MetricName,
    point.2 AS MetricDescription,
    's' AS MetricUnit,
    CAST(
        mapFilter(
            (name, value) -> value != '',
            map(
                'gen_ai.request.model', toString(model),
                'inferometer.workload_class', toString(workload_class),
                'inferometer.variant', toString(variant),
                'inferometer.request.traffic', toString(traffic)
            )
        ),
        'Map(LowCardinality(String), String)'
    ) AS Attributes,
    toDateTime64(t, 9, 'UTC') AS StartTimeUnix,
    toDateTime64(t + toIntervalMinute(1), 9, 'UTC') AS TimeUnix,
    arraySum(mapValues(point.3)) AS Count,
    point.4 AS Sum,
    toInt32(4) AS Scale,
    point.3[-32768] AS ZeroCount,
    toInt32(if(empty(places), 0, arrayMin(places))) AS PositiveOffset,
    arrayMap(
        place -> point.3[toInt16(place)],
        if(empty(places), [], range(PositiveOffset, toInt32(arrayMax(places)) + 1))
    ) AS PositiveBucketCounts,
    toInt32(0) AS NegativeOffset,
    CAST([], 'Array(UInt64)') AS NegativeBucketCounts,
    CAST([], 'Array(Map(LowCardinality(String), String))') AS `Exemplars.FilteredAttributes`,
    CAST([], 'Array(DateTime64(9))') AS `Exemplars.TimeUnix`,
    CAST([], 'Array(Float64)') AS `Exemplars.Value`,
    CAST([], 'Array(String)') AS `Exemplars.SpanId`,
    CAST([], 'Array(String)') AS `Exemplars.TraceId`,
    toUInt32(0) AS Flags,
    CAST(NULL, 'Nullable(Float64)') AS Min,
    CAST(NULL, 'Nullable(Float64)') AS Max,
    toInt32(1) AS AggregationTemporality
FROM
(
    SELECT
        endpoint, model, region, workload_class, variant, traffic, t,
        arrayJoin([
        {points}
        ]) AS point,
        arrayFilter(place -> place != -32768, mapKeys(point.3)) AS places
    FROM
    (
        SELECT endpoint, model, region, workload_class, variant, traffic, t, {merged}, {sums}
        FROM inferometer.r_1m AS s
        GROUP BY endpoint, model, region, workload_class, variant, traffic, t
    ) AS m
)
WHERE notEmpty(point.3)"""
OTEL_EXP_HISTOGRAM = View(
    name="otel_exp_histogram",
    source="r_1m",
    select=_EXP_HISTOGRAM.replace("{points}", _POINTS).replace("{merged}", _MERGED).replace("{sums}", _SUMS),
)

OTEL_VIEWS = (OTEL_TRACES,)
