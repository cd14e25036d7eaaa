"""Knows where the data directory is, what lies in it, and that it has one owner; refuses to know what is stored.

Layout: `store/` the embedded store, `spool/<node>/` rows on their way, `secrets/` 0600 files, `run/` lock and status.

Source: spec/store.md 8.1 (ownership); design.md.
"""

import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from io import TextIOWrapper
from pathlib import Path
from typing import cast

from inferometer.errors import ConfigurationError, UnreachableError
from telemetry.clock import sleep

STATUS_BYTES_MAX = 1 << 20
"""Largest status or lock file that is read."""
_LOCK_TRIES = 3
_LOCK_WAIT_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class DataDirectory:
    """The paths of one data directory.

    Attributes:
        root: The directory itself.
    """

    root: Path

    @property
    def store(self) -> Path:
        """Where the embedded store lives."""
        return self.root / "store"

    @property
    def spool(self) -> Path:
        """Where rows wait, one directory per writing process."""
        return self.root / "spool"

    @property
    def secrets(self) -> Path:
        """Where generated passwords lie."""
        return self.root / "secrets"

    @property
    def ledger(self) -> Path:
        """What the SLO engine must not forget."""
        return self.root / "slo" / "ledger.sqlite"

    @property
    def run(self) -> Path:
        """Where the lock and the status of a running supervisor lie."""
        return self.root / "run"

    @property
    def store_lock(self) -> Path:
        """The lock that the embedded store holds while it runs, with its address."""
        return self.root / "store.lock"

    @property
    def lock(self) -> Path:
        """The lock that the owner holds."""
        return self.run / "lock"

    @property
    def status(self) -> Path:
        """What the running supervisor says about itself."""
        return self.run / "status.json"


def resolve(configured: str | None, environ: Mapping[str, str] | None = None) -> DataDirectory:
    """Return the data directory: the configured one, else the place that the XDG base directories give."""
    env = os.environ if environ is None else environ
    if configured:
        return DataDirectory(root=Path(configured).expanduser().absolute())
    home = env.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return DataDirectory(root=Path(home).absolute() / "inferometer")


def refuse_unusable(data: DataDirectory) -> None:
    """Check, without writing, that the directory can be made or written and that nobody owns it.

    Raises:
        ConfigurationError: Another process owns it.
        UnreachableError: It cannot be written.
    """
    there = next(path for path in (data.root, *data.root.parents) if path.exists() or path.is_symlink())
    if not there.is_dir():
        raise UnreachableError(f"data directory {data.root}: {there} is a file; choose another with --data")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UnreachableError(f"data directory {data.root}: cannot write in {there}; choose another with --data")
    if owner := owner_of(data):
        raise _owned(data, owner)


def owner_of(data: DataDirectory) -> dict[str, object]:
    """Return what the supervisor that owns the directory says about itself; empty if there is none."""
    return holder_of(data.lock)


def holder_of(path: Path) -> dict[str, object]:
    """Return what the process that holds a lock file says in it; empty if nobody holds it."""
    try:
        with path.open("r") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return _mapping(lock.read(STATUS_BYTES_MAX)) or {"pid": None}
    except OSError:
        return {}
    return {}


def own(data: DataDirectory, *, started_at: str) -> TextIOWrapper:
    """Make the directory (0700) and take its lock, which lasts until the returned file is closed or the process ends.

    Raises:
        ConfigurationError: Another process owns it.
        UnreachableError: It cannot be written.
    """
    try:
        for path in (data.root, data.run, data.secrets, data.spool, data.store):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = data.lock.open("a+")
    except OSError as error:
        raise UnreachableError(f"data directory {data.root}: {error.strerror}; choose another with --data") from None
    if not _locked(lock):
        lock.close()
        raise _owned(data, owner_of(data))
    lock.truncate(0)
    lock.write(json.dumps({"pid": os.getpid(), "started_at": started_at}))
    lock.flush()
    return lock


def write_status(data: DataDirectory, status: Mapping[str, object]) -> None:
    """Replace the status file in one step, so that a reader never sees half of it."""
    fresh = data.status.with_suffix(".new")
    fresh.write_text(json.dumps(status))
    fresh.replace(data.status)


def read_status(data: DataDirectory) -> dict[str, object]:
    """Return the status of the supervisor that runs now; empty if none does."""
    if not owner_of(data):
        return {}  # a status file outlives a killed supervisor; the lock does not
    try:
        with data.status.open() as file:
            return _mapping(file.read(STATUS_BYTES_MAX))
    except OSError:
        return {}


def _locked(lock: TextIOWrapper) -> bool:
    # Whoever looks for the owner holds a shared lock for a moment; that must not pass for an owner.
    for _ in range(_LOCK_TRIES):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sleep(_LOCK_WAIT_S)
        else:
            return True
    return False


def _mapping(text: str) -> dict[str, object]:
    try:
        found: object = json.loads(text)
    except ValueError:
        return {}
    return cast("dict[str, object]", found) if isinstance(found, dict) else {}


def _owned(data: DataDirectory, owner: Mapping[str, object]) -> ConfigurationError:
    since = f" since {owner['started_at']}" if "started_at" in owner else ""
    return ConfigurationError(
        f"data directory {data.root} is owned by process {owner.get('pid') or 'unknown'}{since}; "
        "stop that one, or choose another with --data"
    )
