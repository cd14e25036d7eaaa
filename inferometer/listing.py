"""Knows how a list of records is printed on stdout in each format; refuses to know what the records are.

Source: spec/ui.md 10 (stdout data), 3 (CSV); spec/reliability.md 13 (escapes).
"""

import csv
import json
import sys
from collections.abc import Mapping, Sequence
from io import StringIO

from inferometer.report_tables import Column, Table, markdown, printable
from telemetry.csv_cell import csv_cell

Row = Mapping[str, object]


def show(rows: Sequence[Row], names: Sequence[str], title: str, output: str) -> None:
    """Print records.

    Args:
        rows: The records; None is unknown.
        names: Their fields, in order.
        title: What they are, for people.
        output: `json` (one object per line), `csv`, `markdown` or `table`.
    """
    if output == "json":
        sys.stdout.write("".join(json.dumps({name: row[name] for name in names}) + "\n" for row in rows))
    elif output == "csv":
        sys.stdout.write(_csv(rows, names))
    elif output == "markdown":
        sys.stdout.write(markdown(_table(rows, names, title)))
    else:
        from inferometer.screen import console, drawn  # noqa: PLC0415 - rich costs 0.1 s that JSON need not pay

        console().print(drawn([_table(rows, names, title)]))


def _csv(rows: Sequence[Row], names: Sequence[str]) -> str:
    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([csv_cell(row[name]) for name in names] for row in rows)
    return out.getvalue()


def _table(rows: Sequence[Row], names: Sequence[str], title: str) -> Table:
    figures = {name for name in names if all(isinstance(row[name], int | float | None) for row in rows)}
    cells = tuple(tuple(_cell(row[name]) for name in names) for row in rows)
    return Table(title=title, columns=tuple(Column(name=name, figures=name in figures) for name in names), rows=cells)


def _cell(value: object) -> str:
    return "n/a" if value is None else printable(str(value))
