"""Knows how to answer `report` and `sql` on stdout; refuses to know SQL or how figures are made.

Source: spec/ui.md 10 (stdout data), law 4 (no empty table: say why it is empty).
"""

import json
import sys

from inferometer import data_directory
from inferometer.config_schema import Config
from inferometer.errors import ConfigurationError
from inferometer.reading import Source, source
from inferometer.report import Group, Window, document, groups
from inferometer.report_tables import as_csv, as_markdown, tables
from inferometer.since import instant_ms
from inferometer.window_rows import answer, source_text
from telemetry.clock import wall_ms

HISTORY_NAME = "sql_history"
"""File in the data directory that remembers what was typed."""
STATEMENT_CHARACTERS_MAX = 1 << 20
"""Most that is read of a statement on stdin; the store refuses it far below."""


def report(config: Config, since: str, until: str, output: str, *, only: tuple[str | None, str | None]) -> None:
    """Print the report.

    Args:
        config: The configuration.
        since: Start of the window, as typed.
        until: End of the window, as typed.
        output: `table`, `json`, `csv` or `markdown`.
        only: Endpoint and model to keep; None keeps all.

    Raises:
        InferometerError: The store cannot be asked, or the window is none.
    """
    now_ms = wall_ms()
    since_ms, until_ms = instant_ms(since, now_ms, "--since"), instant_ms(until, now_ms, "--until")
    if since_ms >= until_ms:
        raise ConfigurationError(f"--since: found {since!r}, which is not before --until {until!r}")
    where = source(config)
    window = Window(since_ms=since_ms, until_ms=until_ms, observing_since_ms=where.observing_since_ms)
    told = answer(where, window, now_ms)
    endpoint, model = only
    found = groups(told.rows, told.window, endpoint=endpoint, model=model)
    note = None if found else _why_empty(where, since, endpoint or model)
    show(found, told.window, output, note)


def show(found: list[Group], window: Window, output: str, note: str | None) -> None:
    """Print groups in a format; an empty report says why on stderr where the format cannot."""
    if output == "json":
        sys.stdout.write(json.dumps(document(found, window, note), allow_nan=False) + "\n")
        return
    if note:
        sys.stderr.write(note + "\n")
    elif output in {"csv", "markdown"} and not window.is_exact:
        sys.stderr.write(source_text(window, found) + "\n")
    if output == "csv":
        sys.stdout.write(as_csv(found))
    elif found:
        if output == "markdown":
            sys.stdout.write(as_markdown(found))
        else:
            _draw(found, window)


def sql(config: Config, statement: str | None, output: str) -> None:
    """Print the answer to one reading statement, or to each that is typed.

    Args:
        config: The configuration.
        statement: The statement; None for what stdin says, line by line if it is a terminal.
        output: `table`, `json`, `csv` or `markdown`.

    Raises:
        InferometerError: The store cannot be asked, or refuses the statement.
    """
    if statement is None and sys.stdin.isatty():
        return _typed(config, output)
    text = str(sys.stdin.read(STATEMENT_CHARACTERS_MAX)) if statement is None else statement
    if not text.strip():
        raise ConfigurationError("sql: no statement; allowed: one as argument, one on stdin, or a terminal to type at")
    return _answer(source(config), text, output)


def _typed(config: Config, output: str) -> None:
    from inferometer import prompt  # noqa: PLC0415  # only a terminal has readline

    where = source(config)
    prompt.run(lambda typed: _answer(where, typed, output), data_directory.resolve(config.data).root / HISTORY_NAME)


def _answer(where: Source, statement: str, output: str) -> None:
    try:
        sys.stdout.buffer.write(where.raw(statement, output))
        sys.stdout.buffer.flush()
    except KeyboardInterrupt:
        where.store.close()  # the store ends a statement whose asker has left
        raise


def _draw(found: list[Group], window: Window) -> None:
    from inferometer.screen import console, drawn  # noqa: PLC0415  # rich costs 0.1 s that JSON need not pay

    seconds = found[0].seconds
    asked = f"{(window.until_ms - window.since_ms) / 1000:.0f} s asked for"
    heading = f"{asked}, rates over the {seconds:.0f} s observed; {source_text(window, found)}"
    console().print(drawn(tables(found), heading))


def _why_empty(where: Source, since: str, wanted: str | None) -> str:
    of = f" of {wanted!r}" if wanted else ""
    port = where.tee_port or 8100
    return f"no requests{of} recorded since {since}; is traffic going to port {port}, where the tee listens?"
