"""Knows the options that the verbs which send load share, so that each reads alike; refuses to know the verbs.

Source: spec/loadtest.md 1, 2, 16; design.md (options).
"""

from pathlib import Path
from typing import Annotated

import typer

from loadtest.plan_spec import Process
from loadtest.run_spec import WORKERS_MAX, Api

TargetArgument = Annotated[str, typer.Argument(metavar="URL", help="Endpoint, http://HOST:PORT or https://HOST:PORT.")]
ProcessOption = Annotated[Process, typer.Option(help="Law of the gaps between arrivals.")]
ShapeOption = Annotated[float | None, typer.Option(help="Shape of gamma or weibull gaps.", min=0.01)]
ModelOption = Annotated[str | None, typer.Option(help="Model to ask for; none: the first that the target lists.")]
ApiOption = Annotated[Api, typer.Option(help="API to ask.")]
TokensInOption = Annotated[str, typer.Option(metavar="N|MEDIAN~SIGMA", help="Length of prompts.")]
TokensOutOption = Annotated[str, typer.Option(metavar="N|MEDIAN~SIGMA", help="Length of answers.")]
WorkersOption = Annotated[
    int | None, typer.Option(help="Load processes; none: as the plan needs.", min=1, max=WORKERS_MAX)
]
KeyFileOption = Annotated[Path | None, typer.Option("--key-file", metavar="FILE", help="File with the API key.")]
PresetOption = Annotated[str | None, typer.Option(metavar="PRESET", help="Objectives of MLPerf, as llama3.1-8b.")]
TtftOption = Annotated[float | None, typer.Option(metavar="SECONDS", help="Limit of each time to first token.")]
TpotOption = Annotated[float | None, typer.Option(metavar="SECONDS", help="Limit of each time per output token.")]
GoodputOption = Annotated[
    float, typer.Option(metavar="RATIO", help="Share of requests that must keep them.", min=0.01, max=0.9999)
]
EngineOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="What the engine is: part of the key of a baseline (YAML).")
]
IdleWaitOption = Annotated[
    float, typer.Option("--idle-wait", metavar="SECONDS", help="Longest wait for the engine to be idle.", min=0.0)
]
AbortOnBurnOption = Annotated[
    bool | None,
    typer.Option(
        "--abort-on-burn/--no-abort-on-burn",
        help="End the run when a live objective burns fast; none: load.abort_on_burn.",
        show_default=False,
    ),
]
BurnFromOption = Annotated[
    str | None,
    typer.Option("--burn-from", metavar="URL", help="Who evaluates the objectives; none: what runs on --data."),
]
BurnEndpointOption = Annotated[
    str | None,
    typer.Option(
        "--burn-endpoint",
        metavar="NAME",
        help="Endpoint whose objectives count; none: the target's name if inferometer watches it, else all.",
    ),
]
