"""Knows chDB: one owner of one path, handles in bounded pools, one statement per handle at a time.

The only module that imports chdb, and only when a store is opened: it brings 200 MB into the process. A handle belongs
to one thread of its pool, so that a statement never meets another's stream. Reader handles get their budgets and then
`readonly = 1`, which the engine lets nobody take back.

Source: spec/store.md 8.2, 8.3; chdb/state/sqlitelike.py (Connection, StreamingInserter).
"""

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, cast

from inferometer import store_gate, store_wire
from telemetry import schema

READERS_MAX = 4
WRITERS = 2
WAITING_MAX = 64
"""Statements that wait for a handle of a pool; one more is told to come back."""
VERDICTS_MAX = 256
"""Statements whose canonical text is remembered, because it passed the gate."""
READ_S_MAX = 10.0
RESULT_BYTES_MAX = 32 * 1024 * 1024
"""Largest result; it is buffered whole, so that no error ever follows a status 200."""
_BUDGETS = (
    f"SET max_execution_time = {READ_S_MAX:.0f}",
    "SET max_memory_usage = 1073741824",
    "SET max_rows_to_read = 2000000000",
    "SET max_result_rows = 200000",
    f"SET max_result_bytes = {RESULT_BYTES_MAX}",
    "SET result_overflow_mode = 'throw'",
    "SET readonly = 1",
)
_DATABASES = frozenset({schema.DATABASE, "system", "information_schema", "INFORMATION_SCHEMA"})
_CANONICAL = "SELECT formatQuerySingleLine({q:String})"
"""Parses and never runs; a syntax error or a second statement is error 62 in the parser's own words."""
_TABLE_FUNCTIONS = "SELECT name FROM system.table_functions FORMAT TabSeparated"
_FUNCTIONS = "SELECT name FROM system.functions FORMAT TabSeparated"
T = TypeVar("T")
H = TypeVar("H")


class EngineError(Exception):
    """The engine refused or failed; the text is its own and holds the code."""


class BusyError(Exception):
    """All handles are taken and the queue is full; nothing was executed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a statement gave.

    Attributes:
        body: The rows, in the format asked for.
        output: That format.
        rows: Rows read, or written by an insert.
        size: Bytes read, or written by an insert.
    """

    body: bytes
    output: str
    rows: int
    size: int


class _RawResult(Protocol):
    def bytes(self) -> bytes: ...
    def rows_read(self) -> int: ...
    def bytes_read(self) -> int: ...


class _Inserted(Protocol):
    rows_written: int
    bytes_written: int


class _Inserter(Protocol):
    def append(self, data: bytes) -> None: ...
    def finish(self) -> _Inserted: ...
    def cancel(self) -> None: ...


class _Connection(Protocol):
    def query(self, query: str, format: str, params: Mapping[str, str]) -> _RawResult: ...  # noqa: A002 (chDB's name)
    def send_insert(self, query: str, format: str) -> _Inserter: ...  # noqa: A002 (chDB's name)
    def close(self) -> None: ...


class _Handle:
    """One connection; used by one thread.

    Subtle: after a statement that failed while it wrote its result, the engine gives what it had written so far to the
    NEXT statement of the connection (seen on 26.9 with error 396). So a connection ends with its first failure; a new
    one takes 2 ms.
    """

    def __init__(self, connect: Callable[[], _Connection], prelude: tuple[str, ...]) -> None:
        self._connect, self._prelude = connect, prelude
        self._connection = self._opened()
        self._database = schema.DATABASE

    def use(self, database: str) -> None:
        if database != self._database:
            self.read(f"USE {database}", "TabSeparated", {})
            self._database = database

    def read(self, sql: str, output: str, parameters: Mapping[str, str]) -> Result:
        try:
            found = self._connection.query(sql, output, params=parameters)
        except RuntimeError as error:
            self._reopen()
            raise EngineError(str(error)) from error
        return Result(body=found.bytes(), output=output, rows=found.rows_read(), size=found.bytes_read())

    def insert(self, sql: str, form: str, data: bytes) -> Result:
        inserter: _Inserter | None = None
        try:
            inserter = self._connection.send_insert(sql, form)
            inserter.append(data)
            done = inserter.finish()
        except RuntimeError as error:
            if inserter is not None:
                inserter.cancel()
            self._reopen()
            text = str(error)
            raise EngineError(text[max(text.find("Code: "), 0) :]) from error
        return Result(body=b"", output=form, rows=done.rows_written, size=done.bytes_written)

    def close(self) -> None:
        self._connection.close()

    def _reopen(self) -> None:
        self._connection.close()
        self._connection = self._opened()
        self._database = schema.DATABASE

    def _opened(self) -> _Connection:
        connection = self._connect()
        for statement in (f"USE {schema.DATABASE}", *self._prelude):
            connection.query(statement, "TabSeparated", params={})
        return connection


class Pool(Generic[H]):
    """Threads that hold one handle each while they work, and a bounded queue before them."""

    def __init__(self, name: str, handles: Sequence[H]) -> None:
        """Start as many threads as there are handles."""
        self._free = list(handles)
        self._places = threading.BoundedSemaphore(len(handles) + WAITING_MAX)
        self._threads = ThreadPoolExecutor(len(handles), thread_name_prefix=f"store-{name}")

    def submit(self, work: Callable[[H], T]) -> Future[T]:
        """Let a thread do the work with a handle.

        Raises:
            BusyError: The queue is full.
        """
        if not self._places.acquire(blocking=False):
            raise BusyError(f"{WAITING_MAX} statements are waiting already")
        future = self._threads.submit(self._run, work)
        future.add_done_callback(lambda _: self._places.release())
        return future

    def close(self) -> list[H]:
        """Finish what runs, drop what waits, and hand the handles back."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        return self._free

    def _run(self, work: Callable[[H], T]) -> T:
        handle = self._free.pop()  # There are as many handles as threads.
        try:
            return work(handle)
        finally:
            self._free.append(handle)


class Engine:
    """An open store directory."""

    def __init__(self, path: Path) -> None:
        """Open the directory, or make it; the caller holds its lock."""
        os.environ["TZ"] = "UTC"  # The engine takes its time zone from here when it starts.
        import chdb  # noqa: PLC0415 - it brings 200 MB into the process

        connect = cast("Callable[[str], _Connection]", cast("Any", chdb).connect)
        opened = partial(connect, str(path.resolve()))
        self._admin = opened()
        self.execute(schema.CREATE_DATABASE)
        self.version = self.execute("SELECT version() FORMAT TabSeparated").strip()
        self._denied = store_gate.denied(self.execute(_TABLE_FUNCTIONS).split(), self.execute(_FUNCTIONS).split())
        n_readers = min(READERS_MAX, os.cpu_count() or 1)
        self._readers = Pool("read", [_Handle(opened, _BUDGETS) for _ in range(n_readers)])
        self._writers = Pool("write", [_Handle(opened, ()) for _ in range(WRITERS)])
        self._verdicts: dict[str, str] = {}

    def execute(self, sql: str) -> str:
        """Run a statement of our own with all rights, in the caller's thread.

        Raises:
            EngineError: The engine refused it.
        """
        try:
            return self._admin.query(sql, "TabSeparated", params={}).bytes().decode()
        except RuntimeError as error:
            raise EngineError(str(error)) from error

    def read(self, sql: str, output: str, parameters: Mapping[str, str], database: str) -> Future[Result]:
        """Run a reader's statement.

        Raises:
            BusyError: The queue is full; nothing was executed. From the future come `EngineError` and the gate's
                `RefusedError`.
        """
        return self._readers.submit(lambda handle: self._read(handle, sql, output, parameters, database))

    def ask(self, sql: str, output: str, parameters: Mapping[str, str]) -> Future[Result]:
        """Run a statement that the gate knows word by word, on a handle that may write.

        A client believes what this handle says of its settings, so it does not refuse to send an insert's.
        """
        return self._writers.submit(lambda handle: handle.read(sql, output, parameters))

    def insert(self, statement: store_gate.Insert, settings: Mapping[str, str], data: bytes) -> Future[Result]:
        """Insert rows; when the future has a result they are on disk."""
        names = ", ".join(statement.columns)
        pairs = ", ".join(f"{name} = '{_literal(value)}'" for name, value in settings.items())
        sql = f"INSERT INTO {schema.DATABASE}.{statement.table.name} ({names}) SETTINGS {pairs}"  # names from schema.py
        return self._writers.submit(lambda handle: handle.insert(sql, statement.format, data))

    def close(self) -> None:
        """Finish what runs, drop what waits, close every handle."""
        for handle in (*self._writers.close(), *self._readers.close()):
            handle.close()
        self._admin.close()

    def _read(self, handle: _Handle, sql: str, output: str, parameters: Mapping[str, str], database: str) -> Result:
        canonical = self._judged(handle, sql)
        handle.use(database if database in _DATABASES else schema.DATABASE)
        # What was judged is what runs: two readings of one text could differ.
        found = handle.read(canonical, store_gate.split_format(canonical)[1] or output, parameters)
        if len(found.body) > RESULT_BYTES_MAX:  # The engine's own limit counts a constant column as one value.
            raise store_gate.RefusedError(396, f"Limit for result exceeded, max bytes: {RESULT_BYTES_MAX}")
        return found

    def _judged(self, handle: _Handle, sql: str) -> str:
        canonical = self._verdicts.get(sql)
        if canonical is None:
            canonical = handle.read(_CANONICAL, "RawBLOB", {"q": store_wire.escaped(sql)}).body.decode()
            store_gate.refuse_reading(canonical, self._denied)
            if len(self._verdicts) >= VERDICTS_MAX:
                self._verdicts.clear()
            self._verdicts[sql] = canonical
        return canonical


def _literal(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")
