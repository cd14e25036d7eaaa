"""Knows every table, column and view of the store, as data; refuses to know who runs a statement.

This is the one list: DDL, insert columns, docs and panels are generated from it.

Source: spec/store.md 1 to 4, 9.
"""

from telemetry.schema.details import CONTENT_SAMPLES, DETAIL_TABLES
from telemetry.schema.hints import HINT_TABLES
from telemetry.schema.ledger import LEDGER_TABLES, SCHEMA_MIGRATIONS
from telemetry.schema.loads import LOAD_TABLES
from telemetry.schema.minutes import MINUTE_TABLES, MINUTE_VIEWS, R_HEARTBEATS_1M, R_HEARTBEATS_1M_VIEW
from telemetry.schema.objectives import OBJECTIVE_TABLES
from telemetry.schema.otel import OTEL_EXP_HISTOGRAM, OTEL_VIEWS
from telemetry.schema.parts import Column, Engine, Table, View
from telemetry.schema.pipeline import PIPELINE_TABLES
from telemetry.schema.render import (
    CREATE_DATABASE,
    DATABASE,
    DEDUPLICATION_WINDOW,
    ONE_SERVER,
    Variant,
    create_database,
    ddl,
    table_statements,
    view_ddl,
    view_select,
)
from telemetry.schema.requests import REQUESTS
from telemetry.schema.rollups import R_1H, R_1M, R_1S, ROLLUP_TABLES, ROLLUP_VIEWS, index_sql
from telemetry.schema.samples import SAMPLE_TABLES

OTHER_TABLES = (
    *DETAIL_TABLES,
    *SAMPLE_TABLES,
    *MINUTE_TABLES,
    *PIPELINE_TABLES,
    *LOAD_TABLES,
    *OBJECTIVE_TABLES,
    *HINT_TABLES,
    *LEDGER_TABLES,
)
"""Every table that is neither `requests` nor made of it."""
TABLES = (SCHEMA_MIGRATIONS, REQUESTS, *ROLLUP_TABLES, *OTHER_TABLES, R_HEARTBEATS_1M)
"""Every table that each store has, in the order of creation."""
OTHER_VIEWS = (*MINUTE_VIEWS, *OTEL_VIEWS)
VIEWS = (*ROLLUP_VIEWS, *OTHER_VIEWS, OTEL_EXP_HISTOGRAM, R_HEARTBEATS_1M_VIEW)
"""Every view, in the order of creation."""


def statements(variant: Variant = ONE_SERVER) -> tuple[str, ...]:
    """Return every CREATE that makes an empty server a store, in order."""
    tables = (statement for table in TABLES for statement in table_statements(table, variant))
    return (create_database(variant), *tables, *(view_ddl(view, variant) for view in VIEWS))


__all__ = [
    "CONTENT_SAMPLES",
    "CREATE_DATABASE",
    "DATABASE",
    "DEDUPLICATION_WINDOW",
    "ONE_SERVER",
    "OTEL_EXP_HISTOGRAM",
    "OTHER_TABLES",
    "OTHER_VIEWS",
    "REQUESTS",
    "ROLLUP_TABLES",
    "ROLLUP_VIEWS",
    "R_1H",
    "R_1M",
    "R_1S",
    "R_HEARTBEATS_1M",
    "R_HEARTBEATS_1M_VIEW",
    "SCHEMA_MIGRATIONS",
    "TABLES",
    "VIEWS",
    "Column",
    "Engine",
    "Table",
    "Variant",
    "View",
    "create_database",
    "ddl",
    "index_sql",
    "statements",
    "table_statements",
    "view_ddl",
    "view_select",
]
