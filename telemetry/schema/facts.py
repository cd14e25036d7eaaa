"""Knows what a sound store says of itself, and how two such accounts differ; refuses to know how it is asked.

A fact is what one table, or one column of it, has under one heading: engine, sorting key, type. Only what this version
writes is looked for: a newer store may have more tables and columns.

Source: spec/store.md 9 (schema hash).
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from telemetry.schema import render
from telemetry.schema.parts import Column, Table, View


class Place(NamedTuple):
    """Where a fact stands; the column is empty for a fact about the whole table."""

    table: str
    column: str
    aspect: str


Facts = Mapping[Place, str]
Formatted = Callable[[str], str]
"""Returns a query as the store itself would write it."""
_ENGINE, _TYPE = "engine", "type"


def expected(tables: Iterable[Table], views: Iterable[View], variant: render.Variant, formatted: Formatted) -> Facts:
    """Return what a store of this version says, in the order in which it is compared."""
    facts: dict[Place, str] = {}
    for table in tables:
        facts |= _of_table(table, variant, formatted)
        if render.is_spread(table, variant):
            facts[Place(table.name, "", _ENGINE)] = "Distributed"
            facts |= {Place(table.name, column.name, _TYPE): column.type for column in table.columns}
    for view in views:
        facts[Place(view.name, "", _ENGINE)] = "MaterializedView" if view.target else "View"
        facts[Place(view.name, "", "query")] = formatted(render.view_select(view, variant))
    return facts


def found(tables: Iterable[Mapping[str, str]], columns: Iterable[Mapping[str, str]]) -> Facts:
    """Return what rows of `system.tables` and `system.columns` say."""
    facts: dict[Place, str] = {}
    for row in tables:
        name = row["name"]
        facts[Place(name, "", _ENGINE)] = row["engine"]
        facts[Place(name, "", "sorting key")] = row["sorting_key"]
        facts[Place(name, "", "partition key")] = row["partition_key"]
        facts |= {Place(name, "", f"setting {key}"): value for key, value in _settings(row["engine_full"])}
        if row["as_select"]:
            facts[Place(name, "", "query")] = row["as_select"]
    for row in columns:
        facts[Place(row["table"], row["name"], _TYPE)] = row["type"]
        if row["default_kind"]:
            default = f"{row['default_kind']} {row['default_expression']}"
            facts[Place(row["table"], row["name"], "default")] = default
    return facts


def difference(wanted: Facts, seen: Facts) -> str | None:
    """Return the first difference in words, expected and found; None if everything wanted is there."""
    tables = {place.table for place in seen}
    for place, value in wanted.items():
        if place.table not in tables:
            return f"table {place.table} is missing"
        if seen.get(place) != value:
            where = f"{place.table}.{place.column}" if place.column else f"table {place.table}"
            return f"{where}: {place.aspect}: expected {value}, found {seen.get(place, 'none')}"
    return None


def digest(wanted: Iterable[Place], seen: Facts) -> str:
    """Return the SHA-256, hexadecimal, over what is said of the wanted places; equal in every sound store."""
    lines = sorted("\x1f".join((*place, seen[place])) for place in wanted if place in seen)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _of_table(table: Table, variant: render.Variant, formatted: Formatted) -> Facts:
    name = f"{table.name}_local" if render.is_spread(table, variant) else table.name
    facts = {
        Place(name, "", _ENGINE): render.engine(table, variant),
        Place(name, "", "sorting key"): table.order_by.removeprefix("(").removesuffix(")"),
        Place(name, "", "partition key"): table.partition_by,
    }
    facts |= {Place(name, "", f"setting {key}"): value for key, value in render.settings(table, variant).items()}
    for column in table.columns:
        facts[Place(name, column.name, _TYPE)] = column.type
        if column.default:
            facts[Place(name, column.name, "default")] = _default(column, formatted)
    return facts


def _default(column: Column, formatted: Formatted) -> str:
    kind, _, expression = column.default.partition(" ")
    return f"{kind} {formatted(f'SELECT {expression}').removeprefix('SELECT ')}"


def _settings(engine_full: str) -> Iterator[tuple[str, str]]:
    for pair in engine_full.partition(" SETTINGS ")[2].split(", "):
        key, _, value = pair.partition(" = ")
        if value:
            yield key, value
