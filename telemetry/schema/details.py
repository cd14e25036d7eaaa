"""Knows the tables beside `requests`: details, error texts, samples, markers; refuses to know when they are written.

Source: spec/store.md 2.2.
"""

from telemetry.schema.parts import (
    BY_SERIES,
    NOBODY,
    STAMP,
    ZSTD,
    Column,
    Engine,
    Table,
    dims,
    label,
    maybe_stamp,
    number,
    real,
    stamp,
    text,
    us,
)

REQUEST_DETAILS = Table(
    name="request_details",
    writer=NOBODY,
    meaning="more of one request: of every one that is not ok, of the slowest, and of a random 1 %",
    order_by="(endpoint, ended_at)",
    time="ended_at",
    kept_days=7,
    shard_by=BY_SERIES,
    columns=(
        stamp("ended_at", "as in requests"),
        *dims(),
        number("record_id", "UUID", "its row in requests", "", ZSTD),
        number("span_id", "FixedString(8)", "W3C span id that the request carried, else zeros", "", ZSTD),
        text("engine_request_id", "the engine's own name of the request"),
        label("raw_type", "type of the error, as the engine wrote it"),
        label("raw_code", "code of the error, as the engine wrote it"),
        number("error_hash", "UInt64", "its template in error_texts; 0 if none"),
        us("retry_after_us", "how long the client was asked to wait; NULL if it was not"),
        Column(
            name="rate_limit",
            type="Map(LowCardinality(String), String)",
            meaning="rate limit headers of the response",
            codec=ZSTD,
        ),
        number("tenant_hmac", "FixedString(16)", "keyed hash of the tenant, else zeros", "", ZSTD),
        number("conversation_hmac", "FixedString(16)", "keyed hash of the conversation, else zeros", "", ZSTD),
        Column(
            name="gaps",
            type="Array(Tuple(offset_us UInt32, gap_us UInt32))",
            meaning="stalls: where they began, and how long they were",
            codec=ZSTD,
            unit="us",
        ),
        number("event_offsets_us", "Array(UInt32)", "output events after t_ref; sampled requests only", "us", ZSTD),
        number("event_tokens", "Array(UInt8)", "tokens of each of them", "tokens", ZSTD),
    ),
)


def _merged(name: str, how: str, kind: str, meaning: str, unit: str = "") -> Column:
    return Column(name=name, type=f"SimpleAggregateFunction({how}, {kind})", meaning=meaning, unit=unit)


ERROR_TEXTS = Table(
    name="error_texts",
    writer=NOBODY,
    meaning="one error message with its numbers, ids, quotes and URLs replaced; bodies are never stored",
    engine=Engine.AGGREGATING,
    order_by="error_hash",
    time="last_seen",
    kept_days=90,
    columns=(
        number("error_hash", "UInt64", "hash of the template"),
        _merged("template", "any", "String", "class, type, code and message, at most 512 bytes"),
        _merged("outcome", "any", "LowCardinality(String)", "class of the ending"),
        _merged("raw_type", "any", "LowCardinality(String)", "type of the error, as the engine wrote it"),
        _merged("first_seen", "min", STAMP, "wall time of the first", "ms"),
        _merged("last_seen", "max", STAMP, "wall time of the last", "ms"),
        _merged("n", "sum", "UInt64", "how often it was seen", "requests"),
    ),
)

CONTENT_SAMPLES = Table(
    name="content_samples",
    writer=NOBODY,
    meaning="text of one request; the table exists only while `privacy.content_samples` is on",
    order_by="(ended_at, record_id)",
    time="ended_at",
    kept_days=1,
    shard_by=("record_id",),
    columns=(
        number("record_id", "UUID", "its row in requests", "", ZSTD),
        stamp("ended_at", "as in requests"),
        label("part", "prompt or answer"),
        text("text", "the words themselves"),
    ),
)

MARKERS = Table(
    name="markers",
    writer="slo",
    meaning="something that happened and may explain a change",
    order_by="at",
    time="at",
    kept_days=400,
    columns=(
        stamp("at", "wall time at which it began"),
        maybe_stamp("end", "wall time at which it ended; NULL for an instant"),
        label("kind", "deploy, config, scale, price, incident or maintenance"),
        text("service", "what it happened to"),
        label("endpoint", "endpoint concerned; empty for all"),
        label("version", "version that came; empty if none"),
        label("actor", "who caused it"),
        number("automated", "UInt8", "1 if a program did"),
        text("text", "what a person wants to read"),
    ),
)

ADJUSTMENTS = Table(
    name="adjustments",
    writer="slo",
    meaning="a time in which objectives count less, such as an agreed maintenance",
    order_by="at",
    time="at",
    kept_days=400,
    columns=(
        stamp("at", "wall time at which it begins"),
        maybe_stamp("end", "wall time at which it ends; NULL for open"),
        text("selector", "which objectives"),
        text("rrule", "repetition, RFC 5545; empty for once"),
        real("percent_excluded", "share of its requests that do not count, 0 to 100", "%"),
        text("reason", "why"),
        label("author", "who said so"),
    ),
)

DETAIL_TABLES = (REQUEST_DETAILS, ERROR_TEXTS, MARKERS, ADJUSTMENTS)
