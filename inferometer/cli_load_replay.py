"""Knows the options of `load replay`; refuses to do its work, which is imported when it is called.

Source: design.md (outputs, exit codes); spec/loadtest.md 1, 10.
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
    TargetArgument,
    TpotOption,
    TtftOption,
    WorkersOption,
)
from inferometer.cli_options import DataOption, FileOption, PipelineOption, PipelineOutput, configured, typed
from loadtest.plan_spec import SCALE_MAX, Process, TraceFormat
from loadtest.run_spec import IN_FLIGHT_MAX, Api


def replay(  # noqa: PLR0913  # typer makes one option of each parameter
    trace: Annotated[Path, typer.Argument(metavar="TRACE", help="File of recorded traffic, or folder of ServeGen's.")],
    target: TargetArgument,
    *,
    kind: Annotated[TraceFormat, typer.Option("--format", help="How the file is read.", show_default=False)],
    start: Annotated[float, typer.Option(help="Second of the trace to begin at.", min=0.0)] = 0.0,
    seconds: Annotated[float | None, typer.Option(help="Length of the replay; none: all of it.", min=0.1)] = None,
    count: Annotated[int | None, typer.Option(help="Most arrivals.", min=1)] = None,
    scale: Annotated[
        float, typer.Option(help="Above 1 jittered copies are added, below 1 rows are drawn.", min=0.001, max=SCALE_MAX)
    ] = 1.0,
    compress: Annotated[float, typer.Option(help="Time is divided by it.", min=0.001)] = 1.0,
    tokens_max: Annotated[
        int | None, typer.Option(help="Longer rows are left out, in and out together.", min=1)
    ] = None,
    seed: Annotated[int, typer.Option(help="Of everything random; equal seeds give equal plans.", min=0)] = 7,
    model: ModelOption = None,
    api: ApiOption = Api.CHAT,
    slo: PresetOption = None,
    ttft_max: TtftOption = None,
    tpot_max: TpotOption = None,
    goodput: GoodputOption = 0.99,
    warm_up: Annotated[float, typer.Option(help="Seconds at the start that do not count.", min=0.0)] = 0.0,
    drain: Annotated[float, typer.Option(help="Longest wait for answers behind the plan, seconds.", min=0.0)] = 60.0,
    workers: WorkersOption = None,
    engine: EngineOption = None,
    key_file: KeyFileOption = None,
    output: PipelineOption = PipelineOutput.TABLE,
    data: DataOption = None,
    file: FileOption = None,
) -> int:
    """Send recorded traffic again: its times and lengths, with text of our own.

    Exit code: as `load run`; 2 the trace cannot be read.
    """
    from inferometer import load_objectives, load_options, load_replay  # noqa: PLC0415  # loads what builds plans

    options = load_options.Options(
        target=target,
        rate=1.0,
        seconds=seconds,
        count=count,
        process=Process.POISSON,
        shape=None,
        seed=seed,
        model=model,
        api=api,
        tokens_in="512",
        tokens_out="128",
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
        trace=load_replay.trace_spec(trace, kind, start_s=start, scale=scale, compress=compress, tokens_max=tokens_max),
    )
    return load_replay.run(configured(file, typed(data=data)), options, trace, output)
