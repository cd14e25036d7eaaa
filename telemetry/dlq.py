"""Knows the records that the store refused for their own sake; refuses to know why.

A row leaves in the same transaction that counts its way out, so the tallies and the rows always agree, whatever dies.

Source: spec/store.md 11.7.
"""

import os
import sqlite3
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import msgspec

from telemetry.accounting import STORED, DropReason, Lane
from telemetry.clock import wall_ms
from telemetry.errors import SpoolError
from telemetry.samples import SetAside
from telemetry.segments import QUARANTINE, quarantine_move
from telemetry.spool_record import DAY_MS

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd  # comes with clickhouse-connect

DLQ_NAME = "dlq.sqlite"
"""File of a queue in the directory of its spool."""
DLQ_BYTES_MAX = 256 << 20
"""Payload bytes that are kept; beyond it the oldest rows go to a file in quarantine and count as expired."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS dead (
    seq INTEGER PRIMARY KEY, lane INTEGER NOT NULL, batch_id TEXT NOT NULL, code INTEGER, error TEXT NOT NULL,
    payload BLOB NOT NULL, created_at INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS gone (lane INTEGER, way_out TEXT, n INTEGER NOT NULL, PRIMARY KEY (lane, way_out));
"""


class DeadRow(NamedTuple):
    """A record in the queue.

    Attributes:
        seq: Its sequence number.
        lane: Number of its lane.
        batch_id: The batch part in which it was refused.
        code: The store's error code; None if it named none.
        error: The store's words.
        payload: The record as it lay in the spool.
        created_at: Unix milliseconds.
        attempts: Replays that failed.
    """

    seq: int
    lane: int
    batch_id: str
    code: int | None
    error: str
    payload: bytes
    created_at: int
    attempts: int = 0


def index_of(row: DeadRow, collector: str, state: str = "new") -> SetAside:
    """Return what the store is told of a record.

    Args:
        row: The record.
        collector: `<node>/<epoch8>` of the spool that holds it.
        state: `new`, `replayed` or `discarded`.
    """
    return SetAside(
        at=wall_ms(),
        collector=collector,
        lane=Lane(row.lane).name.lower(),
        dlq_id=row.seq,
        seq=row.seq,
        code="" if row.code is None else str(row.code),
        error=row.error,
        bytes=len(row.payload),
        state=state,
    )


class Dlq:
    """The dead letter queue of one spool directory, an SQLite file; made when the first row comes."""

    def __init__(self, directory: Path, *, bytes_max: int = DLQ_BYTES_MAX) -> None:
        """Touch nothing yet."""
        self._directory, self._bytes_max = directory, bytes_max
        self._path = directory / DLQ_NAME
        self._db: sqlite3.Connection | None = None
        self._lock = Lock()

    def add(self, rows: Iterable[DeadRow]) -> None:
        """Add rows durably; one that is there already stays as it is."""
        with self._transaction(make=True) as db:
            if db is not None:
                db.executemany("INSERT OR IGNORE INTO dead VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
                self._expire(db)

    def rows(self, lane: int) -> list[DeadRow]:
        """Return the rows of a lane, oldest first."""
        with self._transaction() as db:
            found = db.execute("SELECT * FROM dead WHERE lane = ? ORDER BY seq", (lane,)).fetchall() if db else []
        return [DeadRow(*row) for row in found]

    def seqs(self, lane: int) -> list[int]:
        """Return the sequence numbers of the rows of a lane."""
        with self._transaction() as db:
            found = db.execute("SELECT seq FROM dead WHERE lane = ?", (lane,)).fetchall() if db else []
        return [seq for (seq,) in found]

    def release(self, seqs: Iterable[int], way_out: str) -> None:
        """Remove rows that were stored after all, or that an operator gave up, and count them."""
        with self._transaction() as db:
            if db is not None:
                _release(db, list(seqs), way_out)

    def failed_again(self, seqs: Iterable[int]) -> None:
        """Count a replay that failed."""
        with self._transaction() as db:
            if db is not None:
                db.executemany("UPDATE dead SET attempts = attempts + 1 WHERE seq = ?", [(seq,) for seq in seqs])

    def gone(self, lane: int) -> dict[str, int]:
        """Return how many rows of a lane have left the queue, by way out."""
        with self._transaction() as db:
            return dict(db.execute("SELECT way_out, n FROM gone WHERE lane = ?", (lane,)).fetchall()) if db else {}

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    @contextmanager
    def _transaction(self, *, make: bool = False) -> Generator[sqlite3.Connection | None]:
        with self._lock:
            try:
                db = self._open(make=make)
                if db is None:
                    yield None
                    return
                with db:
                    yield db
            except (sqlite3.Error, OSError) as error:
                raise SpoolError(f"dead letter queue {self._path}: {error}") from error

    def _open(self, *, make: bool) -> sqlite3.Connection | None:
        if self._db is None and (make or self._path.exists()):
            try:
                self._db = self._connect()
            except sqlite3.DatabaseError as error:
                if type(error) is not sqlite3.DatabaseError:  # locked, full: the file may be sound
                    raise
                quarantine_move(self._directory, self._path)
                self._db = self._connect()
        return self._db

    def _connect(self) -> sqlite3.Connection:
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        db = sqlite3.connect(self._path, timeout=10, check_same_thread=False)
        try:
            db.execute("PRAGMA synchronous=FULL")
            db.executescript(_SCHEMA)
        except sqlite3.Error:
            db.close()
            raise
        return db

    def _expire(self, db: sqlite3.Connection) -> None:
        (size,) = db.execute("SELECT coalesce(sum(length(payload)), 0) FROM dead").fetchone()
        over: list[DeadRow] = []
        for row in db.execute("SELECT * FROM dead ORDER BY created_at, seq") if size > self._bytes_max else ():
            if size <= self._bytes_max:
                break
            over.append(DeadRow(*row))
            size -= len(over[-1].payload)
        self._keep(over)
        _release(db, [row.seq for row in over], DropReason.EXPIRED)

    def _keep(self, rows: list[DeadRow]) -> None:
        """Append rows to a file of their day, on disk before the transaction that removes them ends."""
        folder = self._directory / QUARANTINE
        for day, group in groupby(rows, lambda row: row.created_at // DAY_MS):
            folder.mkdir(mode=0o700, exist_ok=True)
            name = f"dlq-{datetime.fromtimestamp(day * DAY_MS / 1000, UTC):%Y-%m-%d}.jsonl.zst"
            lines = b"".join(msgspec.json.encode(row._asdict()) + b"\n" for row in group)
            _append(folder / name, zstd.compress(lines))  # a frame of its own; frames follow one another


def _append(path: Path, frame: bytes) -> None:
    """Put a frame at the end of a file, on disk, or leave the file as it was: nobody reads beyond half a frame."""
    before = path.stat().st_size if path.exists() else 0
    try:
        with path.open("ab") as file:
            file.write(frame)
            file.flush()
            os.fsync(file.fileno())
    except OSError:  # not before it is closed, which tries to write once more
        os.truncate(path, before)
        raise


def _release(db: sqlite3.Connection, seqs: list[int], way_out: str) -> None:
    assert way_out == STORED or way_out in list(DropReason)  # noqa: S101  # our own callers
    for seq in seqs:
        found = db.execute("DELETE FROM dead WHERE seq = ? RETURNING lane", (seq,)).fetchone()
        if found is not None:
            db.execute(
                "INSERT INTO gone VALUES (?, ?, 1) ON CONFLICT (lane, way_out) DO UPDATE SET n = n + 1",
                (found[0], way_out),
            )
