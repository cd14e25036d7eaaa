"""Knows the options of `hints backtest`; refuses to do its work, which is imported when it is called.

Source: spec/scaling.md 7; design.md (outputs, exit codes).
"""

from pathlib import Path
from typing import Annotated

import typer

from inferometer.cli_options import DataOption, FileOption, Output, OutputOption, StoreUrlOption, configured, typed
from loadtest.plan_spec import SCALE_MAX, TraceFormat

POLICIES = "ours,static-peak,oracle,hpa-running,hpa-waiting,keda-waiting,kpa,aibrix-apa,ray-serve,llmd-slo,dynamo-sla"


def backtest(  # noqa: PLR0913  # typer makes one option of each parameter
    *,
    policy: Annotated[
        str, typer.Option(metavar="A,B,..", help="Policies; one may carry its threshold: hpa-running=24.")
    ] = POLICIES,
    trace: Annotated[Path | None, typer.Option(metavar="FILE", help="Recorded traffic of others.")] = None,
    kind: Annotated[
        TraceFormat | None, typer.Option("--format", help="How the trace is read; none: as it looks.")
    ] = None,
    recorded: Annotated[str | None, typer.Option(metavar="ENDPOINT", help="Replay its stored requests.")] = None,
    since: Annotated[str, typer.Option("--from", metavar="SPAN|TIME", help="Start of those.")] = "1d",
    until: Annotated[str, typer.Option("--to", metavar="SPAN|TIME", help="End of those.")] = "now",
    start: Annotated[float, typer.Option(help="Second of the trace to begin at.", min=0.0)] = 0.0,
    seconds: Annotated[float | None, typer.Option("--for", help="Seconds of the trace; none: all.", min=1.0)] = None,
    scale: Annotated[
        float, typer.Option(help="Above 1 shifted copies are added, below 1 rows are drawn.", min=1e-6, max=SCALE_MAX)
    ] = 1.0,
    cold_start: Annotated[float, typer.Option(help="Median of a replica's start, seconds.", min=0.0)] = 300.0,
    seeds: Annotated[int, typer.Option(help="Runs of each policy.", min=1, max=1_000)] = 10,
    ttft_max: Annotated[float, typer.Option(help="Objective for the first token, seconds.", min=0.001)] = 2.0,
    tpot_max: Annotated[float, typer.Option(help="Objective for each later one, seconds.", min=0.001)] = 0.1,
    goodput: Annotated[float, typer.Option(help="Share of requests within both.", min=0.01, max=0.99999)] = 0.99,
    profile: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Scaling profile of a load test; none: llama2-70b on 4 H100.")
    ] = None,
    gpus: Annotated[int, typer.Option(help="GPUs of each replica.", min=1)] = 4,
    usd_per_gpu_hour: Annotated[float | None, typer.Option(help="Price, for USD per token.", min=0.0)] = None,
    loss: Annotated[float, typer.Option(help="Share of scrapes that get lost.", min=0.0, max=1.0)] = 0.0,
    slow: Annotated[float, typer.Option(help="Factor on the steps of one replica.", min=1.0)] = 1.0,
    life: Annotated[float | None, typer.Option(help="Mean seconds until a replica fails.", min=1.0)] = None,
    jobs: Annotated[int, typer.Option(help="Processes.", min=1, max=256)] = 1,
    output: OutputOption = Output.TABLE,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page with the plot.")] = None,
    data: DataOption = None,
    store_url: StoreUrlOption = None,
    file: FileOption = None,
) -> int:
    """Replay scaling policies on traffic with simulated engines: attainment against GPU-hours, and who wins.

    Exit code: 0 a policy keeps the objective; 4 none does; 5 the store does not answer.
    """
    from inferometer import hints_backtest  # noqa: PLC0415  # what simulates
    from loadtest.scaling_profile import Limits  # noqa: PLC0415  # beside it

    asked = hints_backtest.Asked(
        policy=policy,
        trace=trace,
        kind=kind,
        recorded=recorded,
        since=since,
        until=until,
        start_s=start,
        seconds=seconds,
        scale=scale,
        cold_s=cold_start,
        seeds=seeds,
        limits=Limits(ttft_s=ttft_max, tpot_s=tpot_max, target=goodput),
        gpus=gpus,
        usd_per_gpu_hour=usd_per_gpu_hour,
        profile=profile,
        loss_ratio=loss,
        slow=slow,
        life_s=life,
        jobs=jobs,
        output=output.value,
        html=html,
    )
    return hints_backtest.run(configured(file, typed(data=data, store_url=store_url)), asked)
