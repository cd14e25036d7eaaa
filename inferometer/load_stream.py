"""Knows how the rows of a long run pass through its files and the spool; refuses to hold more than a thousand of them.

They come in the order in which each worker wrote them, one worker after the other.

Source: spec/loadtest.md 7 (soak: hours), 18 (files); spec/store.md 11 (one spool directory per writing process).
"""

from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from inferometer.data_directory import DataDirectory
from inferometer.errors import InferometerError
from inferometer.load_files import GROUP_ROWS_MAX, REQUESTS, ROWS, named, node, spool_of
from loadtest.rows import Row
from telemetry.errors import SpoolError
from telemetry.spool import Spool


class Stream:
    """Writes rows to `requests.jsonl` and the spool; use it as a context manager.

    Attributes:
        rows: So many were written.

    Args:
        directory: Of the run.
        data: Whose spool gets the rows.
        run_id: Of the run.

    Raises:
        InferometerError: The disk or the spool takes no more; the workers' files stay.
    """

    def __init__(self, directory: Path, data: DataDirectory, run_id: str) -> None:
        """Know where to; nothing is written yet."""
        self.rows = 0
        self._directory, self._data, self._run_id = directory, data, run_id
        self._digest, self._waiting = sha256(), list[Row]()

    def __enter__(self) -> Self:
        """Open both."""
        try:
            self._file = (self._directory / REQUESTS).open("wb")
            self._data.spool.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._spool = Spool(Path(spool_of(self._data, self._run_id)), node=node())
        except OSError as error:
            raise InferometerError(f"{error.filename}: {error.strerror}") from None
        except SpoolError as error:
            raise InferometerError(str(error)) from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what waits, close both, and remove the workers' files if all rows are written."""
        try:
            if kind is None:
                self._write()
        finally:
            self._file.close()
            self._spool.close()
        if kind is None:
            for path in self._directory.glob(ROWS):
                path.unlink()

    @property
    def sha256(self) -> str:
        """Of `requests.jsonl`."""
        return self._digest.hexdigest()

    def add(self, row: Row) -> None:
        """Take a row."""
        self._waiting.append(row)
        if len(self._waiting) >= GROUP_ROWS_MAX:
            self._write()

    def _write(self) -> None:
        data = b"".join(msgspec.json.encode(named(row)) + b"\n" for row in self._waiting)
        try:
            self._file.write(data)
            self._spool.append_requests([row.record for row in self._waiting])
        except OSError as error:
            raise InferometerError(f"{self._directory / REQUESTS}: {error.strerror}") from None
        except SpoolError as error:
            raise InferometerError(str(error)) from None
        self._digest.update(data)
        self.rows += len(self._waiting)
        self._waiting.clear()
