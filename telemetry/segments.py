"""Knows the files of a spool directory: lock, segments, cursor, quarantine; refuses to know what the records mean.

Nothing here is ever wiped: a file that cannot be read goes to `quarantine/`, a segment of a newer version stops the
start before anything is written.

Source: spec/store.md 8.1, 11.1, 11.4, 11.5.
"""

import errno
import fcntl
import json
import os
import re
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from telemetry.accounting import Lane, SeqSet
from telemetry.errors import SpoolError, SpoolOwnedError
from telemetry.spool_format import HEADER_BYTES, Cursor, Header, decode_cursor, decode_header, encode_cursor
from telemetry.spool_format import encode_header as _encode_header

LOCK_NAME = "spool.lock"
CURSOR_NAMES = ("cursor.a", "cursor.b")
QUARANTINE = "quarantine"
QUARANTINE_FILES_MAX = 64
"""Copies of damaged segments that are kept; further ones are only counted."""
_SEGMENT_NAME = re.compile(r"^[0-9a-f]{16}\.seg$")


@dataclass(slots=True, kw_only=True)
class Segment:
    """One segment file.

    Attributes:
        path: Where it is.
        header: Its head.
        size: Bytes that were written, head included.
        fd: Open for appending; None once it is closed for good.
        born_ns: Monotonic stamp of its creation.
        seqs: Seqs of the records in it, as far as they are known.
        scanned: `seqs` is complete; False for a file of an earlier process until it was read.
        kept: It holds frames of a type that we do not know, so it is never removed.
    """

    path: Path
    header: Header
    size: int = HEADER_BYTES
    fd: int | None = None
    born_ns: int = 0
    seqs: SeqSet = field(default_factory=SeqSet)
    scanned: bool = True
    kept: bool = False

    def write(self, data: bytes) -> None:
        """Append bytes by one write.

        Raises:
            OSError: The disk refused, or took only a part.
        """
        assert self.fd is not None  # noqa: S101  # only the open segment of a lane is written
        written = os.write(self.fd, data)
        self.size += written
        if written != len(data):
            raise OSError(errno.ENOSPC, f"only {written} of {len(data)} bytes were written")

    def close(self) -> None:
        """Close the descriptor, whatever it answers: what counts was said by fdatasync."""
        if self.fd is not None:
            with suppress(OSError):
                os.close(self.fd)
            self.fd = None


def create_segment(directory: Path, header: Header, now_ns: int) -> Segment:
    """Create a segment and make its name durable.

    Raises:
        FileExistsError: There is one with this first seq.
        OSError: The disk refused.
    """
    path = directory / f"{header.first_seq:016x}.seg"
    fd = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600)
    segment = Segment(path=path, header=header, size=0, fd=fd, born_ns=now_ns)
    try:
        segment.write(_encode_header(header))
        sync_directory(directory)
    except OSError:
        segment.close()
        with suppress(OSError):
            path.unlink()
        raise
    return segment


def sync_directory(directory: Path) -> None:
    """Make names in a directory durable."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def find_segments(directory: Path, epoch: bytes | None, node_hash: int) -> tuple[list[Segment], list[Path]]:
    """Look at every file named like a segment, touching none.

    Args:
        directory: The spool.
        epoch: The directory's own; None if it is not known yet, then the first segment's holds.
        node_hash: Hash of the node's name.

    Returns:
        Our segments by first seq, and the files that are not ours.

    Raises:
        SpoolVersionError: A newer version wrote one of them.
    """
    ours: list[Segment] = []
    foreign: list[Path] = []
    for path in sorted(directory.glob("*.seg")):
        if path.name == "reserve.seg":
            continue
        with path.open("rb") as file:
            head = file.read(HEADER_BYTES)
        header = _header_of(path, head, epoch or (ours[0].header.epoch if ours else None), node_hash)
        if header is None:
            foreign.append(path)
        else:
            ours.append(Segment(path=path, header=header, size=path.stat().st_size, scanned=False))
    return ours, foreign


def _header_of(path: Path, head: bytes, epoch: bytes | None, node_hash: int) -> Header | None:
    if _SEGMENT_NAME.match(path.name) is None:
        return None
    try:
        header = decode_header(head)
    except SpoolError as error:
        if type(error) is not SpoolError:
            raise
        # A damaged head costs nothing: the name has the first seq, and each frame has its own checksum.
        return Header(0, node_hash, epoch or b"", 0, int(path.stem, 16))
    is_ours = header.node_hash == node_hash and epoch in (None, header.epoch) and header.lane in set(Lane)
    return header if is_ours else None


def take_lock(directory: Path, about: dict[str, str | int]) -> int:
    """Take the directory for this process; the descriptor holds the lock until it is closed.

    Raises:
        SpoolOwnedError: Another process holds it; the message names it.
    """
    fd = os.open(directory / LOCK_NAME, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        owner = os.pread(fd, 4096, 0).decode(errors="replace").strip() or "an unnamed process"
        os.close(fd)
        raise SpoolOwnedError(
            f"spool {directory} is owned by {owner}; stop that process or choose another directory"
        ) from error
    os.ftruncate(fd, 0)
    os.pwrite(fd, json.dumps(about).encode(), 0)
    return fd


def is_free(directory: Path) -> bool:
    """Say whether nobody holds the lock of a spool directory."""
    try:
        fd = os.open(directory / LOCK_NAME, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


def read_cursor(directory: Path) -> Cursor | None:
    """Return the newest undamaged cursor; None if there is none: then the log is replayed."""
    found: list[Cursor] = []
    for name in CURSOR_NAMES:
        with suppress(OSError):
            cursor = decode_cursor((directory / name).read_bytes())
            if cursor is not None:
                found.append(cursor)
    return max(found, key=lambda cursor: cursor.generation, default=None)


def write_cursor(directory: Path, cursor: Cursor) -> None:
    """Write a cursor beside its predecessor and make it durable.

    Raises:
        OSError: The disk refused; the predecessor is untouched.
    """
    path = directory / CURSOR_NAMES[cursor.generation % 2]
    temporary = path.with_suffix(path.suffix + ".tmp")
    fd = os.open(temporary, os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, encode_cursor(cursor))
        os.fsync(fd)
    finally:
        os.close(fd)
    temporary.rename(path)
    sync_directory(directory)


def quarantine_copy(directory: Path, path: Path) -> bool:
    """Keep a damaged segment under a second name; closed segments are never written, so a link is a copy."""
    return _quarantine(directory, path, move=False)


def quarantine_move(directory: Path, path: Path) -> bool:
    """Move a file that is not ours out of the way."""
    return _quarantine(directory, path, move=True)


def _quarantine(directory: Path, path: Path, *, move: bool) -> bool:
    folder = directory / QUARANTINE
    with suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        if move:
            path.rename(_free_name(folder, path.name))
            return True
        if not (folder / path.name).exists() and sum(1 for _ in folder.iterdir()) < QUARANTINE_FILES_MAX:
            os.link(path, folder / path.name)
            return True
    return False


def _free_name(folder: Path, name: str) -> Path:
    """Return a name that is not taken, so that a second foreign file never replaces the first."""
    path, n = folder / name, 0
    while path.exists():
        n += 1
        path = folder / f"{name}.{n}"
    return path
