"""Knows `load report` and its options; refuses to do its work, which is imported when it is called.

Source: design.md (outputs, exit codes); spec/loadtest.md 1, 18.
"""

from enum import StrEnum
from typing import Annotated

import typer

from inferometer.cli_options import DataOption, FileOption, configured, typed


class CompareOutput(StrEnum):
    """How two runs are told side by side."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"
    HTML = "html"


CompareOption = Annotated[
    CompareOutput, typer.Option("--output", help="Format on stdout; html writes a page and prints where.")
]


class ReportOutput(StrEnum):
    """How a run is told again."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"
    JUNIT = "junit"
    GITHUB = "github"
    HTML = "html"


def report(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Run id, name of a sweep, or directory of one.")],
    *,
    output: Annotated[
        ReportOutput, typer.Option("--output", help="Format on stdout; html writes its page anew and prints where.")
    ] = ReportOutput.TABLE,
    data: DataOption = None,
    file: FileOption = None,
) -> int:
    """Tell a run, or a sweep, that was kept again; or write its page: one file that opens without a network.

    Exit code: 0, whatever its verdict was; 2 no such run.
    """
    from inferometer import data_directory, load_again  # noqa: PLC0415  # loads the statistics

    return load_again.show(data_directory.resolve(configured(file, typed(data=data)).data), run, output)
