"""Knows how a store becomes what this version writes, and the check that it is; refuses to know how SQL is run.

The caller hands in whatever runs a statement: the embedded store's own process, or an admin's connection to a server.
Migrations only go forward, are idempotent and only add. A fresh store gets the tables of `telemetry.schema` as they
are; a later version adds `ALTER TABLE .. ADD COLUMN IF NOT EXISTS` steps behind the first.

Source: spec/store.md 1 (settings verified at start), 9 (migrations).
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass

from telemetry import schema

Execute = Callable[[str], str]
"""Runs one statement and returns its result as TabSeparated text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """One step.

    Attributes:
        version: Number, ascending.
        name: What it does.
        statements: Its idempotent statements.
    """

    version: int
    name: str
    statements: tuple[str, ...]


MIGRATIONS = (Migration(version=1, name="requests", statements=tuple(schema.ddl(table) for table in schema.TABLES)),)

_APPLIED = """\
SELECT version
FROM inferometer.schema_migrations
ORDER BY version
FORMAT TabSeparated"""
_TABLES = """\
SELECT name, engine_full
FROM system.tables
WHERE database = 'inferometer'
FORMAT JSONCompactEachRow"""
_COLUMNS = """\
SELECT table, name, type
FROM system.columns
WHERE database = 'inferometer'
FORMAT JSONCompactEachRow"""


class SchemaDriftError(Exception):
    """The store is not what this version writes; the message names the first table and column, expected and found."""


def apply(execute: Execute, *, by: str) -> list[int]:
    """Run every migration that the store lacks, oldest first.

    Args:
        execute: Runs one statement with the rights of an admin.
        by: Name and version of the program, kept with each step.

    Returns:
        The versions that were applied now; empty if the store was up to date.
    """
    execute(schema.CREATE_DATABASE)
    execute(schema.ddl(schema.SCHEMA_MIGRATIONS))
    done = {int(line) for line in execute(_APPLIED).split()}
    missing = [migration for migration in MIGRATIONS if migration.version not in done]
    for migration in missing:
        for statement in migration.statements:
            execute(statement)
        execute(_record(migration, by))
    return [migration.version for migration in missing]


def verify(execute: Execute) -> None:
    """Check tables, columns, and the settings that deduplication and durability rest on.

    Raises:
        SchemaDriftError: Something is missing or different.
    """
    engines = dict(json.loads(line) for line in execute(_TABLES).splitlines())
    types = {(table, name): kind for table, name, kind in map(json.loads, execute(_COLUMNS).splitlines())}
    for table in schema.TABLES:
        _verify_settings(table, engines.get(table.name))
        for column in table.columns:
            found = types.get((table.name, column.name))
            if found != column.type:
                raise SchemaDriftError(f"{table.name}.{column.name}: expected {column.type}, found {found or 'none'}")


def _verify_settings(table: schema.Table, engine: str | None) -> None:
    if engine is None:
        raise SchemaDriftError(f"table {table.name} is missing")
    found = dict(part.split(" = ", 1) for part in engine.partition(" SETTINGS ")[2].split(", ") if " = " in part)
    for name, value in table.settings.items():
        if found.get(name) != value:
            raise SchemaDriftError(
                f"table {table.name}: setting {name} is {found.get(name, 'not set')}, needed is {value}"
            )


def _record(migration: Migration, by: str) -> str:
    checksum = hashlib.sha256("\n".join(migration.statements).encode()).hexdigest()
    known = hashlib.sha256("\n".join(map(schema.ddl, schema.TABLES)).encode()).hexdigest()
    values = f"{migration.version}, '{migration.name}', now64(3), '{checksum}', unhex('{known}'), '{by}'"
    columns = ", ".join(column.name for column in schema.SCHEMA_MIGRATIONS.columns)
    return f"INSERT INTO {schema.DATABASE}.{schema.SCHEMA_MIGRATIONS.name} ({columns}) SELECT {values}"
