"""Knows what a table, a column and a view are made of; refuses to know any table of ours.

`label`, `stamp`, `us`, `counter`, `real` are the short names `L`, `T`, `U`, `C`, `F` of the specification.

Source: spec/store.md 1 (conventions).
"""

from dataclasses import dataclass
from enum import StrEnum
from math import inf

_PARTITION_UNITS = ((31, "toDate"), (400, "toMonday"), (inf, "toYYYYMM"))


NOBODY = "nobody yet"
"""Writer of a table that has its place and is empty: no part of ours inserts into it."""


class Engine(StrEnum):
    """What a table does with rows of one sorting key when it merges parts."""

    MERGE_TREE = "MergeTree"
    AGGREGATING = "AggregatingMergeTree"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column.

    Attributes:
        name: The name shared by column, JSON field and Python attribute; the unit is its last word.
        type: ClickHouse type, without codec.
        meaning: What the value says, and when it is NULL or empty.
        codec: Codec list, empty for the server's default.
        unit: Unit of the value; empty if it has none.
        default: `DEFAULT ...` or `ALIAS ...`; such a column is not inserted.
    """

    name: str
    type: str
    meaning: str
    codec: str = ""
    unit: str = ""
    default: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table of the MergeTree family.

    Attributes:
        name: Name within the database.
        writer: Room whose processes insert into it; `NOBODY` while none does.
        meaning: What one row is.
        columns: Columns in order.
        order_by: Sorting key.
        time: Column that retention and partitions go by; empty for a table that stays whole.
        kept_days: Retention; None for rows that stay for ever.
        indexes: Skipping indexes, each `name expression TYPE ... GRANULARITY n`.
        engine: What merging does.
        shard_by: Columns whose hash names the shard; empty for a small table that every node holds whole.
    """

    name: str
    writer: str
    meaning: str
    columns: tuple[Column, ...]
    order_by: str
    time: str = ""
    kept_days: int | None = None
    indexes: tuple[str, ...] = ()
    engine: Engine = Engine.MERGE_TREE
    shard_by: tuple[str, ...] = ()

    @property
    def insert_columns(self) -> tuple[Column, ...]:
        """The columns that a writer fills, in order."""
        return tuple(column for column in self.columns if not column.default)

    @property
    def partition_by(self) -> str:
        """The partition expression; its unit follows the retention, so that whole parts expire."""
        if self.kept_days is None:
            return ""
        unit = next(unit for days_max, unit in _PARTITION_UNITS if self.kept_days <= days_max)
        return f"{unit}({self.time})"

    @property
    def ttl(self) -> str:
        """The time at which a row expires; empty for rows that stay for ever."""
        if self.kept_days is None:
            return ""
        kind = next(column.type for column in self.columns if column.name == self.time)
        time = f"toDateTime({self.time})" if "DateTime64" in kind else self.time
        return f"{time} + INTERVAL {self.kept_days} DAY"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One view: what an insert into one table adds to another, or what a reader sees of a table.

    Attributes:
        name: Name within the database.
        source: Table whose inserts, or whose rows, it sees.
        select: The query. What feeds a table holds only total functions, because a failing view does not undo the
            source's insert, and names its source with `{local}` behind it.
        target: Table that it adds to; empty for a view that is only read.
    """

    name: str
    source: str
    select: str
    target: str = ""


T64 = "T64, ZSTD(1)"
ZSTD = "ZSTD(1)"
STAMP = "DateTime64(3, 'UTC')"
BY_SERIES = ("endpoint", "model")
"""Shards by these keep one series on one shard."""


def label(name: str, meaning: str) -> Column:
    """Return a column of few different words; empty means not set."""
    return Column(name=name, type="LowCardinality(String)", meaning=meaning)


def text(name: str, meaning: str) -> Column:
    """Return a column of free words; empty means not set."""
    return Column(name=name, type="String", meaning=meaning, codec=ZSTD)


def stamp(name: str, meaning: str, default: str = "") -> Column:
    """Return a wall time in milliseconds."""
    return Column(name=name, type=STAMP, meaning=meaning, codec="Delta(8), ZSTD(1)", unit="ms", default=default)


def maybe_stamp(name: str, meaning: str) -> Column:
    """Return a wall time in milliseconds that may not have come; then it is NULL."""
    return Column(name=name, type=f"Nullable({STAMP})", meaning=meaning, unit="ms")


def us(name: str, meaning: str) -> Column:
    """Return a duration in microseconds; unknown is NULL."""
    return Column(name=name, type="Nullable(UInt32)", meaning=meaning, codec=T64, unit="us")


def tokens(name: str, meaning: str) -> Column:
    """Return a number of tokens; unknown is NULL."""
    return Column(name=name, type="Nullable(UInt32)", meaning=meaning, codec=T64, unit="tokens")


def gauge(name: str, meaning: str, unit: str = "") -> Column:
    """Return a whole number read from somewhere; unknown is NULL."""
    return Column(name=name, type="Nullable(UInt32)", meaning=meaning, codec=T64, unit=unit)


def counter(name: str, meaning: str, unit: str = "") -> Column:
    """Return a cumulative counter as read; unknown is NULL."""
    return Column(name=name, type="Nullable(UInt64)", meaning=meaning, codec=T64, unit=unit)


def real(name: str, meaning: str, unit: str = "") -> Column:
    """Return a finite number with a fraction; unknown is NULL."""
    return Column(name=name, type="Nullable(Float32)", meaning=meaning, codec=ZSTD, unit=unit)


def number(name: str, kind: str, meaning: str, unit: str = "", codec: str = "") -> Column:
    """Return a column of any other type."""
    return Column(name=name, type=kind, meaning=meaning, codec=codec, unit=unit)


def total(name: str, meaning: str, unit: str = "") -> Column:
    """Return a number of our own that is always known."""
    return Column(name=name, type="UInt64", meaning=meaning, codec=T64, unit=unit)


def counts(name: str, meaning: str, unit: str = "") -> Column:
    """Return a map from a word to a number."""
    return Column(name=name, type="Map(LowCardinality(String), UInt64)", meaning=meaning, codec=ZSTD, unit=unit)


def dims() -> tuple[Column, ...]:
    """Return the labels that every series of ours is kept by."""
    return (
        label("endpoint", "configured name of the endpoint"),
        label("model", "model named by the request, after the cardinality guard; empty if none"),
        label("region", "configured region; empty if not set"),
        label("workload_class", "configured class of the workload; empty if not set"),
        label("variant", "release or canary arm; empty if not set"),
        label("traffic", "user, probe, loadtest or engine (the plugin); objectives and default panels read user"),
    )
