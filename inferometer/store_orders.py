"""Knows what only the owner of a store directory can do to it: copy it, bring a copy back, drop partitions, repair it.

Each order works on an open engine, in the store's own process or, while none runs, in that of the verb. Refuses to know
what is to be dropped and where an archive goes afterwards.

Source: https://clickhouse.com/docs/operations/backup (BACKUP, RESTORE; tried on chDB 26.9, whose zip is disabled, so
archives are tar); spec/store.md 8.3.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from inferometer import rebuild, store_open
from inferometer.errors import ConfigurationError, InferometerError, UnreachableError
from inferometer.rebuild import Span
from inferometer.store_control import Order
from inferometer.store_engine import Engine, EngineError, literal
from inferometer.store_pool import BusyError
from telemetry import clock, schema

KEPT_FREE_BYTES = 1 << 30
"""What a backup leaves to the store that it is made of: a full disk would stop its inserts."""
PARTITIONS_MAX = 1_000
"""Most partitions that one order drops."""
SETTINGS: Order = {"order": "settings"}
"""Asks a store that runs how often each setting of a reader was ignored; the store itself answers it."""
_COUNT = "SELECT count() FROM inferometer.requests"
_SIZE = "SELECT sum(bytes_on_disk) FROM system.parts WHERE database = 'inferometer' AND active"
_TABLES = "SELECT name FROM system.tables WHERE database = 'inferometer' AND engine LIKE '%MergeTree' ORDER BY name"


def backup(archive: Path) -> Order:
    """Return the order to write an archive."""
    return {"order": "backup", "archive": str(archive)}


def drop(table: str, partitions: Sequence[str]) -> Order:
    """Return the order to drop partitions of a table, by partition id."""
    return {"order": "drop", "table": table, "partitions": list(partitions)}


def repair(span: Span) -> Order:
    """Return the order to take copies out of the rows of a span, and to make its roll-ups again."""
    return {"order": "repair", "since_s": span.since_s, "until_s": span.until_s}


def carry_out(engine: Engine, order: Order) -> Order:
    """Do what an order says.

    Raises:
        InferometerError: It cannot be done.
    """
    try:
        match order:
            case {"order": "backup", "archive": str(archive)}:
                return _backed_up(engine, archive)
            case {"order": "drop", "table": str(table), "partitions": _} if isinstance(order["partitions"], list):
                return _dropped(engine, table, cast("list[str]", order["partitions"]))
            case {"order": "repair", "since_s": int(since_s), "until_s": int(until_s)}:
                return _repaired(engine, Span(since_s=since_s, until_s=until_s))
            case _:
                raise ConfigurationError("this store does not know that order; is it of another version?")
    except (EngineError, BusyError) as error:
        raise InferometerError(f"store: {' '.join(str(error).split())}") from None


def restore(engine: Engine, archive: Path) -> None:
    """Bring an archive back into an empty store, and check every part of every table.

    Raises:
        EngineError: It is no archive of a store, or damaged.
    """
    statement = f"RESTORE DATABASE {schema.DATABASE} FROM File('{literal(str(archive))}')"
    engine.execute(statement)
    for table in engine.execute(_TABLES).split():
        statement = f"CHECK TABLE {schema.DATABASE}.{table} SETTINGS check_query_single_value_result = 1"
        if engine.execute(statement).strip() != "1":
            raise EngineError(f"table {table} is damaged in {archive}")


def _backed_up(engine: Engine, archive: str) -> Order:
    size, free = int(engine.execute(_SIZE)), shutil.disk_usage(Path(archive).parent).free
    if size > free - KEPT_FREE_BYTES:
        wanted = size + KEPT_FREE_BYTES
        raise UnreachableError(f"backup: {wanted >> 20} MiB are needed beside the store, {free >> 20} are free")
    statement = f"BACKUP DATABASE {schema.DATABASE} TO File('{literal(archive)}')"
    with engine.quiet():
        engine.execute(statement)
        return {"requests": int(engine.execute(_COUNT))}


def _dropped(engine: Engine, table: str, partitions: Sequence[str]) -> Order:
    if table not in {one.name for one in schema.TABLES}:
        raise ConfigurationError(f"table {table} is none of the store's")
    if len(partitions) > PARTITIONS_MAX:
        raise ConfigurationError(f"{len(partitions)} partitions in one order; allowed are {PARTITIONS_MAX}")
    statement = f"ALTER TABLE {schema.DATABASE}.{table} DROP PARTITION ID {{id:String}}"  # table from schema.py
    for partition in partitions:
        engine.execute(statement, {"id": partition})
    return {"dropped": len(partitions)}


def _repaired(engine: Engine, span: Span) -> Order:
    if span.since_s % rebuild.HOUR_S or span.until_s % rebuild.HOUR_S or span.since_s >= span.until_s:
        raise ConfigurationError(f"a span from {span.since_s} to {span.until_s} is not made of whole hours")
    with engine.quiet():
        kept = Span(since_s=max(span.since_s, rebuild.kept_since_s(engine.execute)), until_s=span.until_s)
        if kept.since_s >= kept.until_s:
            return {"copies": 0, "requests": 0, "since_s": kept.since_s}
        copies = rebuild.once(engine.execute, kept, store_open.say)
        requests = rebuild.rebuild(engine.execute, kept, store_open.say)
        rebuild.note(engine.execute, store_open.program())
        clock.sleep(rebuild.unsettled_s(engine.execute))
    return {"copies": copies, "requests": requests, "since_s": kept.since_s}
