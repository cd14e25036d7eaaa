"""Knows the verbs below `load` on runs that were kept; refuses to do their work, which is imported when called.

Source: design.md (outputs, exit codes); spec/loadtest.md 1, 12, 13.
"""

from typing import Annotated

import typer

from inferometer.cli_options import (
    DataOption,
    FileOption,
    PipelineOption,
    PipelineOutput,
    configured,
    typed,
)

RunsArgument = Annotated[
    list[str], typer.Argument(metavar="RUN...", help="Run ids, or directories of runs.", show_default=False)
]


def gate(  # noqa: PLR0913  # typer makes one option of each parameter
    runs: RunsArgument,
    *,
    against: Annotated[
        list[str], typer.Option(metavar="RUN", help="The baseline's runs: repeat it.", show_default=False)
    ],
    seed: Annotated[int, typer.Option(help="Of the resamples.", min=0)] = 7,
    accept_partial_key: Annotated[
        bool, typer.Option("--accept-partial-key", help="Compare although flags of the engine are not known.")
    ] = False,
    output: PipelineOption = PipelineOutput.TABLE,
    data: DataOption = None,
    file: FileOption = None,
) -> int:
    """Compare the requests of a candidate's runs with those of a baseline, and say whether it may be released.

    Exit code: 0 not worse by more than the margins; 3 worse; 4 nobody can tell: too few requests, or runs that are not
    fit or not alike; 2 no such run.
    """
    from inferometer import data_directory, load_gate, load_kept  # noqa: PLC0415  # loads the statistics

    where = data_directory.resolve(configured(file, typed(data=data)).data)
    baseline, candidate = (load_kept.found(where, names) for names in (against, runs))
    found = load_gate.answer(baseline, candidate, seed, accepts_partial=accept_partial_key)
    return load_gate.show(found, output)
