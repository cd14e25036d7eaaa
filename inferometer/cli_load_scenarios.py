"""Knows the options of the scenarios below `load`; refuses to do their work, which is imported when called.

Source: design.md (outputs, exit codes); spec/loadtest.md 7 (other scenarios).
"""

from typing import Annotated

import typer

from inferometer.cli_load_options import (
    AbortOnBurnOption,
    ApiOption,
    BurnEndpointOption,
    BurnFromOption,
    IdleWaitOption,
    KeyFileOption,
    ModelOption,
    ProcessOption,
    ShapeOption,
    TargetArgument,
    TokensInOption,
    TokensOutOption,
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
from loadtest.plan_spec import Process
from loadtest.run_spec import IDLE_S_MAX, IN_FLIGHT_MAX, Api


def soak(  # noqa: PLR0913  # typer makes one option of each parameter
    target: TargetArgument,
    *,
    rate: Annotated[float, typer.Option(help="Arrivals a second.", min=0.001)] = 1.0,
    seconds: Annotated[float, typer.Option(help="Length of the plan.", min=10.0)] = 14_400.0,
    warm_up: Annotated[float, typer.Option(help="Seconds at the start that do not count.", min=0.0)] = 300.0,
    growth_max: Annotated[
        float, typer.Option(metavar="RATIO", help="Most that anything may grow from start to end.", min=0.001, max=10.0)
    ] = 0.1,
    process: ProcessOption = Process.POISSON,
    shape: ShapeOption = None,
    seed: Annotated[int, typer.Option(help="Of everything random; equal seeds give equal plans.", min=0)] = 7,
    model: ModelOption = None,
    api: ApiOption = Api.CHAT,
    tokens_in: TokensInOption = "512",
    tokens_out: TokensOutOption = "128",
    drain: Annotated[float, typer.Option(help="Longest wait for answers behind the plan, seconds.", min=0.0)] = 60.0,
    workers: WorkersOption = None,
    key_file: KeyFileOption = None,
    idle_wait: IdleWaitOption = IDLE_S_MAX,
    abort_on_burn: AbortOnBurnOption = None,
    burn_from: BurnFromOption = None,
    burn_endpoint: BurnEndpointOption = None,
    output: PipelineOption = PipelineOutput.TABLE,
    data: DataOption = None,
    file: FileOption = None,
) -> int:
    """Load a target for hours, and say whether time per token, TTFT, failures, memory or KV use grow.

    Memory and KV use are those that its page of metrics tells (/metrics); without one they are n/a and not judged.

    Exit code: 0 nothing grows by more than may be; 2 wrong usage; 3 something does, or the target went away; 4 nobody
    can tell: client, engine or GPUs were not fit, too few requests, or more failed than may be; 5 the target does not
    answer at the start; 130 interrupted.
    """
    from inferometer import load_options, load_soak  # noqa: PLC0415  # loads what builds plans

    options = load_options.Options(
        target=target,
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
        idle_wait=idle_wait,
        abort_on_burn=abort_on_burn,
        burn_from=burn_from,
        burn_endpoint=burn_endpoint,
    )
    return load_soak.run(configured(file, typed(data=data)), options, growth_max, output)


def spike(  # noqa: PLR0913  # typer makes one option of each parameter
    target: TargetArgument,
    *,
    rate: Annotated[float, typer.Option(help="Arrivals a second before and behind it.", min=0.001)] = 1.0,
    times: Annotated[float, typer.Option(help="So many times the rate.", min=1.0, max=1000.0)] = 5.0,
    spike_s: Annotated[float, typer.Option("--for", help="Length of the spike, seconds.", min=1.0)] = 30.0,
    before: Annotated[float, typer.Option(help="Seconds before it.", min=1.0)] = 60.0,
    after: Annotated[float, typer.Option(help="Seconds behind it.", min=1.0)] = 180.0,
    seed: Annotated[int, typer.Option(help="Of everything random; equal seeds give equal plans.", min=0)] = 7,
    model: ModelOption = None,
    api: ApiOption = Api.CHAT,
    tokens_in: TokensInOption = "512",
    tokens_out: TokensOutOption = "128",
    drain: Annotated[float, typer.Option(help="Longest wait for answers behind the plan, seconds.", min=0.0)] = 60.0,
    workers: WorkersOption = None,
    key_file: KeyFileOption = None,
    idle_wait: IdleWaitOption = IDLE_S_MAX,
    abort_on_burn: AbortOnBurnOption = None,
    burn_from: BurnFromOption = None,
    burn_endpoint: BurnEndpointOption = None,
    output: OutputOption = Output.TABLE,
    data: DataOption = None,
    file: FileOption = None,
) -> int:
    """Send a spike of load, and say how long behind it until P95 of the TTFT is back within 10 % of before.

    Exit code: 0 it came back; 2 wrong usage; 3 it did not within the run, or the target went away; 4 client, engine or
    GPUs were not fit, or too few requests to tell; 5 the target does not answer at the start; 130 interrupted.
    """
    from inferometer import load_options, load_scenarios  # noqa: PLC0415  # loads what builds plans

    asked = load_scenarios.Spike(before_s=before, for_s=spike_s, after_s=after, times=times)
    options = load_options.Options(
        target=target,
        rate=rate,
        seconds=before + spike_s + after,
        count=None,
        process=Process.POISSON,
        shape=None,
        seed=seed,
        model=model,
        api=api,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        warm_up=0.0,
        cool_down=0.0,
        drain=drain,
        start_delay=3.0,
        workers=workers,
        in_flight_max=IN_FLIGHT_MAX,
        ignore_eos=True,
        key_file=None if key_file is None else str(key_file),
        idle_wait=idle_wait,
        abort_on_burn=abort_on_burn,
        burn_from=burn_from,
        burn_endpoint=burn_endpoint,
    )
    return load_scenarios.spike(configured(file, typed(data=data)), options, asked, output)


def cold(  # noqa: PLR0913  # typer makes one option of each parameter
    target: TargetArgument,
    *,
    idle: Annotated[float, typer.Option(help="Wait before the first request; 0 just behind a start.", min=0.0)] = 0.0,
    count: Annotated[int, typer.Option(help="Requests, one at a time.", min=4, max=1000)] = 20,
    seed: Annotated[int, typer.Option(help="Of everything random; equal seeds give equal plans.", min=0)] = 7,
    model: ModelOption = None,
    api: ApiOption = Api.CHAT,
    tokens_in: TokensInOption = "512",
    tokens_out: TokensOutOption = "16",
    key_file: KeyFileOption = None,
    idle_wait: IdleWaitOption = IDLE_S_MAX,
    abort_on_burn: AbortOnBurnOption = None,
    burn_from: BurnFromOption = None,
    burn_endpoint: BurnEndpointOption = None,
    output: OutputOption = Output.TABLE,
    data: DataOption = None,
    file: FileOption = None,
) -> int:
    """Send the first requests after a start, or after an idle time, one at a time, and say how slow they are.

    Exit code: 0 all were answered; 2 wrong usage; 3 the target went away; 4 client, engine or GPUs were not fit, or
    requests fail; 5 the target does not answer at the start; 130 interrupted.
    """
    from inferometer import load_options, load_scenarios  # noqa: PLC0415  # loads what builds plans

    options = load_options.Options(
        target=target,
        rate=1.0,
        seconds=_COLD_S,
        count=count,
        process=Process.POISSON,
        shape=None,
        seed=seed,
        model=model,
        api=api,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        warm_up=0.0,
        cool_down=0.0,
        drain=60.0,
        start_delay=1.0,
        workers=1,
        in_flight_max=IN_FLIGHT_MAX,
        ignore_eos=True,
        key_file=None if key_file is None else str(key_file),
        idle_wait=idle_wait,
        abort_on_burn=abort_on_burn,
        burn_from=burn_from,
        burn_endpoint=burn_endpoint,
        closed=1,
    )
    return load_scenarios.from_cold(configured(file, typed(data=data)), options, idle, output)


_COLD_S = 3600.0  # it ends by its count; this only bounds it
