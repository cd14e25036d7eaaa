"""Knows how the roll-ups of `requests` are made again from its rows: beside the store, then swapped in.

A second database gets tables and views as the schema has them, over a source that keeps nothing. The rows go through it
in pieces of whole hours, each once, and what comes out is what an insert of them would have added. Then each partition
is swapped for one that holds the new rows inside the span and the old ones outside. A swap is atomic and may be
repeated, so a rebuild that was killed is begun again and gives the same.

Two things are the caller's: nothing may be inserted meanwhile, and afterwards no batch from before may be sent again
under its token, which a roll-up that never saw it would take. `unsettled_s` says how long one may still come without a
question; `note` makes the question know (`telemetry.queries.inserts_since`). Refuses to know why a roll-up is wrong.

Source: spec/store.md 10.5, 10.9; https://clickhouse.com/docs/sql-reference/statements/alter/partition (REPLACE
PARTITION; on chDB 26.9 a table's tokens survive it).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from telemetry import queries, schema
from telemetry.shipping import YOUNG_S_MAX

SHADOW = "inferometer_rebuild"
"""The second database; whoever finds it may drop it."""
HOUR_S = 3_600
END_S = (1 << 32) - HOUR_S
"""No roll-up has a later hour."""
PIECE_ROWS_MAX = 1_000_000
"""A piece has no more rows, unless a single hour has."""
Tell = Callable[[str], None]
"""Takes a line on how far it is."""


class Execute(Protocol):
    """Runs one statement, its parameters bound by the server, and returns the result as text in the format it names."""

    def __call__(self, sql: str, parameters: Mapping[str, str] | None = None) -> str:
        """Run it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Whole hours, unix seconds; the default is all time.

    Attributes:
        since_s: Start, included.
        until_s: End, excluded.
    """

    since_s: int = 0
    until_s: int = END_S

    @property
    def parameters(self) -> dict[str, str]:
        """The values of a statement."""
        return {"since": str(self.since_s), "until": str(self.until_s)}


ALL_TIME = Span()


def hours_of(since_ms: int, until_ms: int) -> Span:
    """Return the whole hours that two instants, unix milliseconds, lie in, both included."""
    first, last = since_ms // (HOUR_S * 1000), until_ms // (HOUR_S * 1000)
    return Span(since_s=first * HOUR_S, until_s=(last + 1) * HOUR_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Whole hours that go through at once.

    Attributes:
        span: Which.
        rows: How many rows they have.
    """

    span: Span
    rows: int


def rebuild(execute: Execute, span: Span, tell: Tell) -> int:
    """Make the roll-ups of a span again, on one server.

    Args:
        execute: Runs one statement with the rights of an admin.
        span: Which hours; the raw table must have every request of them, see `kept_since_s`.
        tell: Hears how far it is, piece by piece.

    Returns:
        How many rows were read; 0 if there are none, and then nothing was changed.
    """
    parts = pieces(_hours(execute(_HOURS, span.parameters)))
    if not parts:
        return 0
    _run(execute, *_EMPTY_SHADOW, *_MADE)
    total, done = sum(part.rows for part in parts), 0
    for part in parts:
        execute(_FEED, span.parameters | _piece(part))
        done += part.rows
        tell(f"roll-ups: {done} of {total} requests read")
    for target in schema.ROLLUP_TABLES:
        _swap(execute, target, span)
    execute(_NO_SHADOW)
    return total


def once(execute: Execute, span: Span, tell: Tell) -> int:
    """Take requests that are stored more than once out of the raw table, all copies but the oldest.

    Returns:
        How many rows went.
    """
    went = 0
    for partition in execute(_DOUBLED, span.parameters).split():
        _run(execute, *_EMPTY_SHADOW, _WHOLE.replace("{table}", schema.REQUESTS.name))
        of_it = {"partition": partition}
        for part in pieces(_hours(execute(_HOURS_OF, of_it))):
            execute(_ONCE, of_it | _piece(part))
        more = int(execute(_MORE, of_it))
        execute(_REPLACE.replace("{table}", schema.REQUESTS.name), of_it)
        tell(f"requests of partition {partition}: {more} copies taken out")
        went += more
    execute(_NO_SHADOW)
    return went


def pieces(hours: Sequence[tuple[int, int]]) -> list[Piece]:
    """Return hours, each its start and its number of rows, ascending, as few pieces that may go through at once."""
    made: list[Piece] = []
    for hour_s, rows in hours:
        until_s = hour_s + HOUR_S
        if made and made[-1].rows + rows <= PIECE_ROWS_MAX:
            last = made.pop()
            made.append(Piece(span=Span(since_s=last.span.since_s, until_s=until_s), rows=last.rows + rows))
        else:
            made.append(Piece(span=Span(since_s=hour_s, until_s=until_s), rows=rows))
    return made


def kept_since_s(execute: Execute) -> int:
    """Return the first hour from which on the raw table has every request, unix seconds; `END_S` if it has none."""
    return int(execute(_KEPT_SINCE))


def unsettled_s(execute: Execute) -> float:
    """Return for how many seconds a batch that was sent before may still come again without a question."""
    return float(execute(_UNSETTLED, {"young": str(YOUNG_S_MAX)}))


def note(execute: Execute, by: str) -> None:
    """Remember that roll-ups were made again now, so that no older batch is sent once more for their sake."""
    execute(_NOTE, {"name": queries.REBUILT, "by": by})


def _run(execute: Execute, *statements: str) -> None:
    for statement in statements:
        execute(statement)


def _hours(found: str) -> list[tuple[int, int]]:
    return [(int(hour), int(rows)) for hour, rows in map(str.split, found.splitlines())]


def _piece(part: Piece) -> dict[str, str]:
    return {"first": str(part.span.since_s), "last": str(part.span.until_s)}


def _swap(execute: Execute, target: schema.Table, span: Span) -> None:
    def of_it(template: str) -> str:
        return template.replace("{table}", target.name)  # a name from the schema

    execute(of_it(_WHOLE))
    for partition in execute(of_it(_PARTITIONS), span.parameters).split():
        for template in (_OUTSIDE, _INSIDE):
            execute(of_it(template), {**span.parameters, "partition": partition})
        execute(of_it(_REPLACE), {"partition": partition})
        execute(_TRUNCATE)
    execute(_DROP)


_STORED = ", ".join(column.name for column in schema.REQUESTS.columns if not column.default.startswith("ALIAS"))
_WORDS = {
    "{shadow}": SHADOW,
    # `ingested_at` has a default, and is a figure of the roll-ups all the same.
    "{stored}": _STORED,
    "{plain}": (
        "insert_deduplicate = 0, async_insert = 0, materialized_views_ignore_errors = 0,"
        " max_partitions_per_insert_block = 0"
    ),
    "{end}": str(END_S),
    "{hour}": "intDiv(toUnixTimestamp64Milli(ended_at), 3600000) * 3600",
    "{in_piece}": """\
ended_at >= fromUnixTimestamp64Milli({first:Int64} * 1000)
  AND ended_at < fromUnixTimestamp64Milli({last:Int64} * 1000)""",
    # A row adds tokens to seconds before its end; telemetry.schema.rollups places none further back than 30 days.
    "{adds_to_span}": """\
ended_at >= fromUnixTimestamp64Milli({since:Int64} * 1000)
  AND addMicroseconds(ended_at, -toInt64(least(elapsed_us, 2592000000000)))
    < fromUnixTimestamp64Milli({until:Int64} * 1000)""",
    "{in_span}": "t >= toDateTime({since:UInt32}) AND t < toDateTime({until:UInt32})",
}


def _sql(template: str) -> str:
    """Put our own words into a statement; values stay placeholders."""
    for word, meaning in _WORDS.items():
        template = template.replace(word, meaning)
    return template


_NO_SHADOW = _sql("DROP DATABASE IF EXISTS {shadow} SYNC")
_EMPTY_SHADOW = (_NO_SHADOW, _sql("CREATE DATABASE {shadow}"))
_TABLE = "CREATE TABLE {shadow}.{table} AS inferometer.{table}"
_MADE = (
    _sql("CREATE TABLE {shadow}.requests AS inferometer.requests ENGINE = Null"),
    *(_sql(_TABLE.replace("{table}", table.name)) for table in schema.ROLLUP_TABLES),
    *(schema.view_ddl(view).replace("inferometer.", SHADOW + ".") for view in schema.ROLLUP_VIEWS),
)
_WHOLE = _sql("CREATE TABLE {shadow}.whole AS inferometer.{table}")
_TRUNCATE = _sql("TRUNCATE TABLE {shadow}.whole SYNC")
_DROP = _sql("DROP TABLE {shadow}.whole SYNC")
_REPLACE = _sql("ALTER TABLE inferometer.{table} REPLACE PARTITION ID {partition:String} FROM {shadow}.whole")
_HOURS = _sql("""\
SELECT {hour} AS hour, count()
FROM inferometer.requests
WHERE {adds_to_span}
GROUP BY hour
ORDER BY hour
FORMAT TabSeparated""")
_FEED = _sql("""\
INSERT INTO {shadow}.requests ({stored})
SELECT {stored}
FROM inferometer.requests
WHERE {in_piece}
  AND {adds_to_span}
LIMIT 1 BY collector, seq, record_id
SETTINGS {plain}""")
_PARTITIONS = _sql("""\
SELECT DISTINCT _partition_id
FROM {shadow}.{table}
WHERE {in_span}
ORDER BY _partition_id
FORMAT TabSeparated""")
_OUTSIDE = _sql("""\
INSERT INTO {shadow}.whole
SELECT *
FROM inferometer.{table}
WHERE _partition_id = {partition:String} AND NOT ({in_span})
SETTINGS {plain}""")
_INSIDE = _sql("""\
INSERT INTO {shadow}.whole
SELECT *
FROM {shadow}.{table}
WHERE _partition_id = {partition:String} AND {in_span}
SETTINGS {plain}""")
_DOUBLED = """\
SELECT DISTINCT partition
FROM
(
    SELECT _partition_id AS partition, collector, count() AS n, groupBitmap(seq) AS n_seq
    FROM inferometer.requests
    WHERE ended_at >= fromUnixTimestamp64Milli({since:Int64} * 1000)
      AND ended_at < fromUnixTimestamp64Milli({until:Int64} * 1000)
    GROUP BY partition, collector
)
WHERE n > n_seq
ORDER BY partition
FORMAT TabSeparated"""
_HOURS_OF = _sql("""\
SELECT {hour} AS hour, count()
FROM inferometer.requests
WHERE _partition_id = {partition:String}
GROUP BY hour
ORDER BY hour
FORMAT TabSeparated""")
_ONCE = _sql("""\
INSERT INTO {shadow}.whole ({stored})
SELECT {stored}
FROM inferometer.requests
WHERE _partition_id = {partition:String}
  AND {in_piece}
ORDER BY ingested_at
LIMIT 1 BY collector, seq, record_id
SETTINGS {plain}""")
_MORE = _sql("""\
SELECT (SELECT count() FROM inferometer.requests WHERE _partition_id = {partition:String})
    - (SELECT count() FROM {shadow}.whole)
FORMAT TabSeparated""")
# A row that is older than the retention is dropped by the raw table and taken by the roll-ups.
_KEPT_SINCE = _sql("""\
WITH
    (
        SELECT toUInt32OrZero(extract(engine_full, ' TTL .* \\\\+ toIntervalDay\\\\(([0-9]+)\\\\)'))
        FROM system.tables
        WHERE database = 'inferometer' AND name = 'requests'
    ) AS days
SELECT if(
    count() = 0,
    {end},
    greatest(
        toUnixTimestamp(toStartOfDay(min(ended_at))),
        if(days = 0, 0, toUnixTimestamp(toStartOfHour(now() - toIntervalDay(days) + INTERVAL 1 HOUR)))
    )
)
FROM inferometer.requests
FORMAT TabSeparated""")
_UNSETTLED = """\
WITH dateDiff('millisecond', max(ingested_at), now64(3)) / 1000 AS age_s
SELECT {young:Float64} - least(greatest(age_s, 0), {young:Float64})
FROM inferometer.requests
FORMAT TabSeparated"""
_NOTE = """\
INSERT INTO inferometer.schema_migrations (version, name, applied_at, checksum, schema_hash, by)
SETTINGS insert_deduplicate = 0, async_insert = 0
VALUES (0, {name:String}, now64(3), '', '', {by:String})"""
