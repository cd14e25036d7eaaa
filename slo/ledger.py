"""Knows what the engine must not forget: alerts, the last instant, and what is still to be said; refuses to say it.

An evaluation is one transaction: the alerts as they stand, the instant, and every notice that follows from it. So
nothing is evaluated and not said, and nothing is said that a restart would deny. Each try of a notice is written down
before and after it is made: what died in between is tried again under its old key. In the same write stands the step
itself, until somebody has copied it to where people look back.

Source: spec/slo.md 9 (persist before any send), 11 (durable queue, each attempt logged before and after); SQLite's
`synchronous=FULL`.
"""

import sqlite3
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from threading import Lock

import msgspec

from slo.alert import Alert
from slo.errors import LedgerError
from slo.notice import Notice
from slo.notice_steps import NoticeStep, StepState, Tried

QUEUE_MAX = 10_000
"""Notices of one channel that may wait; beyond it the oldest is given up."""
KEPT_S = 7 * 86_400
"""How long a notice that is settled can be looked at."""
WHY_CHARS_MAX = 200
STEPS_MAX = 100_000
"""Steps of notices that may wait to be copied; beyond it the oldest are given up, and counted."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS alert (fingerprint TEXT PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS notice (
    channel TEXT NOT NULL, key TEXT NOT NULL, body BLOB NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL,
    made_at_s INTEGER NOT NULL, why TEXT NOT NULL, PRIMARY KEY (channel, key));
CREATE INDEX IF NOT EXISTS unsettled ON notice (channel, state);
CREATE TABLE IF NOT EXISTS note (
    kind TEXT NOT NULL, name TEXT NOT NULL, body BLOB NOT NULL, is_copied INTEGER NOT NULL, PRIMARY KEY (kind, name));
CREATE TABLE IF NOT EXISTS step (
    id INTEGER PRIMARY KEY, batch TEXT NOT NULL, channel TEXT NOT NULL, key TEXT NOT NULL, attempt INTEGER NOT NULL,
    state TEXT NOT NULL, at_ms INTEGER NOT NULL, group_key TEXT NOT NULL, http_status INTEGER, duration_us INTEGER);
"""
_STEP = (
    "INSERT INTO step (batch, channel, key, attempt, state, at_ms, group_key, http_status, duration_us)"
    " SELECT '', channel, key, attempts, ?, ?, ?, ?, ? FROM notice"
)


class Step(StrEnum):
    """Where a notice stands."""

    WAITING = "waiting"
    INTENT = "intent"
    """A try was begun; if it is not settled, nobody knows whether it was heard."""
    SENT = "sent"
    GIVEN_UP = "given_up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something that people decided, in a form that its owner knows.

    Attributes:
        name: Unique among its kind.
        body: Its bytes.
        is_copied: Whether the store has it, too.
    """

    name: str
    body: bytes
    is_copied: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One notice for one channel.

    Attributes:
        channel: Name of the channel.
        notice: What is said.
        state: Where it stands.
        attempts: Tries that were begun.
        made_at_s: When it came, unix time.
        why: Why the last try failed; empty if none did.
    """

    channel: str
    notice: Notice
    state: Step
    attempts: int
    made_at_s: int
    why: str


class Ledger:
    """One file of one engine; every method may be called from any thread.

    Args:
        path: The file; made if missing.

    Raises:
        LedgerError: It cannot be opened or is none of ours.
    """

    def __init__(self, path: Path) -> None:
        self._lock = Lock()
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            self._db.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise LedgerError(f"{path}: cannot be used: {error}") from error

    def save(
        self, instant_s: int, alerts: Iterable[Alert], notices: Mapping[str, Sequence[Notice]] | None = None
    ) -> None:
        """Keep one evaluation: the alerts that changed, its instant, and what is to be said, by channel."""
        kept = [(f"{alert.fingerprint:016x}", msgspec.json.encode(asdict(alert))) for alert in alerts]
        with self._transaction() as db:
            db.executemany("INSERT OR REPLACE INTO alert VALUES (?, ?)", kept)
            db.execute("INSERT OR REPLACE INTO fact VALUES ('instant_s', ?)", (instant_s,))
            for channel, said in (notices or {}).items():
                _put(db, channel, said, instant_s)

    def alerts(self) -> dict[int, Alert]:
        """Return every alert, by fingerprint."""
        with self._transaction() as db:
            rows = db.execute("SELECT body FROM alert").fetchall()
        found = [msgspec.json.decode(body, type=Alert) for (body,) in rows]
        return {alert.fingerprint: alert for alert in found}

    def forget(self, fingerprints: Iterable[int]) -> None:
        """Forget alerts of which nothing is to be remembered."""
        with self._transaction() as db:
            db.executemany("DELETE FROM alert WHERE fingerprint = ?", [(f"{one:016x}",) for one in fingerprints])

    def instant_s(self) -> int | None:
        """Return the last instant that was evaluated; None before the first."""
        with self._transaction() as db:
            row = db.execute("SELECT value FROM fact WHERE name = 'instant_s'").fetchone()
        return None if row is None else int(row[0])

    def note(self, kind: str, notes: Iterable[Note]) -> None:
        """Keep notes; one of the same name is replaced. Durable when it returns."""
        self.note_all({kind: notes})

    def note_all(self, notes: Mapping[str, Iterable[Note]]) -> None:
        """Keep notes of several kinds, all or none."""
        rows = [(kind, one.name, one.body, one.is_copied) for kind, some in notes.items() for one in some]
        with self._transaction() as db:
            db.executemany("INSERT OR REPLACE INTO note VALUES (?, ?, ?, ?)", rows)

    def notes(self, kind: str) -> list[Note]:
        """Return the notes of a kind, by name."""
        with self._transaction() as db:
            rows = db.execute("SELECT name, body, is_copied FROM note WHERE kind = ? ORDER BY name", (kind,)).fetchall()
        return [Note(name=name, body=body, is_copied=bool(is_copied)) for name, body, is_copied in rows]

    def drop_notes(self, kind: str, names: Iterable[str]) -> None:
        """Forget notes."""
        with self._transaction() as db:
            db.executemany("DELETE FROM note WHERE kind = ? AND name = ?", [(kind, name) for name in names])

    def waiting(self, channel: str, items_max: int) -> list[Item]:
        """Return what a channel may say next: what was tried least first, and of equals the oldest.

        What a receiver cannot take does so not hold up the rest. Of each alert it is the first thing that is not
        settled: nobody hears of an end before the beginning.
        """
        with self._transaction() as db:
            rows = db.execute(
                "SELECT channel, body, state, attempts, made_at_s, why FROM notice WHERE rowid IN (SELECT min(rowid)"
                " FROM notice WHERE channel = ? AND state IN ('waiting', 'intent') GROUP BY substr(key, 1, 16))"
                " ORDER BY attempts, rowid LIMIT ?",
                (channel, items_max),
            ).fetchall()
        return [_item(row) for row in rows]

    def waiting_n(self, channel: str) -> int:
        """Return how many notices of a channel are not settled."""
        with self._transaction() as db:
            unsettled = "SELECT count() FROM notice WHERE channel = ? AND state IN ('waiting', 'intent')"
            return int(db.execute(unsettled, (channel,)).fetchone()[0])

    def log(self, items_max: int = 1_000) -> list[Item]:
        """Return what was said and what waits, newest first."""
        with self._transaction() as db:
            rows = db.execute(
                "SELECT channel, body, state, attempts, made_at_s, why FROM notice ORDER BY rowid DESC LIMIT ?",
                (items_max,),
            ).fetchall()
        return [_item(row) for row in rows]

    def begin(self, items: Iterable[Item], tried: Tried | None = None) -> None:
        """Write down that a try begins; durable when it returns.

        Args:
            items: The notices.
            tried: What is kept of the step for looking back; None keeps no step. So for the next three.
        """
        self._change("state = 'intent', attempts = attempts + 1", items, (StepState.INTENT, tried))

    def sent(self, items: Iterable[Item], tried: Tried | None = None) -> None:
        """Write down that they were heard."""
        self._change("state = 'sent', why = ''", items, (StepState.SENT, tried))

    def retry(self, items: Iterable[Item], why: str, tried: Tried | None = None) -> None:
        """Write down that they were not heard; how long to wait is the channel's affair, not the notice's."""
        self._change("state = 'waiting', why = ?", items, (StepState.FAILED, tried), why[:WHY_CHARS_MAX])

    def give_up(self, items: Iterable[Item], why: str, tried: Tried | None = None) -> None:
        """Write down that they will not be tried again."""
        self._change("state = 'given_up', why = ?", items, (StepState.GIVEN_UP, tried), why[:WHY_CHARS_MAX])

    def steps(self, batch: str, steps_max: int) -> tuple[str, list[NoticeStep]]:
        """Return the steps that are to be copied next, oldest first, and the name of their batch.

        A batch stays as it was cut until it is copied: whoever does not know whether it is sends the same again.

        Args:
            batch: Name for a new batch; unique.
            steps_max: Most steps of a new batch.
        """
        with self._transaction() as db:
            if cut := db.execute("SELECT batch FROM step WHERE batch != '' LIMIT 1").fetchone():
                batch = cut[0]
            else:
                oldest = "UPDATE step SET batch = ? WHERE id IN (SELECT id FROM step ORDER BY id LIMIT ?)"
                db.execute(oldest, (batch, steps_max))
            rows = db.execute(
                "SELECT channel, key, attempt, state, at_ms, group_key, http_status, duration_us FROM step"
                " WHERE batch = ? ORDER BY id",
                (batch,),
            ).fetchall()
        return batch, [_step(row) for row in rows]

    def copied(self, batch: str) -> None:
        """Forget the steps of a batch: they are kept elsewhere."""
        with self._transaction() as db:
            db.execute("DELETE FROM step WHERE batch = ?", (batch,))

    def steps_lost(self) -> int:
        """Return how many steps were given up before they were copied, since this file was made."""
        with self._transaction() as db:
            row = db.execute("SELECT value FROM fact WHERE name = 'steps_lost'").fetchone()
        return 0 if row is None else int(row[0])

    def claim(self, holder: str, now_s: float, length_s: float) -> bool:
        """Take or renew the lease of this file; returns whether nobody else holds it.

        Args:
            holder: Who asks.
            now_s: By a clock that all who ask share and that begins anew only with the host.
            length_s: How long it holds, alike for all.
        """
        with self._transaction() as db:
            row = db.execute("SELECT body FROM note WHERE kind = 'lease'").fetchone()
            other, until_s = msgspec.json.decode(row[0], type=tuple[str, float]) if row else (holder, now_s)
            if other != holder and now_s < until_s <= now_s + length_s:  # a later end is of a host that ran before
                return False
            body = msgspec.json.encode((holder, now_s + length_s))
            db.execute("INSERT OR REPLACE INTO note VALUES ('lease', '', ?, 0)", (body,))
        return True

    def release(self, holder: str) -> None:
        """Give up the lease of this file, if it is held by who asks."""
        with self._transaction() as db:
            row = db.execute("SELECT body FROM note WHERE kind = 'lease'").fetchone()
            if row and msgspec.json.decode(row[0], type=tuple[str, float])[0] == holder:
                db.execute("DELETE FROM note WHERE kind = 'lease'")

    def keep_sent(self, items: Iterable[Item]) -> None:
        """Keep that notices were heard, whoever queued them."""
        rows = [(item.channel, item.notice.key, item.attempts, item.made_at_s) for item in items]
        with self._transaction() as db:
            db.executemany("INSERT OR REPLACE INTO notice VALUES (?, ?, x'', 'sent', ?, ?, '')", rows)

    def sent_of(self, items: Iterable[Item]) -> list[Item]:
        """Return those that are known to have been heard."""
        asked = "SELECT 1 FROM notice WHERE channel = ? AND key = ? AND state = 'sent'"
        with self._transaction() as db:
            return [item for item in items if db.execute(asked, (item.channel, item.notice.key)).fetchone()]

    def prune(self, now_s: int) -> None:
        """Forget what was settled long ago."""
        with self._transaction() as db:
            settled = "DELETE FROM notice WHERE state IN ('sent', 'given_up') AND made_at_s < ?"
            db.execute(settled, (now_s - KEPT_S,))

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def _change(self, what: str, items: Iterable[Item], step: tuple[StepState, Tried | None], *values: object) -> None:
        keys = [(item.channel, item.notice.key) for item in items]
        with self._transaction() as db:
            db.executemany(
                f"UPDATE notice SET {what} WHERE channel = ? AND key = ?",  # noqa: S608 -- `what` is one of ours above
                [(*values, *key) for key in keys],
            )
            state, tried = step
            if tried is not None:
                of = (state, tried.at_ms, tried.group_key, tried.http_status, tried.duration_us)
                db.executemany(f"{_STEP} WHERE channel = ? AND key = ?", [(*of, *key) for key in keys])
                _trim(db)

    @contextmanager
    def _transaction(self) -> Generator[sqlite3.Connection]:
        with self._lock:
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield self._db
                except BaseException:
                    self._db.execute("ROLLBACK")
                    raise
                self._db.execute("COMMIT")
            except sqlite3.Error as error:
                raise LedgerError(f"the ledger cannot be written: {error}") from error


def _put(db: sqlite3.Connection, channel: str, notices: Sequence[Notice], now_s: int) -> None:
    db.executemany(
        "INSERT OR IGNORE INTO notice VALUES (?, ?, ?, 'waiting', 0, ?, '')",
        [(channel, notice.key, msgspec.json.encode(asdict(notice)), now_s) for notice in notices],
    )
    full = "SELECT rowid FROM notice WHERE channel = ? AND state = 'waiting' ORDER BY rowid DESC LIMIT -1 OFFSET ?"
    step, given_up = f"{_STEP} WHERE rowid IN ({full})", "UPDATE notice SET state = 'given_up', why = 'too many wait'"
    db.execute(step, (StepState.GIVEN_UP, now_s * 1000, "", None, None, channel, QUEUE_MAX))
    given_up += f" WHERE rowid IN ({full})"
    db.execute(given_up, (channel, QUEUE_MAX))
    _trim(db)


def _trim(db: sqlite3.Connection) -> None:
    """Give up the oldest steps of too many."""
    lost = db.execute("DELETE FROM step WHERE id <= (SELECT max(id) FROM step) - ?", (STEPS_MAX,)).rowcount
    if lost:
        counted = "INSERT INTO fact VALUES ('steps_lost', ?) ON CONFLICT (name) DO UPDATE SET value = value + ?"
        db.execute(counted, (lost, lost))


def _step(row: tuple[str, str, int, str, int, str, int | None, int | None]) -> NoticeStep:
    channel, key, attempt, state, at_ms, group_key, http_status, duration_us = row
    tried = Tried(at_ms=at_ms, group_key=group_key, http_status=http_status, duration_us=duration_us)
    return NoticeStep(channel=channel, key=key, attempt=attempt, state=StepState(state), tried=tried)


def _item(row: tuple[str, bytes, str, int, int, str]) -> Item:
    channel, body, state, attempts, made_at_s, why = row
    notice = msgspec.json.decode(body, type=Notice)
    return Item(channel=channel, notice=notice, state=Step(state), attempts=attempts, made_at_s=made_at_s, why=why)
