"""Knows how a store becomes what this version writes, and the check that it is; refuses to know how SQL is run.

The caller hands in whatever runs a statement: the embedded store's own process, or an admin's connection to a server.
Migrations only go forward and only add. A fresh store gets the tables of `telemetry.schema` as they are; a later
version adds `ALTER TABLE .. ADD COLUMN IF NOT EXISTS` steps behind the last. Two migrators at once do no harm: every
statement is idempotent, and the row that remembers a migration carries its own insert token.

Source: spec/store.md 9 (migrations, schema hash).
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import chain

from inferometer import rebuild
from inferometer.rebuild import Execute, Tell
from telemetry import clock, queries, schema
from telemetry.schema import facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step.

    Attributes:
        version: Number, ascending.
        name: What it does.
        statements: Its idempotent statements, for one server or a cluster.
        fills: Whether the roll-ups it makes get what the raw table holds already. One server only: the version without
            roll-ups knew no cluster.
        copied: Views whose targets get what their sources hold already. What such a target keeps is least or most, so
            rows that come meanwhile, and a second time, change nothing.
    """

    version: int
    name: str
    statements: Callable[[schema.Variant], tuple[str, ...]]
    fills: bool = False
    copied: tuple[schema.View, ...] = ()


def _creating(
    tables: tuple[schema.Table, ...], views: tuple[schema.View, ...], variant: schema.Variant
) -> tuple[str, ...]:
    made = chain.from_iterable(schema.table_statements(table, variant) for table in tables)
    return (*made, *(schema.view_ddl(view, variant) for view in views))


MIGRATIONS = (
    Migration(
        version=1, name="requests", statements=partial(_creating, (schema.SCHEMA_MIGRATIONS, schema.REQUESTS), ())
    ),
    Migration(
        version=2,
        name=queries.ROLLUPS_MADE,
        statements=partial(_creating, schema.ROLLUP_TABLES, schema.ROLLUP_VIEWS),
        fills=True,
    ),
    Migration(
        version=3,
        name="samples, objectives, hints, load tests, ledger",
        statements=partial(_creating, schema.OTHER_TABLES, schema.OTHER_VIEWS),
    ),
    Migration(
        version=4, name="exponential histograms", statements=partial(_creating, (), (schema.OTEL_EXP_HISTOGRAM,))
    ),
    Migration(
        version=5,
        name="minutes of heartbeats",
        statements=partial(_creating, (schema.R_HEARTBEATS_1M,), (schema.R_HEARTBEATS_1M_VIEW,)),
        copied=(schema.R_HEARTBEATS_1M_VIEW,),
    ),
)
VERSION = MIGRATIONS[-1].version
"""Schema version that this program writes."""

_IS_MADE = """\
SELECT count()
FROM system.tables
WHERE database = 'inferometer' AND name = 'schema_migrations'
FORMAT TabSeparated"""
_APPLIED = """\
SELECT DISTINCT version
FROM inferometer.schema_migrations
ORDER BY version
FORMAT TabSeparated"""
_TABLES = """\
SELECT name, engine, sorting_key, partition_key, engine_full, as_select
FROM system.tables
WHERE database = 'inferometer'
FORMAT JSONEachRow"""
_COLUMNS = """\
SELECT table, name, type, default_kind, default_expression
FROM system.columns
WHERE database = 'inferometer'
FORMAT JSONEachRow"""
_FORMATTED = "SELECT formatQuerySingleLine({query:String}) FORMAT RawBLOB"
_RECORD = """\
INSERT INTO inferometer.schema_migrations (version, name, applied_at, checksum, schema_hash, by)
SETTINGS insert_deduplication_token = {token:String}, insert_deduplicate = 1, async_insert = 0
VALUES ({version:UInt32}, {name:String}, now64(3), {checksum:String}, unhex({hash:String}), {by:String})"""


_IN_ORDER = "SETTINGS optimize_aggregation_in_order = 1"
"""Series after series, as they lie: the groups of a fortnight at once would take gigabytes."""


def _say_nothing(_line: str) -> None:
    """Hear no progress."""


class SchemaDriftError(Exception):
    """The store is not what this version writes; the message names the first table and column, expected and found."""


class NewerSchemaError(SchemaDriftError):
    """A newer version has migrated the store; this one must not touch its tables."""


def plan(execute: Execute, variant: schema.Variant = schema.ONE_SERVER) -> tuple[str, ...]:
    """Return the statements that `apply` would run, without running any of them.

    Raises:
        NewerSchemaError: The store is newer than this program.
    """
    missing = _missing(execute) if int(execute(_IS_MADE)) else list(MIGRATIONS)
    if not missing:
        return ()
    steps = chain.from_iterable(migration.statements(variant) for migration in missing)
    return (schema.create_database(variant), *steps)


def apply(
    execute: Execute,
    *,
    by: str,
    variant: schema.Variant = schema.ONE_SERVER,
    tell: Tell = _say_nothing,
    wait: Callable[[float], None] = clock.sleep,
) -> list[int]:
    """Run every migration that the store lacks, oldest first.

    Whoever writes to a store that has no roll-ups yet must not write meanwhile: what comes between their making and
    their filling would be missing in them.

    Args:
        execute: Runs one statement with the rights of an admin.
        by: Name and version of the program, kept with each step.
        variant: One server, or a cluster.
        tell: Hears how far a long step is.
        wait: Waits so many seconds, for what may still come of the time before a step.

    Returns:
        The versions that were applied now; empty if the store was up to date.

    Raises:
        NewerSchemaError: The store is newer than this program.
    """
    execute(schema.create_database(variant))
    for statement in schema.table_statements(schema.SCHEMA_MIGRATIONS, variant):
        execute(statement)
    missing = _missing(execute)
    wanted: facts.Facts = _wanted(execute, variant) if missing else {}
    for migration in missing:
        for statement in migration.statements(variant):
            execute(statement)
        for view in migration.copied:
            # Through the tables that spread rows over a cluster, where there is one.
            execute(f"INSERT INTO {schema.DATABASE}.{view.target} {schema.view_select(view)} {_IN_ORDER}")
        filled = migration.fills and not variant.cluster and rebuild.rebuild(execute, rebuild.ALL_TIME, tell)
        _record(execute, migration, variant, by, facts.digest(wanted, _found(execute)))
        if filled:
            wait(rebuild.unsettled_s(execute))
    return [migration.version for migration in missing]


def verify(execute: Execute, variant: schema.Variant = schema.ONE_SERVER) -> None:
    """Compare tables, columns, keys, views, and the settings that deduplication and durability rest on.

    Raises:
        SchemaDriftError: Something is missing or different.
    """
    wrong = facts.difference(_wanted(execute, variant), _found(execute))
    if wrong is not None:
        raise SchemaDriftError(wrong)


def _missing(execute: Execute) -> list[Migration]:
    done = {int(line) for line in execute(_APPLIED).split()}
    newest = max(done, default=0)
    if newest > VERSION:
        raise NewerSchemaError(
            f"schema version {newest}, this program knows {VERSION}: install an inferometer that is at least as new"
        )
    return [migration for migration in MIGRATIONS if migration.version not in done]


def _wanted(execute: Execute, variant: schema.Variant) -> facts.Facts:
    def formatted(query: str) -> str:
        return execute(_FORMATTED, {"query": query})

    return facts.expected(schema.TABLES, schema.VIEWS, variant, formatted)


def _found(execute: Execute) -> facts.Facts:
    tables, columns = (map(json.loads, execute(sql).splitlines()) for sql in (_TABLES, _COLUMNS))
    return facts.found(tables, columns)


def _record(execute: Execute, migration: Migration, variant: schema.Variant, by: str, digest: str) -> None:
    statements = "\n".join(migration.statements(variant))
    execute(
        _RECORD,
        {
            "token": f"migration-{migration.version}",
            "version": str(migration.version),
            "name": migration.name,
            "checksum": hashlib.sha256(statements.encode()).hexdigest(),
            "hash": digest,
            "by": by,
        },
    )
