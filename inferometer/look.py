"""Knows how to answer `report` and `sql` on stdout; refuses to know SQL or how figures are made.

Source: spec/ui.md 10 (stdout data), law 4 (no empty table: say why it is empty).
"""

import json
import sys

from inferometer.config_schema import Config
from inferometer.errors import ConfigurationError
from inferometer.reading import Source, source
from inferometer.report import Group, Window, document, groups
from inferometer.report_tables import as_csv, as_markdown, tables
from inferometer.since import instant_ms
from telemetry.clock import wall_ms
from telemetry.queries import report as report_question


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
    rows = where.rows(report_question(since_ms, until_ms))
    endpoint, model = only
    found = groups(rows, window, endpoint=endpoint, model=model)
    note = None if found else _why_empty(where, since, endpoint or model)
    show(found, window, output, note)


def show(found: list[Group], window: Window, output: str, note: str | None) -> None:
    """Print groups in a format; an empty report says why on stderr where the format cannot."""
    if output == "json":
        sys.stdout.write(json.dumps(document(found, window, note), allow_nan=False) + "\n")
        return
    if note:
        sys.stderr.write(note + "\n")
    if output == "csv":
        sys.stdout.write(as_csv(found))
    elif found:
        if output == "markdown":
            sys.stdout.write(as_markdown(found))
        else:
            _draw(found, window)


def sql(config: Config, statement: str, output: str) -> None:
    """Print the answer to one reading statement.

    Raises:
        InferometerError: The store cannot be asked, or refuses the statement.
    """
    sys.stdout.buffer.write(source(config).raw(statement, output))
    sys.stdout.buffer.flush()


def _draw(found: list[Group], window: Window) -> None:
    from inferometer.screen import console, drawn  # noqa: PLC0415  # rich costs 0.1 s that JSON need not pay

    seconds = found[0].seconds
    heading = f"{(window.until_ms - window.since_ms) / 1000:.0f} s asked for, rates over the {seconds:.0f} s observed"
    console().print(drawn(tables(found), heading))


def _why_empty(where: Source, since: str, wanted: str | None) -> str:
    of = f" of {wanted!r}" if wanted else ""
    port = where.tee_port or 8100
    return f"no requests{of} recorded since {since}; is traffic going to port {port}, where the tee listens?"
