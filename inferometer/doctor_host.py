"""Knows how to look at this machine and at the data directory; leaves nothing behind on either.

Source: spec/ui.md 1.2 (spool.disk, host.limits, config.secrets); spec/reliability.md 2 (a power loss may take what was
written in the last 100 ms), 4.1 (descriptors).
"""

import os
import platform
import resource
import shutil
import sys
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from inferometer import data_directory
from inferometer.config_schema import Config
from inferometer.data_directory import DataDirectory
from inferometer.defaults import DESCRIPTORS_WANTED
from inferometer.doctor_finding import Finding, error, judged, note, ok, warn
from inferometer.errors import InferometerError
from telemetry.clock import monotonic_ns
from telemetry.percentile import nearest_rank

FREE_BYTES_WANTED = 1 << 30
"""Free space that the store asks for at its start (spec/store.md 8.1)."""
SYNC_US_MAX = 100_000
"""Slowest fdatasync, at its 99th percentile, that keeps the spool's promise to lose at most 100 ms."""
SYNCS_MAX = 100
"""Syncs that are timed: as many as a 99th percentile takes."""
SYNC_S_MAX = 0.5
"""Longest time that is spent on them."""
_PAGE = bytes(4096)
_PYTHON_WANTED = (3, 11)
_PRIVATE = 0o077
"""Bits that a secret file must not have."""
_PPM_50, _PPM_99 = 500_000, 990_000


def examine(config: Config, data: DataDirectory, sync_s: float = SYNC_S_MAX) -> Iterator[Finding]:
    """Look at the data directory, its disk, the secrets and the packages; the disk is timed for at most `sync_s`."""
    yield from _secrets(config, data)
    yield _packages(config)
    yield from _directory(data, sync_s)


def machine() -> Iterator[Finding]:
    """Look at what needs no configuration."""
    version = platform.python_version()
    yield judged(
        "host.python",
        f"Python {version} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "run it on Linux with Python 3.11 or newer",
        good=sys.version_info[:2] >= _PYTHON_WANTED and sys.platform == "linux",
    )
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield judged(
        "host.limits",
        f"{'unlimited' if hard == resource.RLIM_INFINITY else hard} file descriptors allowed",
        f"LimitNOFILE={DESCRIPTORS_WANTED}, else a tee takes fewer connections",
        good=hard == resource.RLIM_INFINITY or hard >= DESCRIPTORS_WANTED,
    )


def disk_speed(directory: Path, limit_s: float = SYNC_S_MAX) -> Finding:
    """Time fdatasync of a page on a file without a name, which is gone afterwards."""
    try:
        took_us = sorted(_syncs_us(directory, limit_s))
    except OSError as fault:
        return warn(
            "spool.sync", f"{directory}: no file can be written: {fault.strerror}", "choose another with --data"
        )
    p50, p99 = nearest_rank(took_us, _PPM_50) or 0, nearest_rank(took_us, _PPM_99) or 0
    slowest = "p99" if len(took_us) == SYNCS_MAX else "slowest"
    return judged(
        "spool.sync",
        f"fdatasync p50 {p50 / 1000:.1f} ms, {slowest} {p99 / 1000:.1f} ms of {len(took_us)}",
        f"use a faster disk with --data: above {SYNC_US_MAX / 1000:.0f} ms a power loss takes more than it may",
        good=p99 <= SYNC_US_MAX,
    )


def _syncs_us(directory: Path, limit_s: float) -> Iterator[int]:
    until_ns = monotonic_ns() + round(limit_s * 1e9)
    with tempfile.TemporaryFile(dir=directory) as file:
        for _ in range(SYNCS_MAX):
            began_ns = monotonic_ns()
            os.pwrite(file.fileno(), _PAGE, 0)
            os.fdatasync(file.fileno())
            ended_ns = monotonic_ns()
            yield (ended_ns - began_ns) // 1000
            if ended_ns > until_ns:
                return


def _secrets(config: Config, data: DataDirectory) -> Iterator[Finding]:
    named = (config.target.api_key_file, config.target.workflow_key_file, config.store.password_file)
    files = [Path(name).expanduser() for name in named if name]
    files += sorted(data.secrets.iterdir()) if data.secrets.is_dir() and os.access(data.secrets, os.R_OK) else []
    open_ones = [file for file in files if file.is_file() and file.stat().st_mode & _PRIVATE]
    for file in open_ones:
        yield warn("config.secrets", f"{file} can be read by others", f"chmod 600 {file}")
    if files and not open_ones:
        yield ok("config.secrets", f"{len(files)} secret files, none readable by others")


def _packages(config: Config) -> Finding:
    if find_spec("chdb") is not None:
        return ok("host.packages", "the embedded store's library is installed")
    fix = "pip install 'inferometer[embedded]'"
    if config.store.url is not None:
        return note("host.packages", "no embedded store here (chdb is not installed); store.url is used", fix)
    return warn("host.packages", "the embedded store's library, chdb, is not installed", f"{fix}, or set store.url")


def _directory(data: DataDirectory, sync_s: float) -> Iterator[Finding]:
    owner = data_directory.owner_of(data)
    try:
        if not owner:
            data_directory.refuse_unusable(data)
    except InferometerError as fault:
        yield error("data.owner", fault)
        return
    whose = f"is in use by process {owner.get('pid')}" if owner else "can be written and nobody owns it"
    yield ok("data.owner", f"{data.root} {whose}")
    there = next(path for path in (data.root, *data.root.parents) if path.exists())
    if there == data.root:
        yield from _mode(data.root)
    free = shutil.disk_usage(there).free
    yield judged(
        "spool.disk",
        f"{free / 1e9:.1f} GB free at {there}",
        f"the store needs {FREE_BYTES_WANTED / 1e9:.1f} GB to start",
        good=free >= FREE_BYTES_WANTED,
    )
    yield disk_speed(there, sync_s)


def _mode(root: Path) -> Iterator[Finding]:
    mode = root.stat().st_mode & 0o777
    if mode & _PRIVATE:
        yield warn("data.mode", f"{root} has mode {mode:04o}, others can look into it", f"chmod 700 {root}")
