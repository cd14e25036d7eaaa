"""Knows how to tell whether the store answers, lets us read and write, and has our tables; changes nothing in it.

Rights are asked of the server (`CHECK GRANT`), not tried. The embedded store has no grants: there a user is a secret,
so it is the secret that is shown.

Source: spec/ui.md 1.2 (store.reach, store.schema, store.dedup, clock.sync); spec/store.md 8.4 (users), 9 (schema).
"""

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from typing import cast

from inferometer import data_directory, migrate, reading, store_secrets
from inferometer.config_schema import Config
from inferometer.data_directory import DataDirectory
from inferometer.doctor_finding import Finding, error, judged, note, ok, warn
from inferometer.errors import ConfigurationError, InferometerError
from inferometer.reading import Access
from telemetry.clock import wall_ms
from telemetry.errors import StoreDeniedError, StoreError
from telemetry.queries import Question
from telemetry.store import Store

WAIT_S = 2
"""Longest wait for one answer."""
CLOCK_MS_MAX = 2000
"""Difference above which times of two machines should not be compared."""
_HELLO = Question(sql="SELECT version() AS version, toUnixTimestamp64Milli(now64(3)) AS at_ms", seconds_max=2.0)
_PRIVILEGES = {
    "SELECT": Question(sql="CHECK GRANT SELECT ON inferometer.*", seconds_max=2.0),
    "INSERT": Question(sql="CHECK GRANT INSERT ON inferometer.*", seconds_max=2.0),
}
_UNKNOWN_STATEMENT = 62
"""ClickHouse's code for a statement that it does not know: a server older than CHECK GRANT."""


def examine(config: Config, data: DataDirectory) -> Iterator[Finding]:
    """Look at the store that the configuration names, or at the embedded one that runs on the data directory."""
    if config.store.url is None and not data_directory.holder_of(data.store_lock):
        yield _none_runs()
        return
    try:
        how = reading.access(config)
        with _client(how) as store:
            yield from _asked(store, how, config, data)
    except ValueError as fault:
        yield error("store.reach", ConfigurationError(f"store.url: {fault}"), "correct store.url")
    except InferometerError as fault:
        yield error("store.reach", fault, "start it, or correct store.url, store.user and store.password_file")


def _asked(store: Store, how: Access, config: Config, data: DataDirectory) -> Iterator[Finding]:
    try:
        store.ping()  # opens the connection, which takes several questions; the next one is timed
        try:
            yield from _hello(store, how)
        except StoreDeniedError:
            yield ok("store.reach", f"{how.url} answers")
            fix = "name one that may read as well; rows are sent all the same"
            yield warn("store.rights", f"{_name(how)} may not read, so no more can be seen", fix)
            return
        yield from _embedded(how, data) if config.store.url is None else rights(_name(how), _may(store))
        yield _schema(store, config)
    except StoreError as fault:
        raise reading.told(fault, how.url) from None


def rights(user: str, may: Mapping[str, bool | None]) -> Iterator[Finding]:
    """Return what a user's rights let us do.

    Args:
        user: Its name.
        may: By privilege, whether it has it; None if the server does not say.
    """
    for privilege, has in may.items():
        if has is None:
            yield note("store.rights", f"the server does not say whether {user} has {privilege} on inferometer.*")
        elif has:
            yield ok("store.rights", f"{user} has {privilege} on inferometer.*")
        else:
            denied = ConfigurationError(f"{user} lacks {privilege} on inferometer.*")
            yield error("store.rights", denied, f"GRANT {privilege} ON inferometer.* TO {user}")


def _none_runs() -> Finding:
    if find_spec("chdb") is None:
        fault = ConfigurationError("neither store.url nor the embedded store's library")
        return error("store.reach", fault, "set store.url, or pip install 'inferometer[embedded]'")
    return note("store.reach", "no store runs yet", "inferometer up --target URL")


@contextmanager
def _client(how: Access) -> Generator[Store]:
    # The database may not be there yet, so the connection must not name it.
    store = Store(how.url, user=how.user, password=how.password, database="", request_s=WAIT_S)
    try:
        yield store
    finally:
        store.close()


def _name(how: Access) -> str:
    return how.user or "default"


def _hello(store: Store, how: Access) -> Iterator[Finding]:
    asked_ms = wall_ms()
    told = store.query(_HELLO)[0]
    answered_ms = wall_ms()
    yield ok("store.reach", f"{how.url} answers, ClickHouse {told['version']}")
    off_ms = cast("int", told["at_ms"]) - (asked_ms + answered_ms) // 2
    yield judged(
        "clock.sync",
        f"{abs(off_ms) / 1000:.3f} s off the store's clock",
        "set both clocks by NTP; rows would be looked for at the wrong time",
        good=abs(off_ms) <= CLOCK_MS_MAX,
    )


def _may(store: Store) -> dict[str, bool | None]:
    return {privilege: _has(store, question) for privilege, question in _PRIVILEGES.items()}


def _has(store: Store, question: Question) -> bool | None:
    try:
        return bool(next(iter(store.query(question)[0].values())))
    except StoreDeniedError:
        return None
    except StoreError as fault:
        if fault.code == _UNKNOWN_STATEMENT:
            return None
        raise


def _embedded(how: Access, data: DataDirectory) -> Iterator[Finding]:
    yield ok("store.rights", f"{how.user} may read")
    path = store_secrets.secret_path(data.root, "writer")
    try:
        secret = store_secrets.read_secret(path)
        with _client(Access(url=how.url, user="writer", password=secret)) as writer:
            writer.ping()
    except OSError as fault:
        yield warn("store.rights", f"{path}: cannot be read: {fault.strerror}", "run as the user that runs the store")
    except StoreDeniedError:
        refused = ConfigurationError(f"the store does not take the secret of {path}")
        yield error("store.rights", refused, "restart the store: it reads its secrets when it starts")
    else:
        yield ok("store.rights", "writer may write")


def _schema(store: Store, config: Config) -> Finding:
    def execute(sql: str, parameters: Mapping[str, str] | None = None) -> str:
        return store.raw(sql, parameters=parameters, output="").decode()

    embedded = config.store.url is None
    fix = "restart it, it migrates by itself" if embedded else f"inferometer store migrate --url {config.store.url}"
    try:
        migrate.verify(execute)
    except migrate.NewerSchemaError as fault:
        return warn("store.schema", str(fault))
    except migrate.SchemaDriftError as fault:
        return error("store.schema", ConfigurationError(str(fault)), fix)
    except StoreDeniedError:
        return warn("store.schema", "the tables may not be looked at by this user", "GRANT SELECT ON system.* to it")
    return ok("store.schema", f"tables, views and deduplication are as version {migrate.VERSION} writes them")
