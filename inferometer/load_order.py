"""Knows the rows of a run in the order of its plan, however many they are; refuses to hold more than a bound of them.

Each worker wrote its rows in the order in which they ended. Up to `ROWS_HELD_MAX` of them are sorted in memory; more
are sorted part by part, and the parts merged into one file, which is read again for each look at the rows.

    memory   of the rows: `ROWS_HELD_MAX` of them at most, about 2 KB each
    disk     of a longer run: three times its rows, until its report is written
    time     each look at a longer run decodes it again: 3 to 6 microseconds a row

Source: spec/loadtest.md 18 (files), 2 (rows written by each worker).
"""

import heapq
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from inferometer.errors import InferometerError
from inferometer.load_files import streamed
from loadtest.rows import Row, line, place, read
from loadtest.run_spec import Phase
from telemetry.outcome import Flag

ROWS_HELD_MAX = 20_000
"""Most rows that are held."""
_ORDERED = "ordered.jsonl"


class Ordered(Iterable[Row]):
    """The rows of all workers in the order of the plan; use it as a context manager, and look as often as need be.

    Args:
        directory: Of the run.
        held_max: Most rows that are held.
        warmup_s: What was planned before counts as warm-up, whatever was thought of it when it was sent.
    """

    def __init__(self, directory: Path, held_max: int = ROWS_HELD_MAX, warmup_s: float = 0.0) -> None:
        """Sort nothing yet."""
        self._directory, self._held_max, self._warmup_us = directory, held_max, round(warmup_s * 1e6)
        self._held: list[Row] = []
        self._file: Path | None = None
        self._n = 0

    def __enter__(self) -> Self:
        """Sort.

        Raises:
            InferometerError: A line is no row, or the disk takes no more; the workers' files stay.
        """
        rows = map(self._phased, streamed(self._directory))
        try:
            self._sort(rows)
        except OSError as error:
            self._forget()
            raise InferometerError(f"{self._directory}: {error.strerror}; the rows are in rows-*.jsonl") from None
        except BaseException:
            self._forget()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Remove what was made."""
        self._forget()

    def __iter__(self) -> Iterator[Row]:
        """Return them from the first on."""
        return iter(self._held) if self._file is None else _lines(self._file)

    def __len__(self) -> int:
        """Return how many there are."""
        return self._n

    def _sort(self, rows: Iterator[Row]) -> None:
        parts: list[Path] = []
        while part := sorted(islice(rows, self._held_max), key=place):
            self._n += len(part)
            if not parts and len(part) < self._held_max:
                self._held = part
                return
            parts.append(self._written(part, f"part-{len(parts)}.jsonl"))
        if parts:
            self._file = self._written(heapq.merge(*map(_lines, parts), key=place), _ORDERED)
        for path in parts:
            path.unlink()

    def _phased(self, row: Row) -> Row:
        if row.t_sched_us >= self._warmup_us or row.run_phase is Phase.WARM_UP:
            return row
        record = msgspec.structs.replace(row.record, flags=row.record.flags | Flag.WARMUP)
        return msgspec.structs.replace(row, run_phase=Phase.WARM_UP, record=record)

    def _written(self, rows: Iterable[Row], name: str) -> Path:
        path = self._directory / name
        with path.open("wb") as file:
            file.writelines(map(line, rows))
        return path

    def _forget(self) -> None:
        for path in (*self._directory.glob("part-*.jsonl"), self._directory / _ORDERED):
            path.unlink(missing_ok=True)


def _lines(path: Path) -> Iterator[Row]:
    with path.open("rb") as file:
        yield from map(read, file)
