"""Knows the verbs below `load` on runs that were kept; refuses to do their work, which is imported when called.

Source: design.md (outputs, exit codes); spec/loadtest.md 1, 12, 13.
"""

from typing import Annotated

import typer

from inferometer.cli_options import (
    DataOption,
    FileOption,
    Output,
    OutputOption,
    PipelineOption,
    PipelineOutput,
    StoreUrlOption,
    configured,
    typed,
)

baseline_app = typer.Typer(
    help="Keep, list and promote what load tests are compared with.", no_args_is_help=True, rich_markup_mode=None
)
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the baseline.", show_default=False)]
RunsArgument = Annotated[
    list[str], typer.Argument(metavar="RUN...", help="Run ids, or directories of runs.", show_default=False)
]


def gate(  # noqa: PLR0913  # typer makes one option of each parameter
    runs: RunsArgument,
    *,
    against: Annotated[
        list[str], typer.Option(metavar="BASELINE|RUN", help="A baseline; or its runs: repeat it.", show_default=False)
    ],
    seed: Annotated[int, typer.Option(help="Of the resamples.", min=0)] = 7,
    accept_partial_key: Annotated[
        bool, typer.Option("--accept-partial-key", help="Compare although flags of the engine are not known.")
    ] = False,
    output: PipelineOption = PipelineOutput.TABLE,
    data: DataOption = None,
    store_url: StoreUrlOption = None,
    file: FileOption = None,
) -> int:
    """Compare the requests of a candidate's runs with those of a baseline, and say whether it may be released.

    Exit code: 0 not worse by more than the margins; 3 worse; 4 nobody can tell: too few requests, or runs that are not
    fit or not alike; 2 no such run.
    """
    from inferometer import data_directory, load_baseline, load_gate, load_kept  # noqa: PLC0415  # loads the statistics

    config = configured(file, typed(data=data, store_url=store_url))
    where = data_directory.resolve(config.data)
    candidate = load_kept.found(where, runs)
    if len(against) == 1 and load_kept.place(where, against[0]) is None:
        baseline, known = load_baseline.runs_of(config, against[0])
    else:
        baseline, known = load_kept.found(where, against), []
    found = load_gate.answer(baseline, candidate, seed, accepts_partial=accept_partial_key, known=known)
    return load_gate.show(found, output)


@baseline_app.command()
def save(
    name: NameArgument,
    runs: RunsArgument,
    *,
    data: DataOption = None,
    store_url: StoreUrlOption = None,
    file: FileOption = None,
) -> int:
    """Save three or more fit runs of one key as a baseline; a gate gives verdicts against it once it is promoted.

    Exit code: 0; 4 these runs make no baseline; 2 the name is taken; 5 no store.
    """
    from inferometer import load_baseline  # noqa: PLC0415  # loads the statistics

    return load_baseline.save(configured(file, typed(data=data, store_url=store_url)), name, runs)


@baseline_app.command()
def promote(
    name: NameArgument,
    *,
    reason: Annotated[str, typer.Option(help="Why; is kept with your name.", show_default=False)],
    data: DataOption = None,
    store_url: StoreUrlOption = None,
    file: FileOption = None,
) -> int:
    """Let gates give verdicts against a baseline."""
    from inferometer import load_baseline  # noqa: PLC0415  # loads the statistics

    return load_baseline.promote(configured(file, typed(data=data, store_url=store_url)), name, reason)


@baseline_app.command("list")
def list_baselines(
    *,
    output: OutputOption = Output.TABLE,
    data: DataOption = None,
    store_url: StoreUrlOption = None,
    file: FileOption = None,
) -> int:
    """List all baselines."""
    from inferometer import load_baseline  # noqa: PLC0415  # loads the statistics

    return load_baseline.show_all(configured(file, typed(data=data, store_url=store_url)), output)


@baseline_app.command()
def show(
    name: NameArgument,
    *,
    output: OutputOption = Output.TABLE,
    data: DataOption = None,
    store_url: StoreUrlOption = None,
    file: FileOption = None,
) -> int:
    """Show a baseline with its key and its runs."""
    from inferometer import load_baseline  # noqa: PLC0415  # loads the statistics

    return load_baseline.show_one(configured(file, typed(data=data, store_url=store_url)), name, output)


def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="Run id, or directory of a run.", show_default=False)],
    b: Annotated[str, typer.Argument(metavar="B", help="The other run.", show_default=False)],
    *,
    output: OutputOption = Output.TABLE,
    data: DataOption = None,
    file: FileOption = None,
) -> int:
    """Show two runs side by side, whatever they differ in; that is no verdict."""
    from inferometer import data_directory, load_compare, load_kept  # noqa: PLC0415  # loads the statistics

    one, other = load_kept.found(data_directory.resolve(configured(file, typed(data=data)).data), [a, b])
    return load_compare.show(one, other, output)
