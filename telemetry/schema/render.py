"""Knows how tables and views become statements, on one server or on a cluster; refuses to know which there are.

There is one template per table. On a cluster a table that has shards lives in `<name>_local` on each of them, and
`<name>` spreads a query over all; a small table is whole on every node. Views work where the rows are.

Source: spec/store.md 1 (settings), 9 (template, Keeper paths, windows).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from telemetry.schema.parts import Column, Table, View

DATABASE = "inferometer"
CREATE_DATABASE = f"CREATE DATABASE IF NOT EXISTS {DATABASE}"
DEDUPLICATION_WINDOW = 10_000
"""Insert tokens that a table remembers; a token older than that many inserts no longer protects (spec 10.6)."""
DEDUPLICATION_WINDOW_S = 7 * 86_400
"""How long a replicated table remembers one: longer than an outage."""

_ON_DISK = {"fsync_after_insert": "1", "fsync_part_directory": "1"}
_ONE_SERVER = {"non_replicated_deduplication_window": str(DEDUPLICATION_WINDOW)}
_REPLICATED = {
    f"replicated_deduplication_window{what}{inserts}": str(size)
    for what, size in (("", DEDUPLICATION_WINDOW), ("_seconds", DEDUPLICATION_WINDOW_S))
    for inserts in ("", "_for_async_inserts")
}
_KEEPER_SHARDED = "('/clickhouse/tables/{uuid}/{shard}', '{replica}')"
_KEEPER_EVERYWHERE = "('/clickhouse/tables/{uuid}', '{shard}-{replica}')"
"""Without {shard} in the path every node is a replica, and must be known by a name of its own."""
_CLUSTER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_PLACE = re.compile(r"\{(engine|on_cluster|local|settings)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """Where the tables live.

    Attributes:
        cluster: Name of the cluster; empty for one server.
    """

    cluster: str = ""

    def __post_init__(self) -> None:
        """Refuse what is no name, because it stands in statements.

        Raises:
            ValueError: The name has other characters than letters, digits, `_`, `.` and `-`.
        """
        if self.cluster and not _CLUSTER_NAME.fullmatch(self.cluster):
            raise ValueError(f"cluster name {self.cluster!r}: letters, digits, _, . and - are allowed")


ONE_SERVER = Variant()


def create_database(variant: Variant = ONE_SERVER) -> str:
    """Return the idempotent CREATE statement of the database."""
    return CREATE_DATABASE + _on_cluster(variant)


def ddl(table: Table, variant: Variant = ONE_SERVER) -> str:
    """Return the idempotent CREATE statement of the table that holds the rows."""
    lines = [_column_line(column) for column in table.columns]
    lines += [f"INDEX {index}" for index in table.indexes]
    body = ",\n    ".join(lines)
    clauses = [f"CREATE TABLE IF NOT EXISTS {DATABASE}.{table.name}{{local}}{{on_cluster}}\n(\n    {body}\n)"]
    clauses += ["ENGINE = {engine}"]
    clauses += [f"PARTITION BY {table.partition_by}"] if table.partition_by else []
    clauses += [f"ORDER BY {table.order_by}"]
    clauses += [f"TTL {table.ttl}"] if table.ttl else []
    clauses += ["SETTINGS {settings}"]
    return _filled(
        "\n".join(clauses),
        {
            "engine": engine(table, variant) + (_keeper(table) if variant.cluster else ""),
            "on_cluster": _on_cluster(variant),
            "local": _local(table.shard_by, variant),
            "settings": ", ".join(f"{name} = {value}" for name, value in settings(table, variant).items()),
        },
    )


def spread_ddl(table: Table, variant: Variant) -> str:
    """Return the idempotent CREATE statement of the table that spreads queries over the shards.

    The table has shards, and the variant is a cluster.
    """
    key = f"cityHash64({', '.join(table.shard_by)})"
    head = f"CREATE TABLE IF NOT EXISTS {DATABASE}.{table.name}{_on_cluster(variant)}"
    return (
        f"{head}\nAS {DATABASE}.{table.name}_local\n"
        f"ENGINE = Distributed('{variant.cluster}', '{DATABASE}', '{table.name}_local', {key})"
    )


def table_statements(table: Table, variant: Variant = ONE_SERVER) -> tuple[str, ...]:
    """Return every statement that a table takes, in order."""
    return (ddl(table, variant), *([spread_ddl(table, variant)] if is_spread(table, variant) else ()))


def view_ddl(view: View, variant: Variant = ONE_SERVER) -> str:
    """Return the idempotent CREATE statement of a view."""
    name = f"{DATABASE}.{view.name}{_on_cluster(variant)}"
    if view.target:
        head = f"CREATE MATERIALIZED VIEW IF NOT EXISTS {name} TO {DATABASE}.{view.target}{{local}}"
    else:
        head = f"CREATE VIEW IF NOT EXISTS {name}"
    return _filled(f"{head}\nAS {view.select}", {"local": _local(view.target, variant)})


def view_select(view: View, variant: Variant = ONE_SERVER) -> str:
    """Return the query of a view in one line."""
    return " ".join(_filled(view.select, {"local": _local(view.target, variant)}).split())


def engine(table: Table, variant: Variant = ONE_SERVER) -> str:
    """Return the name of the engine of the table that holds the rows."""
    return f"Replicated{table.engine}" if variant.cluster else table.engine.value


def settings(table: Table, variant: Variant = ONE_SERVER) -> dict[str, str]:
    """Return the table settings that deduplication and durability rest on; start-up verifies them."""
    windows = _REPLICATED if variant.cluster else _ONE_SERVER
    return windows | _ON_DISK | ({"ttl_only_drop_parts": "1"} if table.ttl else {})


def is_spread(table: Table, variant: Variant) -> bool:
    """Whether the rows lie in `<name>_local` and `<name>` only reads them."""
    return bool(variant.cluster and table.shard_by)


def _on_cluster(variant: Variant) -> str:
    return f" ON CLUSTER '{variant.cluster}'" if variant.cluster else ""


def _local(has_shards: object, variant: Variant) -> str:
    return "_local" if has_shards and variant.cluster else ""


def _keeper(table: Table) -> str:
    return _KEEPER_SHARDED if table.shard_by else _KEEPER_EVERYWHERE


def _filled(template: str, values: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda place: values[place[1]], template)


def _column_line(column: Column) -> str:
    codec = f"CODEC({column.codec})" if column.codec else ""
    return " ".join(part for part in (column.name, column.type, column.default, codec) if part)
