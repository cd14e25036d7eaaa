"""Knows how what load tests left in the spool reaches the store at once; refuses to wait for a store that is not there.

`inferometer up` ships every spool that nobody owns. Where only a store runs, or to be quicker, a verb ships those of
load tests itself, under the same tokens: whoever comes second finds the spool owned or empty, and nothing stands twice.
What does not get there within the time stays in the spool.

Source: spec/store.md 11.1 (the writing process also ships; orphans are shipped by the next start).
"""

import shutil
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from inferometer import data_directory, load_files, store_secrets
from inferometer.config_schema import Config
from inferometer.errors import InferometerError, UnreachableError
from inferometer.reading import access, told
from telemetry.accounting import Lane
from telemetry.delivery import Delivery
from telemetry.dlq import DLQ_NAME
from telemetry.errors import SpoolError, StoreError
from telemetry.load_records import LoadRecord
from telemetry.segments import QUARANTINE
from telemetry.spool import orphans
from telemetry.store import Store

SHIP_S = 20.0
"""Longest time that a verb ships."""
SPOOLS_MAX = 64
"""Spools of earlier load tests that one verb ships beside its own."""


def keep(config: Config, name: str, records: Sequence[LoadRecord]) -> None:
    """Put records into a spool of their own, and ship it if a store answers.

    Args:
        config: Says where data and store are.
        name: Of the spool, unique among load tests.
        records: What is kept.

    Raises:
        InferometerError: The spool cannot be used.
    """
    if records:
        load_files.spooled(data_directory.resolve(config.data), name, (), records)
    ship(config)


def ship(config: Config) -> None:
    """Ship the spools of load tests that nobody owns; says on stderr where rows stay if they could not be shipped."""
    data = data_directory.resolve(config.data)
    waiting = [path for path in orphans(data.spool) if load_files.is_spool(path.name)][-SPOOLS_MAX:]
    if not waiting:
        return
    try:
        store = writer(config)
    except InferometerError as error:
        _stays(waiting, str(error))
        return
    try:
        store.ping()
        for path in waiting:
            _ship(path, store)
    except StoreError as error:
        _stays(waiting, str(told(error, access(config).url)))
    finally:
        store.close()


def writer(config: Config) -> Store:
    """Return the store as one that may write: a store of our own knows a writer, another one the configured user.

    Raises:
        UnreachableError: No store runs on the data directory.
    """
    how = access(config)
    user, password = how.user, how.password
    if config.store.url is None:
        path = store_secrets.secret_path(data_directory.resolve(config.data).root, "writer")
        try:
            user, password = "writer", store_secrets.read_secret(path)
        except OSError as error:
            raise UnreachableError(f"{path}: cannot be read: {error.strerror}") from None
    return Store(how.url, user=user, password=password)


def _ship(path: Path, store: Store) -> None:
    with suppress(SpoolError):  # a supervisor was faster
        delivery = Delivery(path, node=load_files.node(), sink=store, lanes=(Lane.REQUESTS, Lane.CONTROL))
        if left := delivery.close(SHIP_S):
            _stays([path], f"{left} rows did not get through")
        elif not any((path / name).exists() for name in (DLQ_NAME, QUARANTINE)):
            shutil.rmtree(path, ignore_errors=True)  # it said all it had to say


def _stays(paths: Sequence[Path], why: str) -> None:
    where = paths[0] if len(paths) == 1 else paths[0].parent
    sys.stderr.write(f"not in the store yet: {why}; the rows wait in {where} for inferometer up\n")
