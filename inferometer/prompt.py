"""Knows how statements are typed at a terminal: line by line, with a history; refuses to know what answers them.

A statement ends with a line that ends with `;`. Ctrl-C drops what is being typed, or the answer that is waited for;
Ctrl-D, `exit` and `quit` end. The history is a file that nobody else reads: it may hold names of tenants.

Source: https://docs.python.org/3/library/readline.html; spec/ui.md 10 (stdout data).
"""

import os
import readline
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from inferometer.errors import InferometerError

HISTORY_LINES_MAX = 1_000
"""Lines that are remembered; older ones are forgotten."""
_FIRST, _NEXT = "sql> ", "...> "
_LEAVE = frozenset({"exit", "quit"})


def run(answer: Callable[[str], None], history: Path) -> None:
    """Let `answer` print the answer to each statement until the end; what is wrong with one is a line on stderr.

    Args:
        answer: Prints rows on stdout, or raises InferometerError or KeyboardInterrupt.
        history: File of what was typed; kept only where its directory is.
    """
    with _remembered(history):
        while (statement := _typed()) is not None:
            try:
                answer(statement)
            except InferometerError as error:
                sys.stderr.write(f"{' '.join(str(error).split())}\n")
            except KeyboardInterrupt:
                sys.stderr.write("interrupted\n")


def _typed() -> str | None:
    """Return the next statement without its `;`; None at the end."""
    lines: list[str] = []
    while True:
        try:
            line = input(_NEXT if lines else _FIRST).rstrip()
        except EOFError:
            sys.stdout.write("\n")
            return None
        except KeyboardInterrupt:
            sys.stdout.write("\n")
            lines.clear()
            continue
        if not lines and line.rstrip(";").strip().lower() in _LEAVE:
            return None
        lines += [line] if line or lines else []
        if line.endswith(";"):
            return "\n".join(lines).rstrip("; \n")


@contextmanager
def _remembered(history: Path) -> Generator[None]:
    readline.clear_history()
    readline.set_history_length(HISTORY_LINES_MAX)
    with suppress(OSError):
        readline.read_history_file(history)
    try:
        yield
    finally:
        with suppress(OSError):
            os.close(os.open(history, os.O_WRONLY | os.O_CREAT, 0o600))
            readline.write_history_file(history)
