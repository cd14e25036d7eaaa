"""Knows how a store directory is taken and opened; refuses to know what is done with it then.

Source: spec/store.md 8.1 (lock, free space, open, migrate, check).
"""

import shutil
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

from inferometer import migrate, retention, store_lock
from inferometer.data_directory import DataDirectory
from inferometer.errors import ConfigurationError, UnreachableError
from inferometer.store_engine import Engine, EngineError

FREE_BYTES_MIN = 1 << 30
"""Free space below which a store does not start."""


def backups(data: Path) -> Path:
    """Return the one directory that the engine writes archives to and reads them from."""
    return data / "backups"


def restoring(data: Path) -> Path:
    """Return the file that is there while a store is being restored, and after a restore that was killed."""
    return data / "store.restoring"


@contextmanager
def owned(data: Path, url: str, free_bytes_min: int = FREE_BYTES_MIN) -> Generator[None]:
    """Hold the lock of a directory, which is made if need be.

    Args:
        data: The directory.
        url: Where the owner will answer; empty if nowhere.
        free_bytes_min: Free space below which nothing is begun.

    Raises:
        ConfigurationError: Another process owns it.
        UnreachableError: It cannot be used, or its disk is nearly full.
    """
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        free = shutil.disk_usage(data).free
    except OSError as error:
        raise UnreachableError(f"data directory {data}: {error.strerror}; choose another with --data") from None
    if free < free_bytes_min:
        raise UnreachableError(f"data directory {data}: {free >> 20} MiB are free, {free_bytes_min >> 20} are needed")
    with store_lock.own(data, url, version("inferometer")):
        yield


def opened(data: Path, days: retention.Days | None = None) -> Engine:
    """Open the store of a directory whose lock the caller holds, and bring its tables up to date.

    Args:
        data: The directory.
        days: How long tables keep their rows; None leaves that as it is.

    Raises:
        ConfigurationError: The engine is not installed, the tables are not those of this version, or a restore did not
            come to its end.
        UnreachableError: The engine does not start on it.
    """
    if restoring(data).exists():
        raise ConfigurationError(f"a restore into {data} did not finish; give it again: inferometer store restore FILE")
    engine = started(data)
    try:
        brought_up_to_date(engine)
        for line in retention.apply(engine.execute, days) if days is not None else ():
            say(line)
    except (EngineError, migrate.SchemaDriftError) as error:
        engine.close()
        raise ConfigurationError(f"store {data}: {' '.join(str(error).split())}") from None
    return engine


def started(data: Path) -> Engine:
    """Open the store of a directory whose lock the caller holds, and leave its tables as they are.

    Raises:
        ConfigurationError: The engine is not installed.
        UnreachableError: The engine does not start on it.
    """
    backups(data).mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in backups(data).glob("*.tar"):  # of a backup whose asker was killed
        left.unlink()
    path = DataDirectory(root=data).store
    try:
        return Engine(path, backups(data))
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"{error}: install inferometer[embedded], or set store.url to a server") from None
    except (EngineError, RuntimeError) as error:
        raise UnreachableError(f"store {path} does not open: {' '.join(str(error).split())}") from None


def brought_up_to_date(engine: Engine) -> None:
    """Apply the migrations that a store lacks, and compare it with what this version writes.

    Raises:
        EngineError: A statement failed.
        SchemaDriftError: The store is another than this version writes.
    """
    migrate.apply(engine.execute, by=program(), tell=say)
    migrate.verify(engine.execute)


def program() -> str:
    """Return name and version of this program, as a store remembers who did something to it."""
    return f"inferometer {version('inferometer')}"


def say(line: str) -> None:
    """Tell on stderr how far a long step is."""
    with suppress(OSError):  # whoever read stderr may be gone
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
