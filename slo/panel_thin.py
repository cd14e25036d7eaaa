"""Knows which points of a long series show its shape (largest triangle, three buckets); refuses to make new ones.

Of each bucket of steps that row stays whose point makes the largest triangle with the one kept before and the middle
of the bucket after. Every kept row is a true row. A gap splits a series: its ends stay, so no line crosses it.

Source: S. Steinarsson, "Downsampling Time Series for Visual Representation", 2013 (LTTB); spec/ui.md 2 (1,500 points).
"""

from collections.abc import Sequence

from slo.panel_cells import Row
from telemetry.panel import Panel, Role

_ENDS = 2


def thinned(panel: Panel, rows: Sequence[Row], points_max: int) -> list[Row]:
    """Return at most `points_max` rows of each series, in order of time.

    Args:
        panel: The panel; its first value is the one whose shape is kept.
        rows: In order of time; a key column tells several series apart.
        points_max: Rows of one series, at least three.
    """
    keys = [one.name for one in panel.columns if one.role is Role.KEY]
    value = next(one.name for one in panel.columns if one.role is Role.VALUE)
    series: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        series.setdefault(tuple(row[key] for key in keys), []).append(row)
    if all(len(one) <= points_max for one in series.values()):
        return list(rows)
    kept = {id(row) for one in series.values() for row in _largest_triangles(one, value, points_max)}
    return [row for row in rows if id(row) in kept]


def _largest_triangles(rows: Sequence[Row], value: str, points_max: int) -> Sequence[Row]:
    if len(rows) <= points_max:
        return rows
    points = [(float(str(row["t"])), _number(row.get(value))) for row in rows]
    n_buckets = points_max - _ENDS
    edges = [1 + at * (len(rows) - _ENDS) // n_buckets for at in range(n_buckets + 1)]
    kept = [0]
    for at in range(n_buckets):
        after = points[edges[at + 1] : edges[at + 2]] if at + 2 <= n_buckets else points[-1:]
        middle = (sum(t for t, _ in after) / len(after), sum(y for _, y in after) / len(after))
        before = points[kept[-1]]
        kept.append(max(range(edges[at], edges[at + 1]), key=lambda k: _area(before, points[k], middle)))
    return [rows[at] for at in (*kept, len(rows) - 1)]


def _area(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    return abs((a[0] - c[0]) * (b[1] - a[1]) - (a[0] - b[0]) * (c[1] - a[1]))


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
