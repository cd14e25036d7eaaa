"""Knows who owns a store directory; refuses to know what is in it.

The engine allows one owner process per path and says so only by failing to start, so the lock is ours: `flock` on
`store.lock`, with the owner's address in it. The lock ends with the process, however that ends.

Source: spec/store.md 8.1.
"""

import fcntl
import json
import os
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import cast

from inferometer.errors import ConfigurationError, UnreachableError
from telemetry.clock import wall_ms

LOCK_NAME = "store.lock"
LOCK_BYTES_MAX = 4096
"""Most of the lock file that is read."""
NETWORK_FILE_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "fuse.sshfs"})
"""Where a lock or an fsync may mean less than it says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """What the owner of a store directory says about itself; empty where it has not said it yet."""

    pid: int | None
    url: str
    started_at: str


def refuse_owned(data: Path) -> None:
    """Check, without writing, that nobody owns the directory.

    Raises:
        ConfigurationError: Another process does; the message has its pid, address and start, and both ways out.
    """
    with suppress(FileNotFoundError, NotADirectoryError, PermissionError), (data / LOCK_NAME).open("r") as lock:
        if not _locked(lock, fcntl.LOCK_SH):
            raise _owned(data, _owner(lock))


def refuse_unwritable(data: Path) -> None:
    """Check, without writing, that the directory can be made or written, on a file system that keeps its word.

    Raises:
        UnreachableError: It cannot.
    """
    there = next(path for path in (data, *data.parents) if path.exists() or path.is_symlink())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise UnreachableError(f"data directory {data}: cannot write in {there}; choose another with --data")
    kind = _file_system(there.resolve())
    if kind in NETWORK_FILE_SYSTEMS:
        raise UnreachableError(f"data directory {data}: {there} is on {kind}; choose a local disk with --data")


def own(data: Path, url: str, version: str) -> TextIOWrapper:
    """Take the lock, which lasts until the returned file is closed or the process ends.

    Raises:
        ConfigurationError: Another process owns the directory.
        UnreachableError: The lock cannot be written.
    """
    try:
        lock = (data / LOCK_NAME).open("a+")
    except OSError as error:
        raise UnreachableError(f"data directory {data}: {error.strerror}; choose another with --data") from None
    if not _locked(lock, fcntl.LOCK_EX):
        owner = _owner(lock)
        lock.close()
        raise _owned(data, owner)
    lock.truncate(0)
    started_at = datetime.fromtimestamp(wall_ms() / 1000, UTC).isoformat(timespec="seconds")
    lock.write(json.dumps({"pid": os.getpid(), "url": url, "started_at": started_at, "version": version}))
    lock.flush()
    return lock


def _locked(lock: TextIOWrapper, kind: int) -> bool:
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _owner(lock: TextIOWrapper) -> Owner:
    lock.seek(0)
    try:
        found: object = json.loads(lock.read(LOCK_BYTES_MAX))
    except ValueError:
        found = None
    said = cast("dict[str, object]", found) if isinstance(found, dict) else {}
    pid = said.get("pid")
    return Owner(
        pid=pid if isinstance(pid, int) else None,
        url=str(said.get("url", "")),
        started_at=str(said.get("started_at", "")),
    )


def _owned(data: Path, owner: Owner) -> ConfigurationError:
    since = f" since {owner.started_at}" if owner.started_at else ""
    way = f"use it with store.url={owner.url}" if owner.url else "stop it"
    return ConfigurationError(
        f"data directory {data} is owned by process {owner.pid or 'unknown'}{since}; "
        f"{way}, or choose another directory with --data"
    )


def _file_system(path: Path) -> str:
    """Return the type of the file system that a path lies on; empty where the system does not say."""
    try:
        lines = Path("/proc/self/mounts").read_text().splitlines()
    except OSError:
        return ""
    mounts = [(fields[1], fields[2]) for fields in map(str.split, lines)]
    under = [(point, kind) for point, kind in mounts if path.is_relative_to(point)]
    return max(under, key=lambda mount: len(mount[0]), default=("", ""))[1]
