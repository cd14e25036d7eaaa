"""Knows where the rows are to be read from, and asks; refuses to start anything.

A store URL wins; else it is the embedded store that runs on the data directory, whose lock says its address.

Source: spec/store.md 8.1 (lock), 8.4 (users).
"""

from dataclasses import dataclass
from typing import cast

from inferometer import data_directory, store_secrets
from inferometer.config import secret
from inferometer.config_schema import Config
from inferometer.errors import ConfigurationError, InferometerError, UnreachableError
from telemetry.errors import StoreBusyError, StoreDeniedError, StoreError, StoreUnreachableError
from telemetry.queries import Question
from telemetry.store import Store

OUTPUTS = {"json": "JSONEachRow", "csv": "CSVWithNames", "markdown": "Markdown", "table": "PrettyCompactMonoBlock"}
"""Our output formats and ClickHouse's names of them."""

EXCEPTION_CHARACTERS_MAX = 400
"""Most characters of a store's complaint that a message repeats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where rows and figures about the telemetry itself are.

    Attributes:
        store: The store, as a reader.
        url: Its address.
        observing_since_ms: Since when a supervisor records here, unix milliseconds; None if none does or is known.
        metrics_url: Our own metrics page; None if no supervisor runs.
        tee_port: Where clients should go; None if no supervisor runs.
    """

    store: Store
    url: str
    observing_since_ms: int | None
    metrics_url: str | None
    tee_port: int | None

    def rows(self, question: Question) -> list[dict[str, object]]:
        """Answer a question.

        Raises:
            InferometerError: The store does not answer or refuses.
        """
        try:
            return self.store.query(question)
        except StoreError as error:
            raise _told(error, self.url) from None

    def raw(self, sql: str, output: str) -> bytes:
        """Run one reading statement; the result comes in one of `OUTPUTS`.

        Raises:
            InferometerError: The store does not answer or refuses.
        """
        try:
            return self.store.raw(sql, output=OUTPUTS[output])
        except _NOT_THE_STATEMENT as error:
            raise _told(error, self.url) from None
        except StoreError as error:
            raise ConfigurationError(f"sql: {_exception(error)}") from None


def source(config: Config) -> Source:
    """Return where to read.

    Raises:
        UnreachableError: No store runs on the data directory.
    """
    data = data_directory.resolve(config.data)
    status = data_directory.read_status(data)
    keys = config.store
    url = keys.url or str(data_directory.holder_of(data.store_lock).get("url") or "")
    if not url:
        raise UnreachableError(
            f"no store runs on {data.root}; start one: inferometer up --target URL --data {data.root}"
        )
    user, password = keys.user, secret(keys.password, keys.password_file, "store.password")
    if keys.url is None:
        user, password = "reader", _reader_secret(data)
    ports = cast("dict[str, int]", status.get("ports", {}))
    return Source(
        store=Store(url, user=user, password=password),
        url=url,
        observing_since_ms=cast("int | None", status.get("started_unix_ms")),
        metrics_url=cast("str | None", status.get("metrics")),
        tee_port=ports.get("tee"),
    )


def _reader_secret(data: data_directory.DataDirectory) -> str:
    path = store_secrets.secret_path(data.root, "reader")
    try:
        return store_secrets.read_secret(path)
    except OSError as error:
        raise UnreachableError(f"{path}: cannot be read: {error.strerror}") from None


_NOT_THE_STATEMENT = (StoreUnreachableError, StoreBusyError, StoreDeniedError)


def _exception(error: StoreError) -> str:
    """Return what ClickHouse says is wrong, without its list of everything that would have been right."""
    text = " ".join(str(error).split()).rsplit("DB::Exception: ", 1)[-1]
    return text.split(" Expected one of:", 1)[0][:EXCEPTION_CHARACTERS_MAX]


def _told(error: StoreError, url: str) -> InferometerError:
    text = _exception(error)
    if isinstance(error, StoreUnreachableError):
        return UnreachableError(f"store {url} does not answer: {text}")
    if isinstance(error, StoreDeniedError):
        return ConfigurationError(f"store {url} refuses: {text}")
    return InferometerError(f"store {url}: {text}")
