"""Knows how the rows of a worker reach its file without holding its requests up; refuses to know what a row says.

Rows are collected and written in groups, by one write each, in a thread that is handed in: a disk that is slow stalls
that thread and nothing else. What cannot be written is kept in memory up to a bound, and tried again; what is left at
the end is said, with the reason.

Source: spec/loadtest.md 3 (file I/O in gevent's native thread pool); issue: disk full while writing.
"""

import os
from collections.abc import Callable
from pathlib import Path

HELD_BYTES_MAX = 64 << 20
"""Bytes of rows that wait in memory for a disk that takes none; further rows are lost, and counted."""


class Journal:
    """One file of rows.

    Attributes:
        error: Why rows could not be written; empty if they were.
        lost: Rows that were given up.
        is_busy: A group is being written; whoever closes waits for it.

    Args:
        path: The file; it must not exist.
        apart: Runs a function in a thread of the operating system, and waits for it.
        exclusive: Another file is refused; False appends, to a device for example.

    Raises:
        OSError: It cannot be made.
    """

    def __init__(self, path: Path, apart: Callable[[Callable[[], None]], object], *, exclusive: bool = True) -> None:
        """Make the file."""
        self.error = ""
        self.lost = 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | (os.O_EXCL if exclusive else 0)
        self._fd = os.open(path, flags, 0o600)
        self._apart = apart
        self._held = bytearray()
        self.is_busy = False

    def add(self, line: bytes) -> None:
        """Take a row."""
        if len(self._held) + len(line) > HELD_BYTES_MAX:
            self.lost += 1
        else:
            self._held += line

    def flush(self) -> None:
        """Write what was taken so far; a second caller meanwhile returns at once."""
        if self.is_busy or not self._held:
            return
        self.is_busy = True
        try:
            self._apart(self._write)
        finally:
            self.is_busy = False

    def close(self) -> None:
        """Write the rest and close; rows that are left are lost, all that a disk keeps which does not answer."""
        self.flush()
        self.lost += self._held.count(b"\n")
        if self.is_busy:
            self.error = "rows cannot be written: the disk does not answer"
        else:
            os.close(self._fd)

    def _write(self) -> None:
        data = bytes(self._held)  # rows may come meanwhile, behind these
        done = 0
        try:
            while done < len(data):
                done += os.write(self._fd, data[done:])
        except OSError as error:
            self.error = f"rows cannot be written: {os.strerror(error.errno or 0)}"
        else:
            self.error = ""
        del self._held[:done]
