"""Knows how to talk to ClickHouse over HTTP, and what each of its failures lets a caller conclude.

The only module that imports clickhouse_connect and urllib3; their exceptions end here, in one table. An insert is
sent once: the library's own resend after a lost connection is kept off, because after it nobody could tell any more
that the first attempt had reached the server.

Source: spec/store.md 10.3 (settings), 10.4 (outcomes), 10.7 (codes); clickhouse_connect/driver/_backend/http_sync.py
(a body that is neither bytes nor str is not resent).
"""

import logging
import re
import threading
import weakref
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol, cast
from urllib.parse import urlsplit

import clickhouse_connect
import msgspec
import urllib3.exceptions
from clickhouse_connect.driver import httputil
from clickhouse_connect.driver.exceptions import ClickHouseError

from telemetry import native, queries, schema
from telemetry.errors import (
    StoreAmbiguousError,
    StoreBusyError,
    StoreDeniedError,
    StoreDriftError,
    StoreError,
    StorePoisonError,
    StoreUnreachableError,
)
from telemetry.queries import Question
from telemetry.record import RequestBatch
from telemetry.samples import SAMPLES, Sample
from telemetry.schema import Table

CONNECT_S = 5
REQUEST_S = 60
BATCH_ROWS_MAX = 100_000
"""Rows of one insert; the spool cuts at a fifth of it, and 64 MiB of body hold about twice as many."""

_TRANSPOSE_ROWS = 128
"""Records turned into columns at a time: few enough to stay in cache and below the collector of cycles."""
_INSERT_SETTINGS = {
    "insert_deduplicate": 1,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
    "async_insert": 0,
    "wait_for_async_insert": 1,
    "materialized_views_ignore_errors": 0,
    "wait_end_of_query": 1,
}
_CODES: dict[type[StoreError], frozenset[int]] = {
    StoreBusyError: frozenset({202}),
    StoreDriftError: frozenset({16, 47, 53, 60, 81}),
    StoreDeniedError: frozenset({164, 192, 193, 194, 497, 516}),
    StorePoisonError: frozenset({6, 27, 33, 41, 69, 70, 72, 117, 349}),
}
"""What a code lets an inserter conclude. Not named: ambiguous, because a view may fail after its rows are stored."""
_BUSY_STATUSES = frozenset({429, 503})
_NEVER_SENT = (
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.SSLError,
)
logging.getLogger("clickhouse_connect").addHandler(logging.NullHandler())
"""The library logs each failure that it raises, with a traceback; we raise it translated, and once is enough."""
_library: Any = clickhouse_connect
_library_http: Any = httputil
"""The library types neither settings nor options; `_Client` does."""
_STATUS = re.compile(r"HTTP status (\d{3})")


class _Rows(Protocol):
    def named_results(self) -> Iterable[dict[str, object]]: ...


class _Client(Protocol):
    """What we use of clickhouse_connect's Client, typed to the end."""

    def raw_insert(
        self,
        table: str,
        column_names: Sequence[str],
        insert_block: memoryview,
        settings: Mapping[str, object],
        fmt: str,
    ) -> object: ...
    def query(self, query: str, parameters: Mapping[str, object], settings: Mapping[str, object]) -> _Rows: ...
    def raw_query(self, query: str, parameters: Mapping[str, object], fmt: str) -> bytes: ...
    def command(self, cmd: str) -> object: ...


class Store:
    """A client of one ClickHouse database; the shipper's `RowSink`. One connection per thread, opened at first use."""

    def __init__(
        self,
        url: str,
        *,
        user: str = "",
        password: str = "",
        database: str = schema.DATABASE,
        request_s: int = REQUEST_S,
    ) -> None:
        """Keep the address.

        Args:
            url: `http://host:port` or `https://host:port` of the store.
            user: Name that the store knows; empty for a store without users.
            password: Its secret.
            database: Database that holds the tables.
            request_s: Longest wait for an answer, whole seconds (the library cuts fractions off).

        Raises:
            ValueError: The URL is not of that form.
        """
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError(f"store URL {url!r} is not http://HOST:PORT or https://HOST:PORT")
        self._interface, self._host, self._port = parts.scheme, parts.hostname, parts.port
        self._user, self._password, self._database = user, password, database
        self.request_s = request_s
        """Longest wait for an answer."""
        self._local = threading.local()

    def insert_requests(self, batch: RequestBatch, token: str) -> None:
        """Insert a batch under its token; a resend with the same token changes nothing.

        Raises:
            StoreUnreachableError: Certainly not stored.
            StoreBusyError: Certainly not stored; the store asks for patience.
            StoreDeniedError, StoreDriftError: Not stored; a human is needed.
            StorePoisonError: A row cannot be encoded, or the store named a row as the reason.
            StoreAmbiguousError: May be stored: ask `count_requests` before a late resend.
        """
        self._insert(schema.REQUESTS.name, _INSERT_NAMES, encode_requests(batch), token)

    def insert_samples(self, samples: Sequence[Sample], token: str) -> None:
        """Insert samples of one shape under their token; a resend with the same token changes nothing.

        Raises:
            StoreError: As `insert_requests`.
        """
        self.insert_rows(SAMPLES[type(samples[0])].table, list(map(msgspec.structs.astuple, samples)), token)

    def insert_rows(self, table: Table, rows: Sequence[Sequence[object]], token: str) -> None:
        """Insert rows, at least one, under their token; a resend with the same token changes nothing.

        Args:
            table: Where to.
            rows: Values in the order of the table's insert columns; times are unix milliseconds or seconds.
            token: Says that two inserts are one.

        Raises:
            StoreError: As `insert_requests`.
        """
        columns = table.insert_columns
        try:
            block = native.block(columns, list(zip(*rows, strict=True)))
        except ValueError as error:
            raise StorePoisonError(str(error)) from error
        self._insert(table.name, [column.name for column in columns], block, token)

    def _insert(self, table: str, columns: Sequence[str], block: bytes, token: str) -> None:
        settings = {**_INSERT_SETTINGS, "insert_deduplication_token": token}
        client = self._client()
        with _translated(_insert_diagnosis):
            # Subtle: a memoryview, not bytes, keeps the library from resending it on its own.
            client.raw_insert(table, columns, memoryview(block), settings=settings, fmt="Native")

    def count_requests(self, batch: RequestBatch) -> int:
        """Count the rows of a batch that are stored."""
        ended = [record.ended_at for record in batch.records]
        runs = iter(queries.runs_of(batch.seqs))
        total = 0
        while part := list(islice(runs, queries.RUNS_MAX)):
            question = queries.stored_count(batch.collector, part, min(ended), max(ended))
            total += cast("int", self.query(question)[0]["n"])
        return total

    def inserts_since(self, batch: RequestBatch) -> int:
        """Count the inserts that the store took since it took a batch, at most `queries.INSERTS_MAX`."""
        ended = [record.ended_at for record in batch.records]
        seqs = batch.seqs
        question = queries.inserts_since(batch.collector, seqs[0], seqs[-1], min(ended), max(ended))
        return cast("int", self.query(question)[0]["n"])

    def query(self, question: Question) -> list[dict[str, object]]:
        """Answer a question, one dict per row.

        Raises:
            StoreError: The store refused or did not answer; nothing was changed.
        """
        client = self._client()
        settings = {"max_execution_time": question.seconds_max}
        with _translated(_read_diagnosis):
            return list(client.query(question.sql, parameters=question.parameters, settings=settings).named_results())

    def raw(
        self, sql: str, *, parameters: Mapping[str, object] | None = None, output: str = "TabSeparatedWithNames"
    ) -> bytes:
        """Run one statement, its parameters bound by the server, and return its result in a ClickHouse format."""
        client = self._client()
        with _translated(_read_diagnosis):
            return client.raw_query(sql, parameters=parameters or {}, fmt=output)

    def ping(self) -> None:
        """Connect, and return if the store answers.

        Raises:
            StoreError: It does not, or refuses us.
        """
        client = self._client()
        with _translated(_read_diagnosis):
            client.command("SELECT 1")

    def close(self) -> None:
        """Close this thread's connection, as its end does; the next call opens a new one."""
        known = self._known()
        if known is not None:
            known.close()
            self._local.connection = None

    def _known(self) -> "_Connection | None":
        return cast("_Connection | None", getattr(self._local, "connection", None))

    def _client(self) -> _Client:
        known = self._known()
        if known is None:
            with _translated(_read_diagnosis):
                known = _Connection(self._connected)
            self._local.connection = known
        return known.client

    def _connected(self, pools: object) -> _Client:
        client: _Client = _library.get_client(
            interface=self._interface,
            host=self._host,
            port=self._port or 0,
            username=self._user or None,
            password=self._password,
            database=self._database,
            compress=False,
            connect_timeout=CONNECT_S,
            send_receive_timeout=self.request_s,
            autogenerate_session_id=False,
            query_retries=0,
            show_clickhouse_errors="scrub",
            pool_mgr=pools,
        )
        return client


class _Connection:
    """A thread's connection; it is closed when the thread ends, for nobody else can."""

    def __init__(self, connected: Callable[[object], _Client]) -> None:
        pools = _library_http.get_pool_manager(maxsize=1, num_pools=1)  # our own: no proxy, no shared state
        # Subtle: the library keeps every pool until the process ends, so the end of ours is bound to that of `self`.
        self.close = weakref.finalize(self, _close, pools)
        self.close.atexit = False
        try:
            self.client = connected(pools)
        except BaseException:
            self.close()  # now: a traceback may hold `self` for long
            raise


def _close(pools: Any) -> None:  # noqa: ANN401 -- the library's pools are untyped
    for key in pools.pools.keys():  # noqa: SIM118 - urllib3's container refuses to be iterated
        pools.pools[key].close()
    _library_http.all_managers.pop(pools, None)


def encode_requests(batch: RequestBatch) -> bytes:
    """Encode a batch as one Native block.

    Raises:
        StorePoisonError: A value that its column cannot hold.
    """
    n_rows = len(batch.records)
    if n_rows != len(batch.seqs) or n_rows > BATCH_ROWS_MAX:
        raise StorePoisonError(f"a batch of {n_rows} records, {len(batch.seqs)} seqs; allowed are {BATCH_ROWS_MAX}")
    columns = _columns(batch)
    columns["collector"] = [batch.collector] * n_rows
    columns["seq"] = batch.seqs
    try:
        return native.block(schema.REQUESTS.insert_columns, [columns[name] for name in _INSERT_NAMES])
    except ValueError as error:
        raise StorePoisonError(str(error)) from error


def _columns(batch: RequestBatch) -> dict[str, Sequence[Any]]:
    columns: list[list[Any]] = [[] for _ in _RECORD_NAMES]
    for first in range(0, len(batch.records), _TRANSPOSE_ROWS):
        rows = map(msgspec.structs.astuple, batch.records[first : first + _TRANSPOSE_ROWS])
        for column, values in zip(columns, zip(*rows, strict=True), strict=True):
            column.extend(values)
    return dict(zip(_RECORD_NAMES, columns, strict=True))


_INSERT_NAMES = [column.name for column in schema.REQUESTS.insert_columns]
_RECORD_NAMES = [name for name in _INSERT_NAMES if name not in {"collector", "seq"}]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Symptom:
    """What a failure shows: text, ClickHouse code, HTTP status, and that not one byte of the statement left us."""

    text: str
    code: int | None
    status: int | None
    never_sent: bool


_Diagnosis = Callable[[_Symptom], StoreError]


@contextmanager
def _translated(diagnosis: _Diagnosis) -> Generator[None]:
    try:
        yield
    except (ClickHouseError, urllib3.exceptions.HTTPError) as error:
        status = _STATUS.search(str(error))
        raise diagnosis(
            _Symptom(
                text=_text(error),
                code=cast("int | None", getattr(error, "code", None)),
                status=int(status[1]) if status else None,
                never_sent=any(isinstance(one, _NEVER_SENT) for one in _chain(error)),
            )
        ) from error


def _insert_diagnosis(seen: _Symptom) -> StoreError:
    if seen.never_sent:
        return StoreUnreachableError(seen.text)
    if seen.code is None:
        return StoreBusyError(seen.text) if seen.status in _BUSY_STATUSES else StoreAmbiguousError(seen.text)
    named = (family for family, codes in _CODES.items() if seen.code in codes)
    return next(named, StoreAmbiguousError)(seen.text, seen.code)


def _read_diagnosis(seen: _Symptom) -> StoreError:
    error = _insert_diagnosis(seen)
    if not isinstance(error, StoreAmbiguousError | StorePoisonError):
        return error
    # A read changes nothing: without a code there was no answer, with one the statement was refused.
    return StoreUnreachableError(seen.text) if seen.code is None else StoreError(seen.text, seen.code)


def _text(error: BaseException) -> str:
    """Return the innermost cause's words beside the library's, which alone say only that a request failed."""
    last = list(_chain(error))[-1]
    texts = [" ".join(str(one).split()) or type(one).__name__ for one in (error, last)]
    return texts[0] if last is error else f"{texts[0]}: {texts[1]}"


def _chain(error: BaseException) -> Generator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        reason: object = getattr(seen, "reason", None)
        seen = reason if isinstance(reason, BaseException) else seen.__cause__ or seen.__context__
