"""Knows an answer as CSV: units in the headings, times as RFC 3339, texts safe for a spreadsheet; refuses to ask.

Source: spec/ui.md 3 (CSV); RFC 4180.
"""

import csv
from io import StringIO

from slo.alertmanager_body import rfc3339
from slo.panel_cells import Cell
from slo.panel_shown import Answer, ColumnShown
from telemetry.csv_cell import csv_cell
from telemetry.panel import Type

_UNITS = {"1/s": "per_s", "1/h": "per_h", "tok/s": "tokens_per_s", "s/token": "s_per_token", "tok/event": "per_event"}
"""Units as the last word of a heading, where they are no word themselves."""


def panel_csv(answer: Answer) -> str:
    """Return one line per row: `ttft_p95_s` is the percentile p95 of ep.ttft; what is not known is empty."""
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    stem = answer.panel.partition(".")[2]
    writer.writerow([*(_heading(stem, one) for one in answer.columns), "n"])
    for row, n in zip(answer.rows, answer.n, strict=True):
        told = [csv_cell(_cell(value, one)) for value, one in zip(row, answer.columns, strict=True)]
        writer.writerow([*told, "" if n is None else n])
    return out.getvalue()


def _heading(stem: str, column: ColumnShown) -> str:
    if column.unit is None:
        return column.name
    unit = _UNITS.get(column.unit, column.unit)
    name = column.name if column.percentile is None else f"{stem}_{column.name}"
    return name if f"_{name}".endswith(f"_{unit}") else f"{name}_{unit}"


def _cell(value: Cell, column: ColumnShown) -> object:
    if value is None:
        return ""
    if column.type == Type.UNIX_S and isinstance(value, int | float):
        return rfc3339(int(value))
    if isinstance(value, list):
        return " ".join("" if one is None else repr(one) for one in value)
    return value
