"""Knows how tables of texts look on a terminal; refuses to know what they mean.

Source: spec/ui.md 1.5, 10 (NO_COLOR over FORCE_COLOR over TTY; never cut a number).
"""

from collections.abc import Sequence

from rich import box
from rich.console import Console, Group
from rich.table import Table as RichTable
from rich.text import Text

from inferometer.report_tables import Table

WIDTH = 100
"""Columns that tables are made for; a pipe gets this width."""
_TABLE_WIDTH = 96


def console() -> Console:
    """Return stdout as a screen; colours only on a terminal that wants them (rich honours NO_COLOR and TERM=dumb)."""
    screen = Console(highlight=False, markup=False, emoji=False)
    return screen if screen.is_terminal else Console(highlight=False, markup=False, emoji=False, width=WIDTH)


def drawn(tables: Sequence[Table], heading: str = "") -> Group:
    """Return what a screen shows for some tables."""
    parts: list[RichTable | Text] = [Text(heading)] if heading else []
    for table in tables:
        parts += [_drawn(table), *(Text(f"  {note}", style="dim") for note in table.notes)]
    return Group(*parts)


def _drawn(table: Table) -> RichTable:
    shown = RichTable(
        title=table.title,
        title_justify="left",
        title_style="bold",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        min_width=_TABLE_WIDTH,
    )
    for column in table.columns:
        if column.figures:
            shown.add_column(column.name, justify="right", no_wrap=True, overflow="ignore")
        else:
            shown.add_column(column.name, overflow="fold")
    for row in table.rows:
        shown.add_row(*(Text(cell, style=_style(cell)) for cell in row))
    return shown


def _style(cell: str) -> str:
    if cell == "fails":
        return "bold red"
    return "dim" if cell.startswith("n<") or cell == "n/a" else ""
