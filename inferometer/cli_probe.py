"""Knows the verbs below `probe` and their options; refuses to do their work, which is imported when one is called.

Source: design.md (verbs, outputs, exit codes).
"""

import typer

app = typer.Typer(help="Ask an engine, a GPU or a service once or again and again, without the tee.", rich_markup_mode=None)
