"""Knows the options of `load ab`; refuses to do its work, which is imported when it is called.

Source: design.md (outputs, exit codes); spec/loadtest.md 1, 14.
"""

from pathlib import Path
from typing import Annotated

import typer

from inferometer.cli_load_options import (
    ApiOption,
    EngineOption,
    GoodputOption,
    KeyFileOption,
    ModelOption,
    PresetOption,
    ProcessOption,
    ShapeOption,
    TokensInOption,
    TokensOutOption,
    TpotOption,
    TtftOption,
    WorkersOption,
)
from inferometer.cli_options import DataOption, FileOption, PipelineOption, PipelineOutput, configured, typed
from inferometer.errors import ConfigurationError
from loadtest.plan_spec import Process
from loadtest.run_spec import IN_FLIGHT_MAX, Api


def ab(  # noqa: PLR0913  # typer makes one option of each parameter
    a: Annotated[str, typer.Argument(metavar="URL_A", help="What it is compared with.", show_default=False)],
    b: Annotated[str | None, typer.Argument(metavar="[URL_B]", help="The candidate.", show_default=False)] = None,
    *,
    with_itself: Annotated[
        bool, typer.Option("--self", help="URL_A against itself: how often would a difference be found?")
    ] = False,
    rate: Annotated[float, typer.Option(help="Arrivals a second, both targets together.", min=0.001)] = 1.0,
    seconds: Annotated[float, typer.Option(help="Length of the plan.", min=1.0)] = 660.0,
    warm_up: Annotated[float, typer.Option(help="Seconds at the start that do not count.", min=0.0)] = 60.0,
    process: ProcessOption = Process.POISSON,
    shape: ShapeOption = None,
    seed: Annotated[int, typer.Option(help="Of everything random; equal seeds give equal plans.", min=0)] = 7,
    model: ModelOption = None,
    api: ApiOption = Api.CHAT,
    tokens_in: TokensInOption = "512",
    tokens_out: TokensOutOption = "128",
    drain: Annotated[float, typer.Option(help="Longest wait for answers behind the plan, seconds.", min=0.0)] = 60.0,
    workers: WorkersOption = None,
    slo: PresetOption = None,
    ttft_max: TtftOption = None,
    tpot_max: TpotOption = None,
    goodput: GoodputOption = 0.99,
    engine: EngineOption = None,
    key_file: KeyFileOption = None,
    runs: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the directory of the run is made; none: DATA/runs.")
    ] = None,
    output: PipelineOption = PipelineOutput.TABLE,
    data: DataOption = None,
    file: FileOption = None,
) -> int:
    """Send pairs of equal requests, one to each of two targets, and say whether the second is worse.

    Drift and time of day cancel. The targets need GPUs of their own. `--self` keeps a false-alarm rate by which later
    verdicts on this kind of run are withheld if it is above 7 %.

    Exit code: 0 not worse by more than the margins, or few false alarms; 2 wrong usage; 3 worse; 4 nobody can tell: too
    few requests, a client that was not fit, or too many false alarms; 5 a target does not answer at the start; 130
    interrupted.
    """
    from inferometer import load_ab, load_objectives, load_options  # noqa: PLC0415  # loads what builds plans

    if with_itself == (b is not None):
        raise ConfigurationError("load ab: allowed: URL_A URL_B, or --self URL_A")
    options = load_options.Options(
        target=a,
        other_target=a if b is None else b,
        rate=rate,
        seconds=seconds,
        count=None,
        process=process,
        shape=shape,
        seed=seed,
        model=model,
        api=api,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        warm_up=warm_up,
        cool_down=0.0,
        drain=drain,
        start_delay=3.0,
        workers=workers,
        in_flight_max=IN_FLIGHT_MAX,
        ignore_eos=True,
        key_file=None if key_file is None else str(key_file),
        objectives=load_objectives.objectives(slo, ttft_max, tpot_max),
        goodput_ratio=goodput,
        engine_file=None if engine is None else str(engine),
    )
    return load_ab.run(configured(file, typed(data=data)), options, output, runs)
