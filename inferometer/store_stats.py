"""Knows how to ask how large a store is, what of it costs how much, and what it ignored; refuses to know who asks.

The statements read only the system tables that a reader of any ClickHouse server may read.

Source: https://clickhouse.com/docs/operations/system-tables/parts, ../columns; spec/store.md 9 (a reader's rights), 14
(bytes per request).
"""

from typing import cast

from inferometer import store_control, store_orders
from inferometer.data_directory import DataDirectory
from inferometer.errors import UnreachableError

IGNORED = ("name", "requests")
"""Fields of `ignored`."""
TABLES = """\
WITH
    (
        SELECT sum(rows)
        FROM system.parts
        WHERE database = 'inferometer' AND table IN ('requests', 'requests_local') AND active
    ) AS requests_n,
    stored AS
    (
        SELECT
            table,
            sum(rows) AS rows,
            count() AS parts,
            uniqExact(partition_id) AS partitions,
            sum(bytes_on_disk) AS disk_bytes,
            minIf(min_time, min_time > toDateTime(0)) AS first_time,
            max(max_time) AS last_time
        FROM system.parts
        WHERE database = 'inferometer' AND active
        GROUP BY table
    )
SELECT
    name AS table,
    stored.rows AS rows,
    stored.disk_bytes AS disk_bytes,
    if(requests_n > 0, round(stored.disk_bytes / requests_n, 1), NULL) AS bytes_per_request,
    stored.parts AS parts,
    stored.partitions AS partitions,
    nullIf(stored.first_time, toDateTime(0)) AS oldest,
    nullIf(stored.last_time, toDateTime(0)) AS newest,
    if(
        oldest IS NULL OR dateDiff('hour', oldest, newest) < 24,
        NULL,
        round(stored.disk_bytes / (dateDiff('second', oldest, newest) / 86400))
    ) AS bytes_per_day
FROM system.tables AS tables
LEFT JOIN stored ON stored.table = tables.name
WHERE tables.database = 'inferometer' AND tables.engine LIKE '%MergeTree'
ORDER BY disk_bytes DESC, table"""
"""One row per table. `bytes_per_request` shares a table's size among the requests stored now; `bytes_per_day` is its
size over the days it spans, NULL below one day. Times are of rows, NULL where no time is in the partition key."""

COLUMNS = """\
WITH
    stored AS
    (
        SELECT table, sumIf(rows, part_type = 'Wide') AS rows
        FROM system.parts
        WHERE database = 'inferometer' AND active
        GROUP BY table
    )
SELECT
    columns.table AS table,
    columns.name AS column,
    columns.type AS type,
    if(stored.rows > 0, columns.data_compressed_bytes, NULL) AS disk_bytes,
    if(stored.rows > 0, round(columns.data_compressed_bytes / stored.rows, 2), NULL) AS bytes_per_row,
    if(stored.rows > 0, round(columns.data_uncompressed_bytes / columns.data_compressed_bytes, 1), NULL) AS ratio
FROM system.columns AS columns
INNER JOIN stored ON stored.table = columns.table
WHERE columns.database = 'inferometer' AND columns.default_kind != 'ALIAS'
ORDER BY disk_bytes DESC, table, column"""
"""One row per column of the tables that hold rows; a row of `requests` is a request. The engine knows a column's size
only in parts of the wide form, those above 10 MiB before compression: NULL until a table has one."""


def ignored(data: DataDirectory) -> list[dict[str, object]]:
    """Return how many requests of readers had a setting that means nothing to the embedded store, by its name.

    Raises:
        UnreachableError: No store runs on the directory.
        InferometerError: It did not answer.
    """
    try:
        said = store_control.ordered(data.root.resolve(), store_orders.SETTINGS)
    except store_control.NobodyThereError:
        raise UnreachableError(f"no store runs on {data.root}; what it ignores is counted while it runs") from None
    return [{"name": name, "requests": n} for name, n in sorted(cast("dict[str, int]", said["settings"]).items())]
