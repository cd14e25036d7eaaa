"""Knows which numbers of an answer may be said: percentiles by their n, no NaN, no infinity; refuses to know panels.

A percentile p of n requests is refused unless n * (1 - p) >= 1, in integers: `(1 - 0.9) * 10` is below 1 in floats. It
is uncertain below the n that certifies it at 99 % confidence. One that lands on a failed request is infinite: its cell
is null, and it is told that it fails.

Source: spec/ui.md 4 (quantile refusal), 3 (NaN and Inf never leave the server); spec/measurement.md 11.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from math import isfinite, isinf, isnan
from typing import cast

from telemetry.panel import Column, N, Role, Type
from telemetry.percentile import certain_from, n_min

Row = Mapping[str, object]
Cell = float | int | str | list[float | None] | None
_BOUNDS = frozenset({Role.LOW, Role.HIGH})


class Reason(StrEnum):
    """Why a cell holds no number."""

    N_TOO_SMALL = "n_too_small"
    NOT_A_NUMBER = "not_a_number"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A column some of whose numbers are not said.

    Attributes:
        column: Its name.
        reason: Why.
        rows: Where, numbers of rows from 0.
        n: Requests of the last of these rows.
        needed: Least n at which it is said; None if n is not the reason.
        instead: Percentile of that row that is said; None if none is.
        max: Largest value of that row; None if it is not known.
    """

    column: str
    reason: Reason
    rows: tuple[int, ...]
    n: int | None = None
    needed: int | None = None
    instead: str | None = None
    max: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncertain:
    """A column some of whose percentiles are said, and not certified.

    Attributes:
        column: Its name.
        rows: Where.
        needed: Least n that certifies it at 99 % confidence.
        low: For each of these rows, what it is above with 97.5 % confidence; None if nothing bounds it.
        high: What it is below; None if nothing does, or a failure.
    """

    column: str
    rows: tuple[int, ...]
    needed: int
    low: tuple[float | None, ...] = ()
    high: tuple[float | None, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """A column some of whose percentiles land on a failed request.

    Attributes:
        column: Its name.
        rows: Where.
    """

    column: str
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cells:
    """An answer, fit to be told.

    Attributes:
        columns: Of the cells.
        rows: Cells in the order of the columns.
        n: Requests of each row; None where a row is not of requests.
        refused: What is not said.
        uncertain: What is not certified.
        inf: What fails.
    """

    columns: tuple[Column, ...]
    rows: list[list[Cell]] = field(default_factory=list[list[Cell]])
    n: list[int | None] = field(default_factory=list["int | None"])
    refused: tuple[Refused, ...] = ()
    uncertain: tuple[Uncertain, ...] = ()
    inf: tuple[Failing, ...] = ()


def cells(columns: Sequence[Column], rows: Sequence[Row], *, is_exact: bool) -> Cells:
    """Return what may be said of an answer.

    Args:
        columns: Of the panel.
        rows: As the statement returns them.
        is_exact: Whether percentiles are exact; then their bounds are left out, being themselves.
    """
    shown = _shown(columns, is_exact=is_exact)
    marks = _Marks()
    told = [[_cell(one, at, row, marks) for one in shown] for at, row in enumerate(rows)]
    by_name = {one.name: place for place, one in enumerate(shown)}
    _silence_bounds(shown, told)
    return Cells(
        columns=shown,
        rows=told,
        n=[_count(row.get(N)) for row in rows],
        refused=tuple(
            _refused(one, shown, rows, marks.refused[one.name], told, by_name)
            for one in shown
            if one.name in marks.refused
        )
        + tuple(
            Refused(column=name, reason=Reason.NOT_A_NUMBER, rows=tuple(at)) for name, at in marks.not_a_number.items()
        ),
        uncertain=tuple(
            _uncertain(one, rows, marks.uncertain[one.name]) for one in shown if one.name in marks.uncertain
        ),
        inf=tuple(Failing(column=name, rows=tuple(at)) for name, at in marks.inf.items()),
    )


def _shown(columns: Sequence[Column], *, is_exact: bool) -> tuple[Column, ...]:
    """Return the columns that are told; a bound stands behind its value."""
    found: list[Column] = []
    is_itself = False
    for one in columns:
        is_bound = one.role in _BOUNDS
        is_itself = is_itself if is_bound else is_exact and one.ppm is not None
        found += [] if is_bound and is_itself else [one]
    return tuple(found)


class _Marks:
    """Numbers of rows by column."""

    def __init__(self) -> None:
        self.refused: dict[str, list[int]] = {}
        self.uncertain: dict[str, list[int]] = {}
        self.inf: dict[str, list[int]] = {}
        self.not_a_number: dict[str, list[int]] = {}


def _cell(column: Column, at: int, row: Row, marks: _Marks) -> Cell:
    value = row.get(column.name)
    if value is None or column.type is Type.TEXT:
        return None if value is None else str(value)
    if column.type is Type.NUMBERS:
        return [one if one is not None and isfinite(one) else None for one in cast("Sequence[float | None]", value)]
    number = cast("float | int", value)
    if column.ppm is not None:
        return _percentile(column, at, row, number, marks)
    if isnan(number) or (isinf(number) and column.role not in _BOUNDS):
        marks.not_a_number.setdefault(column.name, []).append(at)
    return number if isfinite(number) else None


def _percentile(column: Column, at: int, row: Row, number: float, marks: _Marks) -> float | None:
    n, ppm = _count(row.get(column.of or N)) or 0, column.ppm or 0
    if n < n_min(ppm):
        marks.refused.setdefault(column.name, []).append(at)
        return None
    if not isfinite(number):
        (marks.inf if isinf(number) else marks.not_a_number).setdefault(column.name, []).append(at)
        return None
    if n < certain_from(ppm):
        marks.uncertain.setdefault(column.name, []).append(at)
    return number


def _silence_bounds(columns: Sequence[Column], rows: list[list[Cell]]) -> None:
    """Leave out the bounds of what is not said; a bound stands behind its value."""
    value = 0
    for place, column in enumerate(columns):
        if column.role not in _BOUNDS:
            value = place
            continue
        for row in rows:
            row[place] = None if row[value] is None else row[place]


def _uncertain(column: Column, rows: Sequence[Row], at: Sequence[int]) -> Uncertain:
    """Return between what each of these percentiles lies, as the statement says beside it."""

    def ends(name: str) -> tuple[float | None, ...]:
        values = [rows[one].get(f"{column.name}_{name}") for one in at]
        return tuple(one if isinstance(one, float | int) and isfinite(one) else None for one in values)

    return Uncertain(
        column=column.name, rows=tuple(at), needed=certain_from(column.ppm or 0), low=ends("from"), high=ends("to")
    )


def _refused(
    column: Column,
    columns: Sequence[Column],
    rows: Sequence[Row],
    at: Sequence[int],
    told: Sequence[Sequence[Cell]],
    places: Mapping[str, int],
) -> Refused:
    last, ppm = at[-1], column.ppm or 0
    lower = [
        one
        for one in columns
        if one.ppm is not None and one.ppm < ppm and one.of == column.of and told[last][places[one.name]] is not None
    ]
    largest = rows[last].get(column.largest) if column.largest else None
    return Refused(
        column=column.name,
        reason=Reason.N_TOO_SMALL,
        rows=tuple(at),
        n=_count(rows[last].get(column.of or N)) or 0,
        needed=n_min(ppm),
        instead=max(lower, key=lambda one: one.ppm or 0).name if lower else None,
        max=largest if isinstance(largest, float | int) and isfinite(largest) else None,
    )


def _count(value: object) -> int | None:
    return None if value is None else int(cast("int", value))
