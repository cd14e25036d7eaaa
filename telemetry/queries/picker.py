"""Knows which table answers a question cheaply and exactly enough; refuses to know what the question is.

Exact answers come from raw rows, if those are still kept and few. Else it is the coarsest roll-up that keeps the
dimensions, reaches back far enough, and whose steps fit: the window begins and ends with one, or one is at most 1/500
of the window, which is then widened to whole steps and says so.

Source: spec/store.md 4.1 (retention); spec/ui.md 3 (table by range).
"""

from dataclasses import dataclass

from telemetry import schema
from telemetry.queries.asked import ROLLED_DIMS, Asked, Pick, Source

EXACT_ROWS_MAX = 200_000
"""Rows over which percentiles are taken exactly (spec/ui.md 3)."""
STEPS_MIN = 500
"""Steps in a window from which on its two ends may be rounded outward to a step: at most 0.4 % is added."""

_DAY_MS = 86_400_000


class NoTableError(ValueError):
    """No table still holds what is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Grain:
    """A table, the length of its steps, and for how long it is kept."""

    source: Source
    step_ms: int
    kept_ms: int


def _kept_ms(table: schema.Table) -> int:
    return (table.kept_days or _FOR_EVER_DAYS) * _DAY_MS


_FOR_EVER_DAYS = 36_500
RAW_KEPT_MS = _kept_ms(schema.REQUESTS)
"""For how long raw rows are kept."""
_ROLLUPS = tuple(
    _Grain(source=source, step_ms=step_ms, kept_ms=_kept_ms(table))
    for source, step_ms, table in (
        (Source.R_1H, 3_600_000, schema.R_1H),
        (Source.R_1M, 60_000, schema.R_1M),
        (Source.R_1S, 1_000, schema.R_1S),
    )
)
"""Coarsest first."""


def pick(asked: Asked, *, now_ms: int, rows: int | None = None, rows_max: int = EXACT_ROWS_MAX) -> Pick:
    """Return the table that answers.

    Args:
        asked: The question's window, dimensions and step.
        now_ms: The present, which says what is still kept.
        rows: Rows in the window, if they were counted; None if not, and then raw rows are taken only where no roll-up
            can answer.
        rows_max: Rows over which the question may be answered exactly.

    Raises:
        NoTableError: Only raw rows know a dimension, and they are gone.
    """
    raw_kept = now_ms - asked.since_ms <= RAW_KEPT_MS
    few = rows is not None and rows <= rows_max
    if raw_kept and few:
        return _raw(asked, exact=True)
    if not asked.dims <= ROLLED_DIMS:
        if not raw_kept:
            names = ", ".join(sorted(asked.dims - ROLLED_DIMS))
            raise NoTableError(f"only raw rows know {names}, and they are kept for {RAW_KEPT_MS // _DAY_MS} days")
        return _raw(asked, exact=rows is None)
    kept = [grain for grain in _ROLLUPS if now_ms - asked.since_ms <= grain.kept_ms]
    fitting = next((grain for grain in kept if _fits(asked, grain)), None)
    if fitting is None and raw_kept:
        return _raw(asked, exact=rows is None)
    if not kept:
        raise NoTableError("the window begins before anything that is kept")
    return _rolled(asked, fitting or kept[-1])


def _fits(asked: Asked, grain: _Grain) -> bool:
    if asked.step_s is not None and asked.step_s * 1000 % grain.step_ms:
        return False
    aligned = not asked.since_ms % grain.step_ms and not asked.until_ms % grain.step_ms
    return aligned or asked.until_ms - asked.since_ms >= STEPS_MIN * grain.step_ms


def _raw(asked: Asked, *, exact: bool) -> Pick:
    return Pick(source=Source.RAW, exact=exact, since_ms=asked.since_ms, until_ms=asked.until_ms)


def _rolled(asked: Asked, grain: _Grain) -> Pick:
    return Pick(
        source=grain.source,
        exact=False,
        since_ms=asked.since_ms // grain.step_ms * grain.step_ms,
        until_ms=-(-asked.until_ms // grain.step_ms) * grain.step_ms,
    )
