"""Knows how a ClickHouse server gets our tables before rows are sent to it; refuses to hold up the start for it.

Source: spec/store.md 9 (migrations: forward, idempotent, additive).
"""

import sys
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version

from inferometer import migrate, retention
from inferometer.errors import ConfigurationError, UnreachableError
from inferometer.rebuild import Execute
from inferometer.supervisor import Log
from telemetry import schema
from telemetry.errors import StoreDeniedError, StoreError
from telemetry.store import Store


def make_tables(url: str, user: str, password: str, log: Log) -> bool:
    """Create what is missing on a server and compare what is there.

    Returns:
        Whether the server is as this version writes it; if not, or if that may not be asked, the reason was logged.
    """
    try:
        with _admin(url, user, password) as execute:
            migrate.apply(execute, by=_program(), tell=lambda line: log(line, store=url))
            migrate.verify(execute)
    except StoreDeniedError:
        log("the tables may not be checked by this user; rows are sent all the same", store=url)
        return False
    except migrate.NewerSchemaError as error:
        # What is newer only adds, and an insert names its columns.
        log("the store is newer than this program; rows are sent all the same", store=url, reason=_line(error))
        return False
    except (StoreError, migrate.SchemaDriftError) as error:
        log("the store is not ready; rows wait in the spool", store=url, reason=_line(error))
        return False
    return True


def migrated(url: str, user: str, password: str, days: retention.Days, *, cluster: str = "", plan: bool = False) -> str:
    """Bring the tables of a server up to date, or say what that would take.

    Args:
        url: Where the server answers.
        user: An admin's name there; empty for a server without users.
        password: Its secret.
        days: How long tables keep their rows.
        cluster: Name of the cluster; empty for one server.
        plan: Run nothing.

    Returns:
        With `plan` the SQL that is missing, empty if nothing is; else one line that says what was done.

    Raises:
        ConfigurationError: The user may not, the server is newer, or it holds something else than what was written.
        UnreachableError: The server does not answer.
    """
    try:
        variant = schema.Variant(cluster=cluster)
        with _admin(url, user, password) as execute:
            if plan:
                return "".join(f"{statement};\n" for statement in _planned(execute, days, variant))
            done = migrate.apply(execute, by=_program(), variant=variant, tell=_tell)
            changed = retention.apply(execute, days, variant)
            migrate.verify(execute, variant)
    except (StoreDeniedError, migrate.SchemaDriftError, ValueError) as error:
        raise ConfigurationError(f"store {url}: {_line(error)}") from None
    except StoreError as error:
        raise UnreachableError(f"store {url}: {_line(error)}") from None
    steps = f"migrations {', '.join(map(str, done))} applied" if done else "nothing to do"
    lines = [*changed, f"{steps}; schema version {migrate.VERSION}"]
    return "".join(f"store {url}: {line}\n" for line in lines)


def _planned(execute: Execute, days: retention.Days, variant: schema.Variant) -> Iterator[str]:
    yield from migrate.plan(execute, variant)
    for change in retention.changes(execute, days, variant):
        yield from change.statements


@contextmanager
def _admin(url: str, user: str, password: str) -> Generator[Execute]:
    # The database may not be there yet, so the connection must not name it.
    store = Store(url, user=user, password=password, database="")

    def execute(sql: str, parameters: Mapping[str, str] | None = None) -> str:
        return store.raw(sql, parameters=parameters, output="").decode()

    try:
        yield execute
    finally:
        store.close()


def _tell(line: str) -> None:
    sys.stderr.write(line + "\n")


def _program() -> str:
    return f"inferometer {version('inferometer')}"


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
