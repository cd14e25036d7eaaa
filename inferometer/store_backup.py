"""Knows how a store is copied into one file while it runs, and how such a file becomes a store again.

Inserts wait while the copy is made, so that its tables agree with its roll-ups; the spool keeps what comes meanwhile.
Readers go on. Insert tokens are not in the copy: what was sent before it and not acknowledged is asked for, not resent
blindly (spec/store.md 10.5). Refuses to know SQL.

Source: spec/store.md 8.1 (ownership); inferometer/store_orders.py (what the engine does).
"""

import os
import shutil
from collections.abc import Generator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from inferometer import migrate, store_control, store_open, store_orders
from inferometer.data_directory import DataDirectory
from inferometer.errors import ConfigurationError, UnreachableError
from inferometer.store_control import Order
from inferometer.store_engine import EngineError
from telemetry.clock import wall_ms


def backup(data: DataDirectory, target: Path) -> tuple[Path, int]:
    """Copy a store into a file.

    Args:
        data: The data directory; a store may run on it.
        target: The file to make, or a directory to make it in.

    Returns:
        The file, and how many requests are in it.

    Raises:
        ConfigurationError: The file is there already, or its directory is not.
        UnreachableError: There is no store, or the file cannot be written.
        InferometerError: The copy failed; nothing is left of it.
    """
    at = datetime.fromtimestamp(wall_ms() / 1000, UTC)
    name = f"inferometer-{at:%Y%m%dT%H%M%SZ}.tar"
    file = target / name if target.is_dir() else target
    if file.exists() or not file.parent.is_dir():
        reason = "is there already" if file.exists() else "is in no directory"
        raise ConfigurationError(f"backup: {file} {reason}; allowed: a new file, or a directory")
    archive = store_open.backups(data.root.resolve()) / name
    try:
        said = perform(data, store_orders.backup(archive))
        _moved(archive, file)
    except OSError as error:
        raise UnreachableError(f"backup: {file}: {error.strerror}") from None
    finally:
        archive.unlink(missing_ok=True)
    return file, int(str(said["requests"]))


def restore(data: DataDirectory, source: Path) -> None:
    """Make a store out of a file; the directory must hold none yet.

    Raises:
        ConfigurationError: It holds one, or the file is none of a store.
        UnreachableError: The file cannot be read, or the directory not be written.
    """
    root = data.root.resolve()
    if not source.is_file() or not os.access(source, os.R_OK):
        raise UnreachableError(f"restore: {source} is no file that can be read")
    with store_open.owned(root, ""):
        if store_open.restoring(root).exists():
            shutil.rmtree(data.store, ignore_errors=True)  # what a restore that was killed left
        if data.store.is_dir() and any(data.store.iterdir()):
            raise ConfigurationError(f"data directory {root} holds a store already; choose an empty one with --data")
        try:
            with _whole_or_nothing(data, store_open.restoring(root)):
                _filled(root, source)
        except (EngineError, migrate.SchemaDriftError) as error:
            raise ConfigurationError(f"restore: {source}: {' '.join(str(error).split())}") from None
        except OSError as error:
            raise UnreachableError(f"restore: {source}: {error.strerror}") from None


def perform(data: DataDirectory, order: Order) -> Order:
    """Have an order carried out by the store that runs, or here if none does.

    Raises:
        UnreachableError: There is no store.
        InferometerError: It could not be carried out.
    """
    root = data.root.resolve()
    if not data.store.is_dir():
        raise UnreachableError(f"no store lies in {root}; name its directory with --data")
    with suppress(store_control.NobodyThereError):
        return store_control.ordered(root, order)
    with store_open.owned(root, "", free_bytes_min=0), closing(store_open.opened(root)) as engine:
        return store_orders.carry_out(engine, order)


@contextmanager
def _whole_or_nothing(data: DataDirectory, marker: Path) -> Generator[None]:
    marker.touch()
    try:
        yield
    except BaseException:
        shutil.rmtree(data.store, ignore_errors=True)
        raise
    finally:
        marker.unlink()


def _filled(root: Path, source: Path) -> None:
    archive = store_open.backups(root) / "restore.tar"
    with closing(store_open.started(root)) as engine:
        try:
            archive.hardlink_to(source)
        except OSError:  # another file system
            shutil.copyfile(source, archive)
        try:
            store_orders.restore(engine, archive)
        finally:
            archive.unlink()
        store_open.brought_up_to_date(engine)


def _moved(archive: Path, file: Path) -> None:
    archive.chmod(0o600)
    try:
        archive.rename(file)
    except OSError:  # another file system
        part = file.with_name(file.name + ".part")
        try:
            shutil.copy(archive, part)
            part.rename(file)
        finally:
            part.unlink(missing_ok=True)
    for path in (file, file.parent):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
