"""Knows the options of `load sweep`; refuses to do its work, which is imported when it is called.

Source: design.md (outputs, exit codes); spec/loadtest.md 1, 7.
"""

from pathlib import Path
from typing import Annotated

import typer

from inferometer.cli_options import DataOption, FileOption, Output, OutputOption, StoreUrlOption, configured, typed
from loadtest.plan_spec import Process
from loadtest.run_spec import IN_FLIGHT_MAX, WORKERS_MAX, Api
from loadtest.search import STEPS_MAX


def sweep(  # noqa: PLR0913  # typer makes one option of each parameter
    target: Annotated[str, typer.Argument(metavar="URL", help="Endpoint, http://HOST:PORT or https://HOST:PORT.")],
    *,
    around: Annotated[
        float, typer.Option(help="Rate at which it is thought to be saturated, an estimate.", min=0.01)
    ] = 10.0,
    seconds: Annotated[
        float, typer.Option(help="Length of a step; it may become three times as long.", min=1.0)
    ] = 120.0,
    steps_max: Annotated[int, typer.Option(help="Most rates to try.", min=1, max=STEPS_MAX)] = STEPS_MAX,
    climb: Annotated[bool, typer.Option("--climb", help="From low rates upwards: the whole curve, slower.")] = False,
    slo: Annotated[str | None, typer.Option(metavar="PRESET", help="Objectives of MLPerf, as llama3.1-8b.")] = None,
    ttft_max: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Limit of each time to first token.")
    ] = None,
    tpot_max: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Limit of each time per output token.")
    ] = None,
    goodput: Annotated[
        float, typer.Option(metavar="RATIO", help="Share of requests that must keep them.", min=0.01, max=0.9999)
    ] = 0.99,
    process: Annotated[Process, typer.Option(help="Law of the gaps between arrivals.")] = Process.POISSON,
    shape: Annotated[float | None, typer.Option(help="Shape of gamma or weibull gaps.", min=0.01)] = None,
    seed: Annotated[int, typer.Option(help="Of everything random; each run of the search adds one.", min=0)] = 7,
    model: Annotated[str | None, typer.Option(help="Model to ask for; none: the first that the target lists.")] = None,
    api: Annotated[Api, typer.Option(help="API to ask.")] = Api.CHAT,
    tokens_in: Annotated[str, typer.Option(metavar="N|MEDIAN~SIGMA", help="Length of prompts.")] = "512",
    tokens_out: Annotated[str, typer.Option(metavar="N|MEDIAN~SIGMA", help="Length of answers.")] = "128",
    warm_up: Annotated[float, typer.Option(help="Seconds at the start of a step that do not count.", min=0.0)] = 10.0,
    drain: Annotated[float, typer.Option(help="Longest wait for answers behind a step, seconds.", min=0.0)] = 60.0,
    workers: Annotated[
        int | None, typer.Option(help="Load processes; none: as the plan needs.", min=1, max=WORKERS_MAX)
    ] = None,
    engine: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What the engine is: part of the key of a baseline (YAML).")
    ] = None,
    key_file: Annotated[Path | None, typer.Option("--key-file", metavar="FILE", help="File with the API key.")] = None,
    output: OutputOption = Output.TABLE,
    data: DataOption = None,
    store_url: StoreUrlOption = None,
    file: FileOption = None,
) -> int:
    """Search the highest rate at which enough requests keep their objectives, and write the scaling profile.

    Exit code: 0 found; 2 wrong usage; 3 not even the lowest rate is proven good, or the target went away; 4 a client
    was not fit; 5 the target does not answer at the start; 130 interrupted.
    """
    from inferometer import load_objectives, load_options, load_sweep  # noqa: PLC0415  # loads what builds plans

    options = load_options.Options(
        target=target,
        rate=around,
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
    return load_sweep.run(config, options, around, steps_max, output, climbs=climb)
