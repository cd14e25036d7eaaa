"""Knows chDB: one owner of one path, handles in bounded pools, one statement per handle at a time.

The only module that imports chdb, and only when a store is opened: it brings 200 MB into the process. A handle belongs
to one thread of its pool, so that a statement never meets another's stream. Reader handles get their budgets and then
`readonly = 1`, which the engine lets nobody take back.

Source: spec/store.md 8.2, 8.3; chdb/state/sqlitelike.py (Connection).
"""

import os
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, cast
from urllib.parse import quote

from inferometer import store_gate, store_wire
from inferometer.store_pool import Pool, Work
from telemetry import schema

READERS_MAX = 4
WRITERS = 2
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
_NAME = "SET log_comment = '{name}'"
"""Names what a handle runs, so that exactly that can be found and killed; a reader cannot change it."""
_KILL = "KILL QUERY WHERE Settings['log_comment'] = {name:String} ASYNC"
_NOT_IN_A_PATH = frozenset("?&")
"""What the engine takes for the end of a path, or of a setting behind it."""
_TABLE_FUNCTIONS = "SELECT name FROM system.table_functions FORMAT TabSeparated"
_FUNCTIONS = "SELECT name FROM system.functions FORMAT TabSeparated"


class EngineError(Exception):
    """The engine refused or failed; the text is its own and holds the code."""


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


class _Connection(Protocol):
    def query(self, query: str, format: str, params: Mapping[str, str]) -> _RawResult: ...  # noqa: A002 (chDB's name)
    def close(self) -> None: ...


class _Admin:
    """A connection with all rights; its statements come one after another, from any thread."""

    def __init__(self, connect: Callable[[], _Connection]) -> None:
        self._connection, self._lock = connect(), threading.Lock()

    def execute(self, sql: str, parameters: Mapping[str, str]) -> str:
        with self._lock:
            try:
                return self._connection.query(sql, "TabSeparated", params=parameters).bytes().decode()
            except RuntimeError as error:
                raise EngineError(str(error)) from error

    def close(self) -> None:
        self._connection.close()


class _Handle:
    """One connection; used by one thread.

    Subtle: after a statement that failed while it wrote its result, the engine gives what it had written so far to the
    NEXT statement of the connection (seen on 26.9 with error 396). So a connection ends with its first failure; a new
    one takes 2 ms, and the next statement opens it. To open one may fail, too, if only because a stop that was meant
    for the statement before ends a statement of the prelude; then the one after it tries again.
    """

    def __init__(self, name: str, connect: Callable[[], _Connection], prelude: tuple[str, ...] = ()) -> None:
        self.name, self._connect = name, connect
        self._prelude = (_NAME.replace("{name}", name), *prelude)
        self._connection: _Connection | None = None
        self._database = schema.DATABASE
        self._open()

    def use(self, database: str) -> None:
        if database != self._database:
            self.read(f"USE {database}", "TabSeparated", {})
            self._database = database

    def read(self, sql: str, output: str, parameters: Mapping[str, str]) -> Result:
        try:
            found = (self._connection or self._open()).query(sql, output, params=parameters)
        except RuntimeError as error:
            self.close()
            raise EngineError(str(error)) from error
        return Result(body=found.bytes(), output=output, rows=found.rows_read(), size=found.bytes_read())

    def insert(self, head: str, settings: str, form: str, data: bytes) -> Result:
        """Insert a body that lies in memory under a file's name.

        Subtle: the engine's streaming insert (`send_insert`) reports success when a view behind the table failed, and
        the roll-up would miss rows that nobody asks for again (seen on 26.9); INSERT .. FROM INFILE raises.
        """
        descriptor = os.memfd_create("insert")
        try:
            with os.fdopen(descriptor, "wb", closefd=False) as file:
                file.write(data)
            sql = f"{head} FROM INFILE '/proc/self/fd/{descriptor}' SETTINGS {settings} FORMAT {form}"
            done = self.read(sql, form, {})
        finally:
            os.close(descriptor)
        return Result(body=b"", output=form, rows=done.rows, size=done.size)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection, self._database = None, schema.DATABASE

    def _open(self) -> _Connection:
        connection = self._connect()
        try:
            for statement in (f"USE {schema.DATABASE}", *self._prelude):
                connection.query(statement, "TabSeparated", params={})
        except RuntimeError:
            connection.close()
            raise
        self._connection = connection
        return connection


class Engine:
    """An open store directory."""

    def __init__(self, path: Path, backups: Path) -> None:
        """Open the directory, or make it; the caller holds its lock.

        Args:
            path: Where the store lives.
            backups: The one directory where the engine writes and reads archives.

        Raises:
            EngineError: The path has a character that the engine does not take as one.
        """
        if _NOT_IN_A_PATH & set(str(path.resolve())):
            raise EngineError(f"a path with {' or '.join(sorted(_NOT_IN_A_PATH))} in it is none for the engine")
        os.environ["TZ"] = "UTC"  # The engine takes its time zone from here when it starts.
        import chdb  # noqa: PLC0415 - it brings 200 MB into the process

        connect = cast("Callable[[str], _Connection]", cast("Any", chdb).connect)
        opened = partial(connect, f"{path.resolve()}?backups.allowed_path={quote(str(backups.resolve()))}")
        self._admin, self._killer = _Admin(opened), _Admin(opened)
        self.execute(schema.CREATE_DATABASE)
        self.version = self.execute("SELECT version() FORMAT TabSeparated").strip()
        self._denied = store_gate.denied(self.execute(_TABLE_FUNCTIONS).split(), self.execute(_FUNCTIONS).split())
        n_readers = min(READERS_MAX, os.cpu_count() or 1)
        readers = [_Handle(f"read-{at}", opened, _BUDGETS) for at in range(n_readers)]
        self._readers = Pool("read", readers, self._kill)
        self._writers = Pool("write", [_Handle(f"write-{at}", opened) for at in range(WRITERS)], self._kill)
        self._verdicts: dict[str, str] = {}

    def execute(self, sql: str, parameters: Mapping[str, str] | None = None) -> str:
        """Run a statement of our own with all rights, in the caller's thread.

        Raises:
            EngineError: The engine refused it.
        """
        return self._admin.execute(sql, parameters or {})

    @contextmanager
    def quiet(self) -> Generator[None]:
        """Let the inserts that run finish, and let no other begin: tables then agree with their roll-ups."""
        with self._writers.held():
            yield

    def read(self, sql: str, output: str, parameters: Mapping[str, str], database: str) -> Work[Result]:
        """Run a reader's statement.

        Raises:
            BusyError: The queue is full; nothing was executed. From the work come `EngineError` and the gate's
                `RefusedError`.
        """
        return self._readers.submit(lambda handle: self._read(handle, sql, output, parameters, database))

    def ask(self, sql: str, output: str, parameters: Mapping[str, str]) -> Work[Result]:
        """Run a statement that the gate knows word by word, on a handle that may write.

        A client believes what this handle says of its settings, so it does not refuse to send an insert's.
        """
        return self._writers.submit(lambda handle: handle.read(sql, output, parameters))

    def insert(self, statement: store_gate.Insert, settings: Mapping[str, str], data: bytes) -> Work[Result]:
        """Insert rows; when the work has a result they are on disk."""
        names = ", ".join(statement.columns)
        pairs = ", ".join(f"{name} = '{literal(value)}'" for name, value in settings.items())
        head = f"INSERT INTO {schema.DATABASE}.{statement.table.name} ({names})"  # names from schema.py
        return self._writers.submit(lambda handle: handle.insert(head, pairs, statement.format, data))

    def close(self) -> None:
        """Finish what runs, drop what waits, close every handle."""
        for handle in (*self._writers.close(), *self._readers.close()):
            handle.close()
        self._killer.close()
        self._admin.close()

    def _kill(self, handle: _Handle) -> None:
        self._killer.execute(_KILL, {"name": handle.name})

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


def literal(value: str) -> str:
    """Return a text as it stands between quotes, for the places where the engine takes no parameter."""
    return value.replace("\\", "\\\\").replace("'", "\\'")
