"""Knows the options of `load sweep`; refuses to do its work, which is imported when it is called.

Source: design.md (outputs, exit codes); spec/loadtest.md 1, 7.
"""

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
    TargetArgument,
    TokensInOption,
    TokensOutOption,
    TpotOption,
    TtftOption,
    WorkersOption,
)
from inferometer.cli_options import DataOption, FileOption, Output, OutputOption, StoreUrlOption, configured, typed
from loadtest.plan_spec import Process
from loadtest.run_spec import IN_FLIGHT_MAX, Api
from loadtest.search import STEPS_MAX


def sweep(  # noqa: PLR0913  # typer makes one option of each parameter
    target: TargetArgument,
    *,
    around: Annotated[
        float | None,
        typer.Option(help="Rate at which it is thought to be saturated; none: closed loops show it first.", min=0.01),
    ] = None,
    seconds: Annotated[
        float, typer.Option(help="Length of a step: shorter once it is certain, up to three times as long.", min=1.0)
    ] = 120.0,
    steps_max: Annotated[int, typer.Option(help="Most rates to try.", min=1, max=STEPS_MAX)] = STEPS_MAX,
    climb: Annotated[bool, typer.Option("--climb", help="From low rates upwards: the whole curve, slower.")] = False,
    closed: Annotated[
        bool, typer.Option("--closed", help="1, 2, 4 and more users in place of rates: what the target gives at most.")
    ] = False,
    slo: PresetOption = None,
    ttft_max: TtftOption = None,
    tpot_max: TpotOption = None,
    goodput: GoodputOption = 0.99,
    process: ProcessOption = Process.POISSON,
    shape: ShapeOption = None,
    seed: Annotated[int, typer.Option(help="Of everything random; each run of the search adds one.", min=0)] = 7,
    model: ModelOption = None,
    api: ApiOption = Api.CHAT,
    tokens_in: TokensInOption = "512",
    tokens_out: TokensOutOption = "128",
    warm_up: Annotated[float, typer.Option(help="Seconds at the start of a step that do not count.", min=0.0)] = 10.0,
    drain: Annotated[float, typer.Option(help="Longest wait for answers behind a step, seconds.", min=0.0)] = 60.0,
    workers: WorkersOption = None,
    engine: EngineOption = None,
    key_file: KeyFileOption = None,
    output: OutputOption = Output.TABLE,
    data: DataOption = None,
    store_url: StoreUrlOption = None,
    file: FileOption = None,
) -> int:
    """Search the highest rate at which enough requests keep their objectives, and write the scaling profile.

    With --closed no rate is searched and none is found: users who wait for their answers slow down with the target.

    Exit code: 0 found; 2 wrong usage; 3 not even the lowest rate is proven good, or the target went away; 4 a client
    was not fit; 5 the target does not answer at the start; 130 interrupted.
    """
    from inferometer import load_objectives, load_options, load_sweep  # noqa: PLC0415  # loads what builds plans

    options = load_options.Options(
        target=target,
        rate=around or 1.0,
        seconds=warm_up + seconds,
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
        start_delay=1.0,
        workers=workers,
        in_flight_max=IN_FLIGHT_MAX,
        ignore_eos=True,
        key_file=None if key_file is None else str(key_file),
        objectives=load_objectives.objectives(slo, ttft_max, tpot_max),
        goodput_ratio=goodput,
        engine_file=None if engine is None else str(engine),
    )
    config = configured(file, typed(data=data, store_url=store_url))
    if closed:
        return load_sweep.run_closed(config, options, output)
    return load_sweep.run(config, options, around, steps_max, output, climbs=climb)
