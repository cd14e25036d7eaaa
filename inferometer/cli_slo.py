"""Knows the verbs below `slo` that work on files alone; refuses to do their work, which is imported when one is called.

Source: spec/slo.md 1 (verbs); design.md (outputs, exit codes).
"""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from inferometer.cli_options import (
    DataOption,
    FileOption,
    Output,
    OutputOption,
    StoreUrlOption,
    configured,
    typed,
)
from inferometer.errors import ConfigurationError

app = typer.Typer(help="Check, list, import and export objectives.", no_args_is_help=True, rich_markup_mode=None)

PathsArgument = Annotated[list[Path], typer.Argument(metavar="FILE|DIR..", help="OpenSLO files, or folders of them.")]


@app.command("validate")
@app.command("check", hidden=True)
def validate(paths: PathsArgument, *, output: OutputOption = Output.TABLE) -> int:
    """Check SLO files, and print what each burn rule can see and how soon."""
    from inferometer import slo_files, slo_tables  # noqa: PLC0415  # yaml and the expression language
    from inferometer.listing import show  # noqa: PLC0415  # beside them

    found = slo_files.loaded(paths)
    _warn(found.lints)
    names = slo_tables.REACH_BRIEF if output is Output.TABLE else slo_tables.REACH_NAMES
    show(slo_tables.reach_rows(found.objectives), names, "burn rules", output)
    sys.stderr.write(f"objectives: {len(found.objectives)} valid, {len(found.foreign)} not evaluated here\n")
    return 0


@app.command("list")
def list_objectives(paths: PathsArgument, *, output: OutputOption = Output.TABLE) -> int:
    """List the objectives of SLO files with the hash of what counts."""
    from inferometer import slo_files, slo_tables  # noqa: PLC0415  # yaml and the expression language
    from inferometer.listing import show  # noqa: PLC0415  # beside them
    from slo.objective import definition_hash  # noqa: PLC0415  # beside them

    found = slo_files.loaded(paths).objectives
    rows = slo_tables.list_rows(found, [definition_hash(one) for one in found])
    show(rows, slo_tables.LIST_NAMES, "objectives", output)
    return 0


@app.command("import")
def import_slos(
    paths: PathsArgument,
    *,
    source: Annotated[str, typer.Option("--from", metavar="sloth|pyrra", help="Format of the files.")],
    endpoint: Annotated[str, typer.Option(metavar="NAME", help="Endpoint whose requests count.")] = "",
    keep_promql: Annotated[
        bool, typer.Option("--keep-promql", help="Keep queries without meaning here, for exports alone.")
    ] = False,
) -> int:
    """Turn files of Sloth or Pyrra into OpenSLO on stdout."""
    from inferometer import slo_transfer  # noqa: PLC0415  # yaml and the expression language
    from slo.imported import Options  # noqa: PLC0415  # beside them

    options = Options(endpoint=endpoint, keep_promql=keep_promql)
    text, lints = slo_transfer.imported(paths, _one_of(slo_transfer.Import, "--from", source), options)
    _warn(lints)
    sys.stdout.write(text)
    return 0


@app.command("export")
def export_slos(
    paths: PathsArgument,
    *,
    target: Annotated[
        str, typer.Option("--format", metavar="prometheus|sloth|pyrra|openslo", help="Format on stdout.")
    ],
) -> int:
    """Write objectives as rules of Prometheus, or as files of Sloth, Pyrra or OpenSLO."""
    from inferometer import slo_transfer  # noqa: PLC0415  # yaml and the expression language

    sys.stdout.write(slo_transfer.exported(paths, _one_of(slo_transfer.Export, "--format", target)))
    return 0


@app.command("rules")
def built_in_rules(*, file: FileOption = None, output: OutputOption = Output.TABLE) -> int:
    """List the built-in rules with what is set of them."""
    from inferometer import slo_rules  # noqa: PLC0415  # rules that other verbs need not make
    from inferometer.listing import show  # noqa: PLC0415  # beside them

    names = slo_rules.BRIEF if output is Output.TABLE else slo_rules.NAMES
    show(slo_rules.rows(configured(file, {})), names, "built-in rules", output)
    return 0


@app.command()
def notify(
    channel: Annotated[str | None, typer.Argument(metavar="[CHANNEL]", help="Only this one.")] = None,
    *,
    test: Annotated[bool, typer.Option("--test", help="Say that this is a test.")] = False,
    file: FileOption = None,
    output: OutputOption = Output.TABLE,
) -> int:
    """Send a test notice to every channel of the file `slo.channels`, whatever it filters, and print the answers.

    Exit code: 0 all of them took it; 5 one did not.
    """
    from inferometer import slo_notify  # noqa: PLC0415  # yaml and what sends

    if not test:
        raise ConfigurationError("slo notify: found nothing to do; allowed: --test")
    return slo_notify.run(configured(file, {}), channel, output)


@app.command()
def flows(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE|DIR..]", help="OpenSLO files [slo.objectives].")
    ] = None,
    *,
    since: Annotated[str, typer.Option(metavar="SPAN|TIME", help="Start of the window, at most 7d ago.")] = "1h",
    output: OutputOption = Output.TABLE,
    data: DataOption = None,
    store_url: StoreUrlOption = None,
    file: FileOption = None,
) -> int:
    """Print how long workflows and their stages took: P50, P95, P99, and the time over each budget.

    Exit code: 0 done; 4 no workflow ended; 5 the store does not answer.
    """
    from inferometer import slo_flows  # noqa: PLC0415  # yaml and the store client

    return slo_flows.run(configured(file, typed(data=data, store_url=store_url)), paths or (), since, output)


@app.command()
def backtest(  # noqa: PLR0913  # typer makes one option of each parameter
    *,
    since: Annotated[str, typer.Option("--from", metavar="SPAN|TIME", help="Start.")],
    until: Annotated[str, typer.Option("--to", metavar="SPAN|TIME", help="End.")] = "now",
    policy: Annotated[
        list[Path] | None,
        typer.Option("--policy", metavar="FILE|DIR", help="OpenSLO files [slo.objectives]; may be given again."),
    ] = None,
    marked: Annotated[
        Path | None, typer.Option("--incidents", metavar="FILE", help="CSV: start,end,service,label.")
    ] = None,
    output: OutputOption = Output.TABLE,
    data: DataOption = None,
    store_url: StoreUrlOption = None,
    file: FileOption = None,
) -> int:
    """List the pages and tickets that objectives would have raised over stored counts.

    Exit code: 0 done; 4 nothing was counted; 5 the store does not answer.
    """
    from inferometer import slo_backtest  # noqa: PLC0415  # yaml and the store client

    asked = slo_backtest.Asked(since=since, until=until, policies=policy or (), marked=marked, output=output)
    return slo_backtest.run(configured(file, typed(data=data, store_url=store_url)), asked)


@app.command()
def gate(  # noqa: PLR0913  # typer makes one option of each parameter
    *,
    service: Annotated[str, typer.Option(metavar="NAME", help="Only objectives of this service.")] = "",
    slo: Annotated[str, typer.Option(metavar="NAME", help="Only this objective.")] = "",
    version: Annotated[str, typer.Option(metavar="V", help="Of the release; returned as it is.")] = "",
    min_remaining: Annotated[
        float | None, typer.Option(metavar="SHARE", help="Share of each budget that must be left; 0.25.")
    ] = None,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="Whom to ask; what runs on the data directory.")
    ] = None,
    output: Annotated[str, typer.Option(metavar="table|json|junit|github", help="Format on stdout.")] = "table",
    data: DataOption = None,
    file: FileOption = None,
) -> int:
    """Ask whether a release may go on: no page fires, budgets are left, nothing is frozen.

    Exit code: 0 it may; 3 it may not; 4 nobody can tell; 5 nobody answers.
    """
    from inferometer import slo_gate  # noqa: PLC0415  # pydantic, rich

    form = _one_of(slo_gate.Form, "--output", output)
    question = slo_gate.GateQuestion(service=service, slo=slo, version=version, min_remaining=min_remaining)
    return slo_gate.run(configured(file, typed(data=data)), question, url, form)


@app.command()
def openapi() -> int:
    """Print the description of the HTTP API, OpenAPI 3.1."""
    import json  # noqa: PLC0415  # with what follows
    from importlib.metadata import version  # noqa: PLC0415  # takes 0.05 s

    from slo.api import description  # noqa: PLC0415  # fastapi takes 0.5 s

    sys.stdout.write(json.dumps(description(version("inferometer")), indent=1, ensure_ascii=False) + "\n")
    return 0


_Choice = TypeVar("_Choice", bound=StrEnum)


def _one_of(kind: type[_Choice], option: str, word: str) -> _Choice:
    if word not in set(kind):
        raise ConfigurationError(f"{option}: found {word!r}; allowed: {', '.join(kind)}")
    return kind(word)


def _warn(lints: tuple[str, ...]) -> None:
    sys.stderr.write("".join(f"inferometer: warning: {lint}\n" for lint in lints))
