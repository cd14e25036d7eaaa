"""Knows the verbs below `load` and their options; refuses to do their work, which is imported when one is called.

Source: design.md (verbs, outputs, exit codes); spec/loadtest.md 1.
"""

from pathlib import Path
from typing import Annotated

import typer

from inferometer import cli_load_ab, cli_load_kept, cli_load_replay, cli_load_report, cli_load_scenarios, cli_load_sweep
from inferometer.cli_load_options import (
    AbortOnBurnOption,
    ApiOption,
    BurnEndpointOption,
    BurnFromOption,
    EngineOption,
    GoodputOption,
    IdleWaitOption,
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
from inferometer.cli_options import (
    DataOption,
    FileOption,
    Output,
    OutputOption,
    PipelineOption,
    PipelineOutput,
    configured,
    typed,
)
from loadtest.plan_spec import SLOTS_MAX, Process
from loadtest.run_spec import IDLE_S_MAX, IN_FLIGHT_MAX, Api

app = typer.Typer(
    help="Load an endpoint by a plan, and prove that the client was not the bottleneck.", rich_markup_mode=None
)
app.command()(cli_load_kept.gate)
app.command()(cli_load_ab.ab)
app.command()(cli_load_scenarios.soak)
app.command()(cli_load_scenarios.spike)
app.command()(cli_load_scenarios.cold)
app.command()(cli_load_kept.compare)
app.command()(cli_load_sweep.sweep)
app.command()(cli_load_replay.replay)
app.command()(cli_load_report.report)
app.add_typer(cli_load_kept.baseline_app, name="baseline")


@app.command()
def run(  # noqa: PLR0913  # typer makes one option of each parameter
    target: TargetArgument,
    *,
    rate: Annotated[float, typer.Option(help="Arrivals a second.", min=0.001)] = 1.0,
    seconds: Annotated[float | None, typer.Option(help="Length of the plan [60].", min=0.1)] = None,
    count: Annotated[int | None, typer.Option(help="Number of arrivals, in place of --seconds.", min=1)] = None,
    closed: Annotated[
        int | None,
        typer.Option(
            metavar="USERS",
            help="Closed loop in place of --rate: each user asks again once answered; not comparable with a rate.",
            min=1,
            max=SLOTS_MAX,
        ),
    ] = None,
    process: ProcessOption = Process.POISSON,
    shape: ShapeOption = None,
    seed: Annotated[int, typer.Option(help="Of everything random; equal seeds give equal plans.", min=0)] = 7,
    model: ModelOption = None,
    api: ApiOption = Api.CHAT,
    tokens_in: TokensInOption = "512",
    tokens_out: TokensOutOption = "128",
    warm_up: Annotated[float, typer.Option(help="Seconds at the start that do not count.", min=0.0)] = 0.0,
    until_warm: Annotated[
        bool,
        typer.Option(
            "--until-warm", help="Count --seconds from where it is warm: two even blocks of 15 s, 60 to 600 s."
        ),
    ] = False,
    cool_down: Annotated[float, typer.Option(help="Seconds at the end that do not count.", min=0.0)] = 0.0,
    drain: Annotated[float, typer.Option(help="Longest wait for answers behind the plan, seconds.", min=0.0)] = 60.0,
    start_delay: Annotated[float, typer.Option(help="From the go to the start of the plan, seconds.", min=0.0)] = 3.0,
    workers: WorkersOption = None,
    in_flight_max: Annotated[
        int, typer.Option("--in-flight-max", help="Requests in flight of each worker; more are shed.", min=1)
    ] = IN_FLIGHT_MAX,
    ignore_eos: Annotated[bool, typer.Option(help="Ask for answers of exactly the planned length.")] = True,
    key_file: KeyFileOption = None,
    slo: PresetOption = None,
    ttft_max: TtftOption = None,
    tpot_max: TpotOption = None,
    goodput: GoodputOption = 0.99,
    engine: EngineOption = None,
    idle_wait: IdleWaitOption = IDLE_S_MAX,
    abort_on_burn: AbortOnBurnOption = None,
    burn_from: BurnFromOption = None,
    burn_endpoint: BurnEndpointOption = None,
    name: Annotated[str, typer.Option(help="What you call this run, for people.", show_default=False)] = "",
    git_sha: Annotated[
        str, typer.Option(metavar="SHA", help="Commit of what is tested.", envvar="GITHUB_SHA", show_default=False)
    ] = "",
    runs: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where the directory of the run is made; none: DATA/runs.")
    ] = None,
    output: PipelineOption = PipelineOutput.TABLE,
    data: DataOption = None,
    file: FileOption = None,
) -> int:
    """Send a plan of arrivals, whatever the answers do, and report latency from the planned time.

    Exit code: 0 sent as planned; 1 rows were lost; 2 wrong usage; 3 the target went away or objectives were not kept;
    4 client, engine or GPUs were not fit, so the run says nothing of the server, or too few requests to tell; 5 the
    target does not answer at the start, or nobody evaluates live objectives; 130 interrupted (drained, reported).
    """
    from inferometer import load_objectives, load_options, load_run  # noqa: PLC0415  # loads what builds plans

    options = load_options.Options(
        target=target,
        rate=rate,
        seconds=_length(seconds, count, closed),
        count=count,
        process=process,
        shape=shape,
        seed=seed,
        model=model,
        api=api,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        warm_up=warm_up,
        cool_down=cool_down,
        drain=drain,
        start_delay=start_delay,
        workers=workers,
        in_flight_max=in_flight_max,
        ignore_eos=ignore_eos,
        key_file=None if key_file is None else str(key_file),
        objectives=load_objectives.objectives(slo, ttft_max, tpot_max),
        goodput_ratio=goodput,
        engine_file=None if engine is None else str(engine),
        idle_wait=idle_wait,
        abort_on_burn=abort_on_burn,
        burn_from=burn_from,
        burn_endpoint=burn_endpoint,
        until_warm=until_warm,
        name=name,
        git_sha=git_sha,
        closed=closed,
    )
    return load_run.run(configured(file, typed(data=data)), options, output, runs)


_SECONDS, _CLOSED_COUNT_S = 60.0, 3600.0  # where nothing is said; a closed loop by count has to end some time


def _length(seconds: float | None, count: int | None, closed: int | None) -> float | None:
    if seconds is not None or (count is not None and closed is None):
        return seconds
    return _SECONDS if count is None else _CLOSED_COUNT_S


@app.command()
def calibrate(
    *,
    seconds: Annotated[float, typer.Option(help="Length of each step.", min=6.0)] = 8.0,
    output: OutputOption = Output.TABLE,
    data: DataOption = None,
    file: FileOption = None,
) -> int:
    """Find how many chunks a second one load worker of this machine can take, and keep it for a week.

    Exit code: 0; 4 not even the first step was fit; 130 interrupted.
    """
    from inferometer import load_calibrate  # noqa: PLC0415  # loads what builds plans

    return load_calibrate.run(configured(file, typed(data=data)), output, seconds)


@app.command()
def nullserver(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="How it answers, as ttft_s=0.1 itl_s=0.02.")
    ] = None,
    *,
    port: Annotated[int, typer.Option(help="On 127.0.0.1; 0 takes any free one.", min=0, max=65535)] = 0,
) -> int:
    """Answer like an engine, at a set pace and without one; every event carries the time at which it was sent.

    Writes its address to stdout and ends on SIGTERM or Ctrl-C. A wrong word names all keys.
    """
    from inferometer.load_null import serve  # noqa: PLC0415  # loads the server

    return serve(words or [], port)
