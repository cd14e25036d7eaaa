"""Knows the dead letter queues under a data directory: what lies in them, and how it goes to the store after all.

A row is named `<spool directory>:<seq>`. Listing and replaying take no lock of the spool, so both work beside a running
collector: the queue's file counts a row out in the transaction that removes it, and the collector reads its counts from
there. Refuses to know why a row was refused, and how the answer is shown.

Source: spec/store.md 11.7, 12 (accounting identity).
"""

from collections.abc import Collection, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from inferometer import data_directory, store_secrets
from inferometer.config import secret
from inferometer.config_schema import Config
from inferometer.data_directory import DataDirectory
from inferometer.errors import ConfigurationError, UnreachableError
from telemetry.accounting import Lane
from telemetry.cargo import RowSink
from telemetry.dlq import DeadRow, Dlq
from telemetry.errors import SpoolError
from telemetry.replay import replayed
from telemetry.segments import read_cursor
from telemetry.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A record that the store refused for its own sake.

    Attributes:
        id: `<spool directory>:<seq>`.
        lane: Kind of record.
        code: The store's error code; None if the record could not even be sent.
        error: Why it was refused.
        bytes_n: Size of the payload.
        created_unix_ms: When it was put aside.
        attempts: Replays that failed.
    """

    id: str
    lane: str
    code: int | None
    error: str
    bytes_n: int
    created_unix_ms: int
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What a replay did.

    Attributes:
        stored: Ids that are in the store now.
        refused: Ids that stay, each with what was said this time.
    """

    stored: tuple[str, ...] = ()
    refused: dict[str, str] = field(default_factory=dict[str, str])


def listed(data: DataDirectory) -> list[DeadLetter]:
    """Return the dead letters of every spool of a data directory, by spool and age.

    Raises:
        ConfigurationError: A queue cannot be read.
    """
    return [_letter(directory, row) for directory, rows in _queues(data) for row in rows]


def replay(data: DataDirectory, sink: RowSink, ids: Collection[str] | None = None) -> Replay:
    """Offer dead letters to the store again; those that it takes leave the queue and count as stored.

    Args:
        data: The data directory.
        sink: The store, as a writer; see `writer`.
        ids: Which; None for all.

    Raises:
        ConfigurationError: An id names nothing, or a queue cannot be read.
    """
    queues = [(directory, rows) for directory, rows in _queues(data)]
    known = {_id(directory, row) for directory, rows in queues for row in rows}
    if unknown := sorted(set(ids or ()) - known):
        raise ConfigurationError(f"no dead letter {unknown[0]}; inferometer store dlq list names them")
    stored: list[str] = []
    refused: dict[str, str] = {}
    for directory, rows in queues:
        chosen = [row for row in rows if ids is None or _id(directory, row) in ids]
        said = _replayed(directory, chosen, sink)
        stored += [_id(directory, row) for row in chosen if said.get(row.seq) is None]
        refused |= {_id(directory, row): error for row in chosen if (error := said.get(row.seq)) is not None}
    return Replay(stored=tuple(stored), refused=refused)


def writer(config: Config) -> Store:
    """Return the store of a configuration, as a writer.

    Raises:
        UnreachableError: No store runs on the data directory, or its secret cannot be read.
    """
    keys = config.store
    if keys.url is not None:
        return Store(keys.url, user=keys.user, password=secret(keys.password, keys.password_file, "store.password"))
    data = data_directory.resolve(config.data)
    url = str(data_directory.holder_of(data.store_lock).get("url") or "")
    if not url:
        raise UnreachableError(f"no store runs on {data.root}; start one: inferometer store --data {data.root}")
    path = store_secrets.secret_path(data.root, "writer")
    try:
        return Store(url, user="writer", password=store_secrets.read_secret(path))
    except OSError as error:
        raise UnreachableError(f"{path}: cannot be read: {error.strerror}") from None


def _queues(data: DataDirectory) -> Iterator[tuple[Path, list[DeadRow]]]:
    for directory in sorted(data.spool.glob("*/")):
        try:
            with closing(Dlq(directory)) as queue:
                yield directory, [row for lane in Lane for row in queue.rows(lane)]
        except SpoolError as error:
            raise ConfigurationError(str(error)) from None


def _replayed(directory: Path, rows: list[DeadRow], sink: RowSink) -> dict[int, str | None]:
    cursor = read_cursor(directory)
    if cursor is None:
        return {row.seq: f"{directory} has no cursor, so nobody knows whose rows these are" for row in rows}
    with closing(Dlq(directory)) as queue:
        return replayed(queue, rows, cursor.collector, sink)


def _id(directory: Path, row: DeadRow) -> str:
    return f"{directory.name}:{row.seq}"


def _letter(directory: Path, row: DeadRow) -> DeadLetter:
    return DeadLetter(
        id=_id(directory, row),
        lane=Lane(row.lane).name.lower(),
        code=row.code,
        error=row.error,
        bytes_n=len(row.payload),
        created_unix_ms=row.created_at,
        attempts=row.attempts,
    )
