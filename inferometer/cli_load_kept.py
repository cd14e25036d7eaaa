"""Knows the verbs below `load` on runs that were kept; refuses to do their work, which is imported when called.

Source: design.md (outputs, exit codes); spec/loadtest.md 1, 12, 13.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from inferometer.cli_load_report import CompareOption, CompareOutput
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
from inferometer.errors import ConfigurationError

if TYPE_CHECKING:
    from inferometer.config_schema import Config
    from inferometer.load_kept import Kept
    from loadtest.cases import Case

baseline_app = typer.Typer(
    help="Keep, list and promote what load tests are compared with.", no_args_is_help=True, rich_markup_mode=None
)
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Name of the baseline.", show_default=False)]
RunsArgument = Annotated[
    list[str], typer.Argument(metavar="RUN...", help="Run ids, or directories of runs.", show_default=False)
]


def gate(  # noqa: PLR0913  # typer makes one option of each parameter
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="RUN...", help="Run ids, or directories.", show_default=False)
    ] = None,
    *,
    against: Annotated[
        list[str] | None,
        typer.Option(
            metavar="BASELINE|RUN",
            help="A baseline, or its runs: repeat it; none: the newest promoted one of this key.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        list[str] | None,
        typer.Option(
            metavar="METRIC=SECONDS", help="Must be proven too, as ttft_p99=0.5; repeat it.", show_default=False
        ),
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Judge nothing: say how many requests each metric needs, and how long.")
    ] = False,
    rate: Annotated[
        float | None, typer.Option(help="--plan: arrivals a second; none: the baseline's.", min=0.001)
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option(help="--plan: as ttft_p95; repeat it.", show_default=False)
    ] = None,
    change: Annotated[
        float, typer.Option(metavar="RATIO", help="--plan: worsening that is to be caught.", max=10.0)
    ] = 0.1,
    power: Annotated[
        float, typer.Option(metavar="RATIO", help="--plan: how likely a verdict is to be.", min=0.51, max=0.999)
    ] = 0.8,
    sigma: Annotated[
        float, typer.Option(help="--plan: spread of ln(latency) where there is no baseline.", min=0.01, max=5.0)
    ] = 0.5,
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
    from inferometer import (  # noqa: PLC0415  # loads the statistics
        data_directory,
        load_alarms,
        load_baseline,
        load_gate,
        load_gate_plan,
        load_html,
        load_kept,
    )

    config = configured(file, typed(data=data, store_url=store_url))
    if plan:
        asked = load_gate_plan.Asked(rate=rate, metrics=tuple(metric or ()), change=change, power=power, sigma=sigma)
        return load_gate_plan.show(asked, _baseline(config, against or ())[0], seed, output)
    if not runs:
        raise ConfigurationError("load gate: allowed: RUN... [--against BASELINE], or --plan")
    where = data_directory.resolve(config.data)
    candidate = load_kept.found(where, runs)
    baseline, known = _baseline(config, against or [load_baseline.newest(config, candidate[0])])
    known = [*known, *load_alarms.objections(where.root, baseline[0].key)]
    proven = load_gate.limits(limit or ())
    found = load_gate.answer(baseline, candidate, seed, accepts_partial=accept_partial_key, known=known, limits=proven)
    code = load_gate.show(found, output)
    typer.echo(load_html.write_gate(baseline, candidate, load_gate.document(found)), err=True)
    return code


def _baseline(config: "Config", names: Sequence[str]) -> "tuple[list[Kept], list[Case]]":
    """Return the runs that a gate compares with, which a baseline names or their own names, and what speaks against."""
    from inferometer import data_directory, load_baseline, load_kept  # noqa: PLC0415  # loads the statistics

    where = data_directory.resolve(config.data)
    if len(names) == 1 and load_kept.place(where, names[0]) is None:
        return load_baseline.runs_of(config, names[0])
    return load_kept.found(where, names), []


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

    Exit code: 0; 4 these runs make no baseline; 2 the name is taken.
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
    """List all baselines, of the data directory and of the store where one answers; stderr says which."""
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
    output: CompareOption = CompareOutput.TABLE,
    data: DataOption = None,
    file: FileOption = None,
) -> int:
    """Show two runs side by side, whatever they differ in; that is no verdict."""
    from inferometer import data_directory, load_compare, load_kept  # noqa: PLC0415  # loads the statistics

    one, other = load_kept.found(data_directory.resolve(configured(file, typed(data=data)).data), [a, b])
    return load_compare.show(one, other, output)
