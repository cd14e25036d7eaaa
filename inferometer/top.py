"""Knows how to show the last minute again and again; refuses to know how its figures are made.

Source: spec/ui.md 1.5 (1 Hz); design.md (`--once --json`).
"""

import json
import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Group as Shown
from rich.live import Live
from rich.text import Text

from inferometer import ask, hints_show
from inferometer.accounts import Accounts, accounts
from inferometer.address import target_address
from inferometer.config_schema import Config
from inferometer.defaults import TOP_WINDOW_S
from inferometer.errors import InferometerError
from inferometer.reading import Source, source
from inferometer.report import Group, Window, document, groups
from inferometer.report_tables import tables
from inferometer.screen import console, drawn
from inferometer.window_rows import answer, source_text
from telemetry.clock import sleep, wall_ms

REFRESH_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One refresh.

    Attributes:
        window: The time shown.
        groups: Its groups.
        accounts: Where the records are; None if no supervisor answers.
        trouble: Why the groups could not be read; None if they could.
        hints: The last scaling hint of every target; none where nobody makes any.
    """

    window: Window
    groups: list[Group]
    accounts: Accounts | None
    trouble: str | None = None
    hints: Sequence[hints_show.Json] = ()


def frame(where: Source, now_ms: int) -> Frame:
    """Read the last minute.

    Raises:
        InferometerError: The store does not answer.
    """
    since_ms = now_ms - TOP_WINDOW_S * 1000
    window = Window(since_ms=since_ms, until_ms=now_ms, observing_since_ms=where.observing_since_ms)
    told = answer(where, window, now_ms, live=True)
    return Frame(
        window=told.window,
        groups=groups(told.rows, told.window),
        accounts=_accounts(where),
        hints=_hints(where),
    )


def once(config: Config, *, as_json: bool) -> None:
    """Print the last minute and return.

    Raises:
        InferometerError: There is no store to read, or it does not answer.
    """
    read = frame(source(config), wall_ms())
    if not as_json:
        console().print(picture(read))
        return
    note = None if read.groups else _NOTHING
    told = document(read.groups, read.window, note)
    told["telemetry"] = read.accounts.document() if read.accounts else None
    told["hints"] = list(read.hints)
    sys.stdout.write(json.dumps(told, allow_nan=False) + "\n")


def live(config: Config, *, wait: Callable[[float], None] = sleep, ended: Callable[[], bool] = lambda: False) -> None:
    """Show the last minute, anew every second.

    Args:
        config: The configuration.
        wait: Called with the seconds until the next refresh.
        ended: Asked before each refresh whether to stop; without it only an interrupt does.

    Raises:
        InferometerError: There is no store to read at the start; a later outage is shown, and the view goes on.
    """
    where = source(config)
    with _screen() as shown:
        while not ended():
            shown.update(picture(_frame_or_trouble(where)), refresh=True)
            wait(REFRESH_S)


def picture(read: Frame) -> Shown:
    """Return what the screen shows for a refresh."""
    heading = f"last {TOP_WINDOW_S} s; {source_text(read.window, read.groups)}"
    body = drawn(tables(read.groups), heading) if read.groups else Text(_NOTHING)
    line = read.accounts.line() if read.accounts else "no supervisor answers"
    trouble = [Text(read.trouble, style="bold red")] if read.trouble else []
    hints = [Text(f"\n{hints_show.line(hint)}") for hint in read.hints]
    return Shown(*trouble, body, *hints, Text(f"\ntelemetry: {line}", style="dim"))


_NOTHING = f"no requests ended in the last {TOP_WINDOW_S} s; is traffic going to the tee's port?"


def _frame_or_trouble(where: Source) -> Frame:
    now_ms = wall_ms()
    try:
        return frame(where, now_ms)
    except InferometerError as error:
        window = Window(since_ms=now_ms - TOP_WINDOW_S * 1000, until_ms=now_ms)
        return Frame(window=window, groups=[], accounts=_accounts(where), trouble=str(error))


def _hints(where: Source) -> Sequence[hints_show.Json]:
    """Return the last hints; none where nobody makes any, or does not say so at once."""
    if where.metrics_url is None:
        return ()
    try:
        return hints_show.last(target_address(where.metrics_url))
    except InferometerError:
        return ()


def _accounts(where: Source) -> Accounts | None:
    if where.metrics_url is None:
        return None
    try:
        answer = ask.get(target_address(where.metrics_url), "/metrics")
    except OSError:
        return None
    return accounts(answer.body.decode(errors="replace"))


@contextmanager
def _screen() -> Generator[Live]:
    screen = console()
    with Live(console=screen, auto_refresh=False, screen=screen.is_terminal) as shown:
        yield shown
