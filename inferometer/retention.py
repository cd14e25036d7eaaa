"""Knows how long the tables of a store keep their rows, and how that is changed; refuses to know who wants it.

A retention is a number of days by table; 0 keeps rows for ever, and a table that is not named keeps them as the schema
says. Only what differs is altered. Parts then get new dates of expiry and are not written anew; what is too old goes
with its partition, when the store next looks.

Source: spec/store.md 1 (TTLs are defaults); https://clickhouse.com/docs/operations/settings/merge-tree-settings
(materialize_ttl_recalculate_only); tried on chDB 26.9.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from inferometer.rebuild import Execute
from telemetry import schema
from telemetry.schema import render

Days = Mapping[str, int]
"""By table."""
_TTL = re.compile(r" TTL .* \+ toIntervalDay\((\d+)\)(?: SETTINGS|$)")
_ENGINES = """\
SELECT name, engine_full
FROM system.tables
WHERE database = 'inferometer' AND engine LIKE '%MergeTree'
FORMAT TabSeparatedRaw"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A table that keeps its rows for another time than it should.

    Attributes:
        table: Its name.
        found: Days; 0 for ever; None if it is another rule than ours.
        wanted: Days; 0 for ever.
        statements: What changes it, in order; may be repeated.
    """

    table: str
    found: int | None
    wanted: int
    statements: tuple[str, ...]

    def __str__(self) -> str:
        """Say it in one line."""
        return f"table {self.table}: rows are kept {_words(self.wanted)}, before {_words(self.found)}"


def changes(execute: Execute, days: Days, variant: schema.Variant = schema.ONE_SERVER) -> list[Change]:
    """Return what differs between a store and what is wanted.

    Args:
        execute: Runs one statement.
        days: What is wanted.
        variant: One server, or a cluster.
    """
    engines = dict(line.split("\t", 1) for line in execute(_ENGINES).splitlines())
    return list(_changes(engines, days, variant))


def apply(execute: Execute, days: Days, variant: schema.Variant = schema.ONE_SERVER) -> list[str]:
    """Change what differs, and say what that was, one line for each table."""
    made = changes(execute, days, variant)
    for change in made:
        for statement in change.statements:
            execute(statement)
    return [str(change) for change in made]


def _changes(engines: Mapping[str, str], days: Days, variant: schema.Variant) -> Iterator[Change]:
    for table in schema.TABLES:
        name = f"{table.name}_local" if render.is_spread(table, variant) else table.name
        if table.kept_days is None:
            continue
        wanted = days.get(table.name, table.kept_days)
        found = _found(engines[name]) if name in engines else table.kept_days  # as it will be made
        if wanted != found:
            yield Change(
                table=table.name, found=found, wanted=wanted, statements=_statements(table, name, wanted, variant)
            )


def _found(engine: str) -> int | None:
    if " TTL " not in engine:
        return 0
    days = _TTL.search(engine)
    return int(days[1]) if days else None


def _statements(table: schema.Table, name: str, days: int, variant: schema.Variant) -> tuple[str, ...]:
    on_cluster = f" ON CLUSTER '{variant.cluster}'" if variant.cluster else ""
    alter = f"ALTER TABLE {schema.DATABASE}.{name}{on_cluster}"
    if days == 0:
        return (f"{alter} REMOVE TTL",)
    return (
        f"{alter} MODIFY SETTING materialize_ttl_recalculate_only = 1",
        f"{alter} MODIFY TTL {replace(table, kept_days=days).ttl}",
    )


def _words(days: int | None) -> str:
    if days is None:
        return "by a rule that is not ours"
    return f"for {days} days" if days else "for ever"
