"""Knows the verbs below `probe` and their options; refuses to do their work, which is imported when one is called.

Source: design.md (verbs, outputs, exit codes).
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from inferometer.cli_options import Output, OutputOption

app = typer.Typer(
    help="Ask an engine, a GPU or a service once or again and again, without the tee.", rich_markup_mode=None
)


@app.command()
def exposure(
    url: Annotated[str, typer.Argument(metavar="URL", help="Engine, http://HOST:PORT, as its clients reach it.")],
    *,
    engine: Annotated[
        str | None, typer.Option("--engine", metavar="NAME", help="Which engine it is; without it, one looks.")
    ] = None,
    per_s: Annotated[float, typer.Option("--per-s", min=0.01, max=1000.0, help="Questions a second.")] = 1.0,
    output: OutputOption = Output.TABLE,
) -> int:
    """Look who may do what to an engine without a key; never does it.

    Sends no key and no body: GET to what is known to be read-only, OPTIONS to everything else, never POST, HEAD or
    another method. Exit code: 0 nothing is open that changes the engine; 3 something is; 5 it does not answer.
    """
    from inferometer import probe_exposure  # noqa: PLC0415  # loads what asks an engine

    return probe_exposure.run(url, engine, output, per_s)


@app.command()
def engine(
    url: Annotated[str, typer.Argument(metavar="URL", help="Engine, http://HOST:PORT or https://HOST:PORT.")],
    *,
    engine: Annotated[
        str | None, typer.Option("--engine", metavar="NAME", help="Which engine it is; without it, one looks.")
    ] = None,
    watch: Annotated[
        float | None, typer.Option("--watch", metavar="S", min=0.5, help="Look again after so many seconds.")
    ] = None,
    key_file: Annotated[Path | None, typer.Option("--key-file", metavar="FILE", help="File with its API key.")] = None,
    output: OutputOption = Output.TABLE,
) -> int:
    """Print what an engine says of itself on its page of metrics, by our names, and what it does not show."""
    from inferometer import probe_engine  # noqa: PLC0415  # loads what asks an engine

    return probe_engine.run(url, engine, output, watch, key_file)


@app.command()
def gpu(
    *,
    seconds: Annotated[
        float, typer.Option("--seconds", min=0.0, help="For how long, from the first sample on.")
    ] = 60.0,
    interval: Annotated[float, typer.Option("--interval", min=0.1, help="Seconds between samples of one GPU.")] = 1.0,
    once: Annotated[bool, typer.Option("--once", help="One sample of each GPU.")] = False,
) -> int:
    """Print a line of JSON for each sample of each GPU here; what cannot be read is null, with its reason.

    Exit code: 0; 5 no GPU could be read.
    """
    from inferometer import probe_gpu  # noqa: PLC0415  # loads the sampler

    return probe_gpu.run(seconds, interval, is_once=once)


ProbesArgument = Annotated[Path, typer.Argument(metavar="FILE", help="Synthetic probes, a YAML list.")]


@app.command()
def once(file: ProbesArgument, *, output: OutputOption = Output.TABLE) -> int:
    """Run every synthetic probe of a file once and print what each found.

    Exit code: 0 all is as it should be; 2 the file is wrong; 3 something is not as it should be; 5 nothing could be
    reached.
    """
    from inferometer import probe_verbs  # noqa: PLC0415  # loads what asks

    return probe_verbs.once(file, output)


@app.command()
def run(file: ProbesArgument) -> int:
    """Run the synthetic probes of a file again and again and print each result as a line of JSON; SIGTERM ends it.

    Nothing is stored: `inferometer up` with `probe.file` runs them beside the tee and stores their rows.
    """
    from inferometer import probe_verbs  # noqa: PLC0415  # loads what asks

    return probe_verbs.run(file)


@app.command()
def template() -> int:
    """Print a file of synthetic probes to start from: a pipeline from text to video."""
    from inferometer import probe_verbs  # noqa: PLC0415  # loads what asks

    sys.stdout.write(probe_verbs.template())
    return 0
