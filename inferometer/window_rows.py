"""Knows which question answers for a window: the exact one while its rows are few, else a roll-up's; refuses to draw.

Source: spec/store.md 4.6, 13 (a reader's budget); spec/ui.md 3 (exact below a number of rows).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from inferometer.reading import Source
from inferometer.report import Group, Row, Window, error_ratio_max, exact_rows
from telemetry import queries, schema
from telemetry.queries import Asked, Pick

_DAY_MS = 86_400_000
_SECOND_MS, _MINUTE_MS = 1_000, 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer.

    Attributes:
        rows: What `inferometer.report.groups` takes.
        window: The window that was answered: a roll-up's begins and ends with its steps.
    """

    rows: Sequence[Row]
    window: Window


def answer(where: Source, window: Window, now_ms: int, *, live: bool = False) -> Answer:
    """Answer for a window.

    Args:
        where: The store.
        window: What is asked for.
        now_ms: The present.
        live: Whether a live view asks, which waits less and is content with fewer exact rows.

    Raises:
        InferometerError: The store does not answer or refuses.
    """
    [count] = where.rows(queries.row_count(window.since_ms, window.until_ms))
    rows_max = queries.EXACT_ROWS_MAX if live else queries.REPORT_EXACT_ROWS_MAX
    pick = choose(window, now_ms, rows=cast("int", count["n"]), rows_max=rows_max)
    if pick.exact:
        ask = queries.top if live else queries.report
        return Answer(rows=where.rows(ask(window.since_ms, window.until_ms)), window=window)
    asked = Asked(since_ms=window.since_ms, until_ms=window.until_ms)
    rows = exact_rows(where.rows(queries.report_rolled(asked, pick, live=live)))
    until_ms = min(pick.until_ms, max(window.until_ms, now_ms))
    answered = replace(window, since_ms=pick.since_ms, until_ms=until_ms, table=pick.source.value)
    return Answer(rows=rows, window=answered)


def choose(window: Window, now_ms: int, *, rows: int, rows_max: int) -> Pick:
    """Return the table that answers for a window; nothing is older than what the coarsest roll-up keeps.

    Args:
        window: What is asked for.
        now_ms: The present.
        rows: Requests in it.
        rows_max: Requests over which the answer is exact.
    """
    oldest_ms = now_ms - (schema.R_1H.kept_days or 0) * _DAY_MS
    asked = Asked(since_ms=max(window.since_ms, oldest_ms), until_ms=max(window.until_ms, oldest_ms + 1))
    pick = queries.pick(asked, now_ms=now_ms, rows=rows, rows_max=rows_max)
    if pick.exact or pick.source is not queries.Source.RAW:
        return pick
    # No step fits the ends of the window, but its rows are too many: take the finest steps that are kept.
    seconds_kept = now_ms - asked.since_ms <= (schema.R_1S.kept_days or 0) * _DAY_MS
    step_ms = _SECOND_MS if seconds_kept else _MINUTE_MS
    rounded = replace(
        asked,
        since_ms=asked.since_ms // step_ms * step_ms,
        until_ms=-(-asked.until_ms // step_ms) * step_ms,
    )
    return queries.pick(rounded, now_ms=now_ms, rows=rows, rows_max=rows_max)


def source_text(window: Window, found: Sequence[Group]) -> str:
    """Return how exact an answer is, for a heading."""
    if window.is_exact:
        return "exact"
    return f"from roll-up {window.table}, percentiles within {100 * error_ratio_max(found):.1f} %"
