"""Knows which partitions of the embedded store are older than so many days, and drops them; refuses to drop on its own.

A partition goes whole, and only if its newest row is old enough; nothing is rewritten. Roll-ups keep what they hold of
the requests that go.

Source: https://clickhouse.com/docs/operations/system-tables/parts (max_time: set where a time is in the partition key).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from inferometer import store_backup, store_orders
from inferometer.data_directory import DataDirectory
from inferometer.errors import ConfigurationError
from inferometer.reading import Source
from telemetry import schema
from telemetry.queries import Question

DAYS_MAX = 36_500
"""Most days that a partition may have to be old."""
_OLD = """\
SELECT
    table,
    partition_id,
    any(partition) AS partition,
    toString(max(max_time)) AS newest,
    sum(rows) AS rows,
    sum(bytes_on_disk) AS disk_bytes
FROM system.parts
WHERE database = 'inferometer'
  AND active
  AND table IN {tables:Array(String)}
GROUP BY table, partition_id
HAVING max(max_time) > toDateTime(0)
   AND max(max_time) < now() - toIntervalDay({days:UInt32})
ORDER BY table, partition_id"""
_WAIT_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """A partition that is old enough to go.

    Attributes:
        table: Its table.
        partition_id: Its id there.
        partition: Its key, as people read it.
        newest: Time of its newest row, UTC.
        rows: Rows in it.
        disk_bytes: Size on disk.
    """

    table: str
    partition_id: str
    partition: str
    newest: str
    rows: int
    disk_bytes: int


FIELDS = tuple(Partition.__dataclass_fields__)


def old(where: Source, days: int, tables: Sequence[str]) -> list[Partition]:
    """Return the partitions whose newest row is more than `days` days old.

    Raises:
        ConfigurationError: A table is none of the store's, or the days are too few or too many.
        InferometerError: The store does not answer.
    """
    known = {table.name for table in schema.TABLES if table.partition_by}
    if unknown := sorted(set(tables) - known):
        raise ConfigurationError(f"--table: found {unknown[0]!r}; allowed: {', '.join(sorted(known))}")
    if not 1 <= days <= DAYS_MAX:
        raise ConfigurationError(f"--older-than: found {days}; allowed: days from 1 to {DAYS_MAX}")
    question = Question(sql=_OLD, parameters={"tables": list(tables), "days": days}, seconds_max=_WAIT_S)
    return [_partition(row) for row in where.rows(question)]


def drop(data: DataDirectory, partitions: Sequence[Partition]) -> None:
    """Drop partitions.

    Raises:
        InferometerError: The store cannot do it.
    """
    for table in sorted({one.table for one in partitions}):
        ids = [one.partition_id for one in partitions if one.table == table]
        for first in range(0, len(ids), store_orders.PARTITIONS_MAX):
            store_backup.perform(data, store_orders.drop(table, ids[first : first + store_orders.PARTITIONS_MAX]))


def _partition(row: dict[str, object]) -> Partition:
    return Partition(
        table=str(row["table"]),
        partition_id=str(row["partition_id"]),
        partition=str(row["partition"]),
        newest=str(row["newest"]),
        rows=cast("int", row["rows"]),
        disk_bytes=cast("int", row["disk_bytes"]),
    )
