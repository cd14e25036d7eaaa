"""Knows every table and column of the store, as data, and how to turn them into DDL; refuses to know who runs it.

This is the one list: DDL, insert columns, docs and panels are generated from it. Short names `L`, `T`, `U`, `C` are
those of the specification.

Source: spec/store.md 1 (conventions), 2.1 (`requests`), 3 (`schema_migrations`).
"""

from dataclasses import dataclass

DATABASE = "inferometer"
DEDUPLICATION_WINDOW = 10_000
"""Insert tokens that a table remembers; a token older than that many inserts no longer protects (spec 10.6)."""

_FOR_EVERY_TABLE = {
    "non_replicated_deduplication_window": str(DEDUPLICATION_WINDOW),
    "fsync_after_insert": "1",
    "fsync_part_directory": "1",
}
_WITH_A_TTL = {"ttl_only_drop_parts": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column.

    Attributes:
        name: The name shared by column, JSON field and Python attribute; the unit is its last word.
        type: ClickHouse type, without codec.
        meaning: What the value says, and when it is NULL or empty.
        codec: Codec list, empty for the server's default.
        unit: Unit of the value; empty if it has none.
        default: `DEFAULT ...` or `ALIAS ...`; such a column is not inserted.
    """

    name: str
    type: str
    meaning: str
    codec: str = ""
    unit: str = ""
    default: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table of the MergeTree family.

    Attributes:
        name: Name within the database.
        writer: Room whose processes insert into it.
        columns: Columns in order.
        order_by: Sorting key.
        partition_by: Partition expression; empty for none.
        ttl: Expression of the row's time plus interval; empty for rows that stay for ever.
        indexes: Skipping indexes, each `name expression TYPE ... GRANULARITY n`.
    """

    name: str
    writer: str
    columns: tuple[Column, ...]
    order_by: str
    partition_by: str = ""
    ttl: str = ""
    indexes: tuple[str, ...] = ()

    @property
    def insert_columns(self) -> tuple[Column, ...]:
        """The columns that a writer fills, in order."""
        return tuple(column for column in self.columns if not column.default)

    @property
    def settings(self) -> dict[str, str]:
        """The table settings that deduplication and durability rest on; start-up verifies them."""
        return _FOR_EVERY_TABLE | (_WITH_A_TTL if self.ttl else {})


CREATE_DATABASE = "CREATE DATABASE IF NOT EXISTS inferometer"


def ddl(table: Table, database: str = DATABASE) -> str:
    """Return the idempotent CREATE statement of a table."""
    lines = [_column_line(column) for column in table.columns]
    lines += [f"INDEX {index}" for index in table.indexes]
    body = ",\n    ".join(lines)
    settings = ", ".join(f"{name} = {value}" for name, value in table.settings.items())
    clauses = [f"CREATE TABLE IF NOT EXISTS {database}.{table.name}\n(\n    {body}\n)\nENGINE = MergeTree"]
    clauses += [f"PARTITION BY {table.partition_by}"] if table.partition_by else []
    clauses += [f"ORDER BY {table.order_by}"]
    clauses += [f"TTL {table.ttl}"] if table.ttl else []
    return "\n".join([*clauses, f"SETTINGS {settings}"])


def _column_line(column: Column) -> str:
    codec = f"CODEC({column.codec})" if column.codec else ""
    return " ".join(part for part in (column.name, column.type, column.default, codec) if part)


def _label(name: str, meaning: str) -> Column:
    return Column(name=name, type="LowCardinality(String)", meaning=meaning)


def _time(name: str, meaning: str, default: str = "") -> Column:
    kind = "DateTime64(3, 'UTC')"
    return Column(name=name, type=kind, meaning=meaning, codec="Delta(8), ZSTD(1)", unit="ms", default=default)


def _us(name: str, meaning: str) -> Column:
    return Column(name=name, type="Nullable(UInt32)", meaning=meaning, codec=_T64, unit="us")


def _tokens(name: str, meaning: str) -> Column:
    return Column(name=name, type="Nullable(UInt32)", meaning=meaning, codec=_T64, unit="tokens")


def _number(name: str, kind: str, meaning: str, unit: str = "", codec: str = "") -> Column:
    return Column(name=name, type=kind, meaning=meaning, codec=codec, unit=unit)


_T64 = "T64, ZSTD(1)"
_STARTED = "ALIAS addMicroseconds(ended_at, -toInt64(elapsed_us))"
_ELIGIBLE = "Enum8('good' = 1, 'bad' = 2, 'excluded' = 3, 'censored' = 4)"

REQUESTS = Table(
    name="requests",
    writer="collector",
    partition_by="toDate(ended_at)",
    order_by="(endpoint, model, region, workload_class, toStartOfMinute(ended_at), ended_at)",
    ttl="toDateTime(ended_at) + INTERVAL 14 DAY",
    indexes=(
        "ingested_at_minmax ingested_at TYPE minmax GRANULARITY 1",
        "seq_minmax seq TYPE minmax GRANULARITY 4",
        "trace_id_bloom trace_id TYPE bloom_filter(0.01) GRANULARITY 4",
    ),
    columns=(
        _time("ended_at", "wall time at which the outcome was decided: wall anchor plus monotonic delta"),
        _time("ingested_at", "the store's clock at insert; finds late rows", "DEFAULT now64(3)"),
        _number("elapsed_us", "UInt64", "t_ref (planned or actual issue) to the decision; always known", "us", _T64),
        Column(
            name="started_at",
            type="DateTime64(6, 'UTC')",
            meaning="t_ref as wall time",
            unit="us",
            default=_STARTED,
        ),
        _label("endpoint", "configured name of the endpoint"),
        _label("model", "model named by the request, after the cardinality guard; empty if none"),
        _label("region", "configured region; empty if not set"),
        _label("workload_class", "configured class of the workload; empty if not set"),
        _label("variant", "release or canary arm; empty if not set"),
        _label("traffic", "user, probe or loadtest; objectives and default panels read user"),
        _label("replica", "address or pod of the upstream that answered"),
        _label("tenant", "configured and bounded tenant; empty if not set"),
        _label("api", "dialect of the exchange"),
        _label("point", "where the stamps were taken: client, tee, otlp or engine_log"),
        _label("collector", "<node>/<epoch8> of the spool that the row comes from"),
        _number("seq", "UInt64", "spool sequence number: with collector the row's identity", "", "Delta(8), ZSTD(1)"),
        _number("record_id", "UUID", "UUIDv7 of the record; look it up by day, never sort by it", "", "ZSTD(1)"),
        _number("trace_id", "FixedString(16)", "W3C trace id that the request carried, else zeros", "", "ZSTD(1)"),
        _label("run_id", "load-test run; empty if none"),
        _number("flow_id", "Nullable(UInt64)", "keyed hash of the workflow header; NULL if none"),
        _label("outcome", "class of the ending (measurement.md 9)"),
        _label("phase", "how far the request had come"),
        _label("origin", "which part caused the outcome; empty if it succeeded"),
        _label("finish_reason", "the engine's word; empty if none came"),
        _number("eligible", _ELIGIBLE, "default judgement in an objective; objectives refine it"),
        _number("http_status", "UInt16", "status of the response head; 0 if no head came"),
        _number("attempt", "UInt8", "1 for a first attempt"),
        _number("stream", "UInt8", "1 if the response was streamed"),
        _number("in_stream", "UInt8", "1 if the fault was seen under HTTP 200"),
        _number("retryable", "UInt8", "1 if a client may retry"),
        _number("defs_version", "UInt16", "version of the measurement definitions"),
        _number("flags", "UInt32", "bits of telemetry.outcome.Flag", "", _T64),
        _number("e2e_us", "Nullable(UInt64)", "t_ref to the finish event; NULL without terminal evidence", "us", _T64),
        _us("sched_lag_us", "planned arrival to issue; NULL without a plan"),
        _us("connect_us", "issue to connection usable; 0 if reused"),
        _us("send_us", "connection usable to last request byte sent"),
        _us("headers_us", "t_ref to response head complete"),
        _us("first_event_us", "t_ref to first event of any kind but a comment"),
        _us("ttft_us", "t_ref to first output event; NULL if none came or the body is not streamed"),
        _us("ttft_service_us", "issue to first output event"),
        _us("ttfo_us", "t_ref to first visible output; NULL if none came"),
        _us("tpot_us", "time per output token after the first event's tokens"),
        _us("icl_p50_us", "median gap between arrivals, undivided"),
        _us("icl_p99_us", "99th percentile of the same gaps, nearest rank"),
        _us("icl_max_us", "largest of the same gaps: the worst stall"),
        _us("open_gap_us", "last output to the end, if no finish event came"),
        _us("stall_us", "summed length of the gaps above the stall threshold"),
        _us("wire_gap_max_us", "longest time without any body byte"),
        _number("stall_n", "UInt16", "gaps above the stall threshold", "gaps", _T64),
        _number("n_arrivals", "UInt32", "distinct stamps at which output came", "stamps", _T64),
        _number("n_out_events", "UInt32", "output events; events are not tokens", "events", _T64),
        _us("srv_queue_us", "queue time that the engine reported"),
        _us("srv_prefill_us", "prefill time that the engine reported"),
        _us("srv_decode_us", "decode time that the engine reported"),
        _us("srv_mean_itl_us", "mean inter-token latency that the engine reported"),
        _us("residual_us", "ttft_service_us less queue and prefill: network, gateway, API front end"),
        _us("tee_us", "delay added by our data plane"),
        _number("itl_h", "Map(Int16, UInt32)", "inter-token latencies: histogram bucket to count", "tokens", "ZSTD(1)"),
        _number("tok_by_s", "Array(UInt32)", "output tokens per second bin, from the first on", "tokens", "ZSTD(1)"),
        _tokens("tokens_in", "prompt tokens, cache reads and writes included"),
        _tokens("tokens_out", "output tokens, reasoning included; never counted from chunks"),
        _tokens("tokens_cache_read", "prompt tokens read from a cache"),
        _tokens("tokens_cache_write", "prompt tokens written to a cache"),
        _tokens("tokens_reasoning", "output tokens spent on reasoning"),
        _label("ttft_source", "from which instant, and by whom; never mixed in one statistic"),
        _label("ttft_quality", "how well the first-token instant is known"),
        _label("tok_source", "where the output token count comes from"),
        _label("tok_time_quality", "how tokens were placed in time"),
        _number("bytes_in", "UInt64", "request bytes on the wire, heads and framing included", "bytes", _T64),
        _number("bytes_out", "UInt64", "response bytes on the wire, heads and framing included", "bytes", _T64),
    ),
)

SCHEMA_MIGRATIONS = Table(
    name="schema_migrations",
    writer="inferometer",
    order_by="version",
    columns=(
        _number("version", "UInt32", "number of the migration; applied in this order"),
        _number("name", "String", "what it does"),
        _time("applied_at", "wall time at which it was applied"),
        _number("checksum", "String", "SHA-256 of its statements, hexadecimal"),
        _number("schema_hash", "FixedString(32)", "SHA-256 over the DDL of every table that this version knows"),
        _label("by", "version of the program that applied it"),
    ),
)

TABLES = (SCHEMA_MIGRATIONS, REQUESTS)
"""Every table, in the order of creation."""
