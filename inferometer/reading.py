"""Knows where the rows are to be read from, and asks; refuses to start anything.

A store URL wins; else it is the embedded store that runs on the data directory, whose lock says its address.

Source: spec/store.md 8.1 (lock), 8.4 (users).
"""

from dataclasses import dataclass, field
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
            raise told(error, self.url) from None

    def raw(self, sql: str, output: str) -> bytes:
        """Run one reading statement; the result comes in one of `OUTPUTS`.

        Raises:
            InferometerError: The store does not answer or refuses.
        """
        try:
            return self.store.raw(sql, output=OUTPUTS[output])
        except _NOT_THE_STATEMENT as error:
            raise told(error, self.url) from None
        except StoreError as error:
            raise ConfigurationError(f"sql: {exception(error)}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Where a store is, and as whom it is read.

    Attributes:
        url: Its address.
        user: Name that it knows; empty for a store without users.
        password: The secret of that user.
    """

    url: str
    user: str
    password: str = field(repr=False)


def access(config: Config) -> Access:
    """Return how the store is read.

    Raises:
        UnreachableError: No store runs on the data directory.
    """
    data = data_directory.resolve(config.data)
    keys = config.store
    if keys.url is not None:
        password = secret(keys.password, keys.password_file, "store.password")
        return Access(url=keys.url, user=keys.user, password=password)
    url = str(data_directory.holder_of(data.store_lock).get("url") or "")
    if not url:
        raise UnreachableError(
            f"no store runs on {data.root}; start one: inferometer up --target URL --data {data.root}"
        )
    return Access(url=url, user="reader", password=_reader_secret(data))


def source(config: Config) -> Source:
    """Return where to read.

    Raises:
        UnreachableError: No store runs on the data directory.
    """
    how = access(config)
    status = data_directory.read_status(data_directory.resolve(config.data))
    ports = cast("dict[str, int]", status.get("ports", {}))
    return Source(
        store=Store(how.url, user=how.user, password=how.password),
        url=how.url,
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


def exception(error: StoreError) -> str:
    """Return what ClickHouse says is wrong, without its list of everything that would have been right."""
    text = " ".join(str(error).split()).rsplit("DB::Exception: ", 1)[-1]
    return text.split(" Expected one of:", 1)[0][:EXCEPTION_CHARACTERS_MAX]


def told(error: StoreError, url: str) -> InferometerError:
    """Return what a store's complaint is to a user."""
    text = exception(error)
    if isinstance(error, StoreUnreachableError):
        return UnreachableError(f"store {url} does not answer: {text}")
    if isinstance(error, StoreDeniedError):
        return ConfigurationError(f"store {url} refuses: {text}")
    return InferometerError(f"store {url}: {text}")
