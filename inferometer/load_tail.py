"""Knows the rows of a run that goes on, as its workers write them; refuses to judge them.

Source: `loadtest.journal` (rows are written in groups, at least every half second).
"""

from collections.abc import Iterator
from pathlib import Path

from inferometer.load_files import ROWS
from loadtest.rows import Row, read


class Tail:
    """Reads the rows of a run that goes on.

    Args:
        directory: Of the run; its workers' files may not be there yet.
    """

    def __init__(self, directory: Path) -> None:
        """Begin at the first row."""
        self._directory = directory
        self._read_bytes: dict[Path, int] = {}

    def rows(self) -> Iterator[Row]:
        """Return the rows that are new; a last line that is not whole yet comes later."""
        for path in sorted(self._directory.glob(ROWS)):
            with path.open("rb") as file:
                file.seek(self._read_bytes.get(path, 0))
                data = file.read()
            whole = data[: data.rfind(b"\n") + 1]
            self._read_bytes[path] = self._read_bytes.get(path, 0) + len(whole)
            yield from map(read, whole.splitlines())
