"""Knows the tables of what was done and by whom: migrations, audit, dead letters, prices; refuses to know who may.

Source: spec/store.md 3.
"""

from telemetry.schema.parts import NOBODY, Table, label, number, stamp, text

SCHEMA_MIGRATIONS = Table(
    name="schema_migrations",
    writer="inferometer",
    meaning="one migration that was applied",
    order_by="version",
    columns=(
        number("version", "UInt32", "number of the migration; applied in this order"),
        number("name", "String", "what it does"),
        stamp("applied_at", "wall time at which it was applied"),
        number("checksum", "String", "SHA-256 of its statements, hexadecimal"),
        number("schema_hash", "FixedString(32)", "SHA-256 over what the system tables said of the schema after it"),
        label("by", "version of the program that applied it"),
    ),
)

AUDIT = Table(
    name="audit",
    writer="inferometer",
    meaning="one act of a person or a program; a copy, the local JSONL file is the authority",
    order_by="at",
    time="at",
    kept_days=1826,
    columns=(
        stamp("at", "wall time of the act"),
        label("actor", "who acted"),
        label("action", "what was done"),
        text("object", "what it was done to"),
        text("before", "state before, JSON"),
        text("after", "state after, JSON"),
        text("source_ip", "address that the act came from; empty if local"),
        number("prev_hash", "FixedString(32)", "hash of the row before"),
        number("hash", "FixedString(32)", "SHA-256 of prev_hash and this row's canonical JSON"),
    ),
)

DLQ = Table(
    name="dlq",
    writer="collector",
    meaning="one record that the store refused: an index, the payload stays in the collector's own file",
    order_by="(collector, at)",
    time="at",
    kept_days=90,
    columns=(
        stamp("at", "wall time at which the record was set aside, or its state changed"),
        label("collector", "<node>/<epoch8> of the spool that holds it"),
        label("lane", "lane of the spool"),
        number("dlq_id", "UInt64", "its number in the collector's file"),
        number("seq", "UInt64", "its spool sequence number"),
        label("code", "error code of the store, or of the encoder"),
        text("error", "message of the store"),
        number("bytes", "UInt32", "size of the payload", "bytes"),
        label("state", "new, replayed or discarded"),
    ),
)

_USD_PER_MTOK = tuple(
    number(f"usd_per_mtok_{kind}", "Float64", f"price of a million {words}", "USD")
    for kind, words in (
        ("in", "prompt tokens"),
        ("out", "output tokens"),
        ("cache_read", "prompt tokens read from a cache"),
        ("cache_write", "prompt tokens written to a cache"),
        ("reasoning", "reasoning tokens"),
    )
)
PRICES = Table(
    name="prices",
    writer=NOBODY,
    meaning="prices of a model from a day on; applied at query time, so a corrected price corrects history",
    order_by="(provider, model, valid_from)",
    columns=(
        label("provider", "who bills"),
        label("model", "name of the model"),
        stamp("valid_from", "wall time from which they hold"),
        *_USD_PER_MTOK,
        number("gpu_usd_per_hour", "Float64", "price of a GPU hour; 0 if billed by token", "USD"),
        text("source", "where the prices come from; a user's file wins"),
        number("as_of", "Date", "day on which the source was read"),
    ),
)

LEDGER_TABLES = (AUDIT, DLQ, PRICES)
