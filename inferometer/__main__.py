"""Knows how a verb ends: data on stdout, one line on stderr, an exit code; refuses to know the verbs.

Source: design.md (exit codes); style.md 7.4 (a foreign `telemetry` package earlier on the path).
"""

import os
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from inferometer.defaults import EXIT_INTERRUPTED
from inferometer.errors import InferometerError


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    sys.exit(outcome(sys.argv[1:] if arguments is None else list(arguments)))


def outcome(arguments: list[str]) -> int:
    """Run the command line and return its exit code; whatever went wrong is one line on stderr."""
    if foreign := _foreign_room():
        return _refused(foreign, 1)
    from inferometer.cli import run  # noqa: PLC0415  # only after it is sure that the rooms are ours

    try:
        code = run(arguments)
        sys.stdout.flush()
    except InferometerError as error:
        return _refused(str(error), error.exit_code)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of stdout has seen enough; without this, the interpreter would complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _foreign_room() -> str | None:
    ours, theirs = Path(__file__).parent.parent, find_spec("telemetry")
    origin = Path(theirs.origin).parent.parent if theirs and theirs.origin else None
    if origin == ours:
        return None
    return f"package telemetry is from {origin}, not from {ours} beside inferometer; install into a clean environment"


def _refused(line: str, code: int) -> int:
    sys.stderr.write(f"inferometer: {' '.join(line.split())}\n")
    return code


if __name__ == "__main__":
    main()
