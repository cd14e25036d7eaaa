"""Knows what a sound store shows about its requests, and how a fault is told; refuses to mend one.

Source: spec/store.md 10.9 (belt).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from telemetry import queries
from telemetry.queries import Question

Row = Mapping[str, object]
Ask = Callable[[Question], Sequence[Row]]
"""Answers a question, as `inferometer.reading.Source.rows` does."""
ON_THEIR_WAY_MS = 60_000
"""Rows that ended less long ago may not have come yet."""
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a check found.

    Attributes:
        rows: Requests that were looked at.
        duplicates: Rows more than identities.
        gaps: Sequence numbers without a row between those with one.
        hours: Hours whose roll-ups count other than the rows.
        lines: One line per fault.
    """

    rows: int
    duplicates: int
    gaps: int
    hours: int
    lines: tuple[str, ...]


def check(ask: Ask, since_ms: int, until_ms: int) -> Found:
    """Look at the requests that ended in a window, and at the roll-ups of its whole hours.

    Args:
        ask: Answers a question.
        since_ms: Start of the window, unix milliseconds.
        until_ms: End of it, at least `ON_THEIR_WAY_MS` ago.
    """
    rows = ask(queries.identities(since_ms, until_ms))
    first_ms, last_ms = since_ms // HOUR_MS * HOUR_MS, until_ms // HOUR_MS * HOUR_MS
    hours = ask(queries.rollup_differences(first_ms, last_ms)) if first_ms < last_ms else ()
    return Found(
        rows=sum(_number(row, "n") for row in rows),
        duplicates=sum(_number(row, "duplicates") for row in rows),
        gaps=sum(_number(row, "gaps") for row in rows),
        hours=len(hours),
        lines=(*(line for row in rows for line in _of_collector(row)), *map(_of_hour, hours)),
    )


def _of_collector(row: Row) -> list[str]:
    lines: list[str] = []
    if duplicates := _number(row, "duplicates"):
        lines.append(f"{row['collector']}: {duplicates} of {row['n']} rows are there more than once")
    if gaps := _number(row, "gaps"):
        near = _iso(_number(row, "gap_unix_ms") // 1000)
        lines.append(f"{row['collector']}: {gaps} rows are missing beside {row['n']}, the first after {near}")
    return lines


def _of_hour(row: Row) -> str:
    return f"{_iso(_number(row, 'hour_unix_s'))}: {row['n']} rows, r_1m counts {row['n_1m']}, r_1h counts {row['n_1h']}"


def _number(row: Row, name: str) -> int:
    return cast("int | None", row[name]) or 0


def _iso(unix_s: int) -> str:
    return f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%dT%H:%M:%SZ}"
