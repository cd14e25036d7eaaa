"""Knows the verbs and their options; refuses to do their work, which is imported when a verb is called.

Source: design.md (verbs, outputs, exit codes); spec/ui.md 1, 10.
"""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inferometer import cli_hints, cli_hints_backtest, cli_load, cli_probe, cli_slo, cli_store, defaults
from inferometer.cli_options import (
    Brief,
    BriefOption,
    DataOption,
    FileOption,
    Output,
    OutputOption,
    StoreUrlOption,
    configured,
    typed,
)
from inferometer.errors import ConfigurationError

if TYPE_CHECKING:
    from inferometer.config_sources import Flags


app = typer.Typer(
    name="inferometer",
    help="Measures every request to an LLM engine where the user feels it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
config_app = typer.Typer(
    help="Show, check and describe the configuration.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(cli_store.app, name="store")
app.add_typer(cli_probe.app, name="probe")
app.add_typer(cli_load.app, name="load")
app.add_typer(cli_slo.app, name="slo")
cli_hints.app.command()(cli_hints_backtest.backtest)
app.add_typer(cli_hints.app, name="hints")
app.add_typer(config_app, name="config")

TargetOption = Annotated[str | None, typer.Option("--target", metavar="URL", help="Engine, http://HOST:PORT.")]
EndpointOption = Annotated[str | None, typer.Option("--endpoint", metavar="NAME", help="Name of the endpoint.")]
ModelOption = Annotated[str | None, typer.Option("--model", metavar="NAME", help="Keep only this model.")]
PortOption = Annotated[str | None, typer.Option("--port", metavar="PORT|auto", help="Port of the tee [8100].")]
WorkersOption = Annotated[str | None, typer.Option("--workers", metavar="N", help="Tee processes [1].")]
BindOption = Annotated[str | None, typer.Option("--bind", metavar="ADDRESS", help="Address of the tee [127.0.0.1].")]
InsecureOption = Annotated[bool, typer.Option("--insecure-bind", help="Allow addresses that other machines reach.")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON on stdout (with --once).")]
OnceOption = Annotated[bool, typer.Option("--once", help="Print one frame and end.")]


def run(arguments: list[str]) -> int:
    """Run a command line and return its exit code.

    Raises:
        InferometerError: With one line for the user.
    """
    try:
        code: object = app(arguments, prog_name="inferometer", standalone_mode=False)
    except typer.TyperException as error:
        message = error.format_message()
        if not message.startswith("Usage:"):
            raise ConfigurationError(message) from None
        sys.stderr.write(message + "\n")  # no verb was named, so the help is the answer
        return error.exit_code
    except typer.Abort:
        return defaults.EXIT_INTERRUPTED
    except SystemExit:
        return 0  # typer leaves this way, and only for this: the reader of stdout has seen enough
    return code if isinstance(code, int) else 0


def _print_version(asked: bool) -> None:  # noqa: FBT001  # typer hands it over by position
    if asked:
        from importlib.metadata import version  # noqa: PLC0415  # 30 ms that only this option needs

        print(version("inferometer"))
        raise typer.Exit


@app.callback()
def _root(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and end.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    del version  # its callback has done the work


@app.command()
def up(  # noqa: PLR0913  # typer makes one option of each parameter
    *,
    target: TargetOption = None,
    endpoint: EndpointOption = None,
    data: DataOption = None,
    port: PortOption = None,
    workers: WorkersOption = None,
    bind: BindOption = None,
    store_url: StoreUrlOption = None,
    file: FileOption = None,
    insecure_bind: InsecureOption = False,
    output: BriefOption = Brief.TEXT,
) -> int:
    """Watch an engine: tee, observer and embedded store in one."""
    flags = typed(
        target=target, endpoint=endpoint, data=data, port=port, workers=workers, bind=bind, store_url=store_url
    )
    return _watch(file, flags, port, insecure_bind=insecure_bind, embedded=True, as_json=output is Brief.JSON)


@app.command()
def collect(  # noqa: PLR0913  # typer makes one option of each parameter
    *,
    target: TargetOption = None,
    endpoint: EndpointOption = None,
    data: DataOption = None,
    port: PortOption = None,
    workers: WorkersOption = None,
    bind: BindOption = None,
    store_url: StoreUrlOption = None,
    file: FileOption = None,
    insecure_bind: InsecureOption = False,
    output: BriefOption = Brief.TEXT,
) -> int:
    """Watch an engine and send the rows to a ClickHouse server; no store of its own."""
    flags = typed(
        target=target, endpoint=endpoint, data=data, port=port, workers=workers, bind=bind, store_url=store_url
    )
    return _watch(file, flags, port, insecure_bind=insecure_bind, embedded=False, as_json=output is Brief.JSON)


@app.command()
def serve(
    *,
    data: DataOption = None,
    store_url: StoreUrlOption = None,
    file: FileOption = None,
    insecure_bind: InsecureOption = False,
) -> int:
    """Evaluate the objectives of `slo.objectives`, tell `slo.channels`, and serve the API; `up` does it by itself.

    Any number may run over the same store: they evaluate the same instants and write the same rows.
    """
    from inferometer import serve_verb  # noqa: PLC0415  # loads the API
    from inferometer.log import to_stderr  # noqa: PLC0415  # structlog takes 0.3 s

    config = configured(file, typed(data=data, store_url=store_url))
    return serve_verb.run(config, to_stderr(), insecure_bind=insecure_bind)


@app.command()
def report(  # noqa: PLR0913  # typer makes one option of each parameter
    *,
    since: Annotated[str, typer.Option(metavar="SPAN|TIME", help="Start of the window.")] = defaults.REPORT_SINCE,
    until: Annotated[str, typer.Option(metavar="SPAN|TIME", help="End of the window.")] = "now",
    endpoint: Annotated[str | None, typer.Option("--endpoint", metavar="NAME", help="Keep only this endpoint.")] = None,
    model: ModelOption = None,
    output: OutputOption = Output.TABLE,
    data: DataOption = None,
    store_url: StoreUrlOption = None,
    file: FileOption = None,
) -> int:
    """Print percentiles, rates and outcomes by endpoint and model."""
    from inferometer import look  # noqa: PLC0415  # loads the store client

    look.report(configured(file, typed(data=data, store_url=store_url)), since, until, output, only=(endpoint, model))
    return 0


@app.command()
def top(
    *,
    once: OnceOption = False,
    as_json: JsonOption = False,
    data: DataOption = None,
    store_url: StoreUrlOption = None,
    file: FileOption = None,
) -> int:
    """Show the last minute, live."""
    from inferometer import top as view  # noqa: PLC0415  # loads rich and the store client

    config = configured(file, typed(data=data, store_url=store_url))
    if as_json and not once:
        raise ConfigurationError("--json: goes with --once")
    if once:
        view.once(config, as_json=as_json)
    else:
        view.live(config)
    return 0


@app.command()
def sql(
    statement: Annotated[
        str | None, typer.Argument(metavar="SELECT", help="One reading statement; none: what stdin says.")
    ] = None,
    *,
    output: OutputOption = Output.TABLE,
    data: DataOption = None,
    store_url: StoreUrlOption = None,
    file: FileOption = None,
) -> int:
    """Run a reading statement and print its rows; at a terminal without one, type as many as you like."""
    from inferometer import look  # noqa: PLC0415  # loads the store client

    look.sql(configured(file, typed(data=data, store_url=store_url)), statement, output)
    return 0


@app.command()
def demo(
    *,
    seed: Annotated[int, typer.Option(help="Of engines, traffic and story.")] = 7,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the data directory behind.")] = False,
    seconds: Annotated[float | None, typer.Option(help="End by itself after this long, and print one frame.")] = None,
    once: Annotated[bool, typer.Option("--once", help="The same as --seconds 15.")] = False,
    as_json: JsonOption = False,
    data: DataOption = None,
) -> int:
    """Show everything at work on a simulated fleet, which breaks and recovers every four minutes."""
    from inferometer import demo as show  # noqa: PLC0415  # what starts processes
    from inferometer.log import to_stderr  # noqa: PLC0415  # structlog takes 0.3 s

    wanted = seconds if seconds is not None or not once else _DEMO_ONCE_S
    return show.run(show.Options(data=data, keep=keep, seed=seed, seconds=wanted, as_json=as_json), to_stderr())


_DEMO_ONCE_S = 15.0


@app.command()
def doctor(  # noqa: PLR0913  # typer makes one option of each parameter
    *,
    target: TargetOption = None,
    ask: Annotated[
        bool,
        typer.Option(
            "--ask", "--probe-request", help="Also ask the engine for one token (at most two requests), which costs it."
        ),
    ] = False,
    exposure: Annotated[
        bool, typer.Option(help="Look who may do what to the engine: GET and OPTIONS, 1 a second, never POST.")
    ] = True,
    privacy: Annotated[
        bool,
        typer.Option(
            "--privacy",
            help="Also send two marked requests through a running tee, and search all we keep for the marks.",
        ),
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 3 for a warning.")] = False,
    output: Annotated[Brief, typer.Option("--output", help="Format on stdout.")] = Brief.TEXT,
    data: DataOption = None,
    store_url: StoreUrlOption = None,
    file: FileOption = None,
) -> int:
    """Look for what would keep a measurement from working; changes nothing.

    Exit code: 0 no error; 2 the configuration is at fault; 5 engine, store or port is not there; 1 our own fault;
    with --strict 3 for a warning.
    """
    from inferometer import doctor as checks  # noqa: PLC0415  # loads the store client
    from inferometer.doctor_target import Looks  # noqa: PLC0415  # loads what asks an engine

    looks = Looks(stream=ask, exposure=exposure, privacy=privacy)
    found = checks.examine(file, typed(target=target, data=data, store_url=store_url), looks)
    return checks.tell(found, output, strict=strict)


@config_app.command("show")
def config_show(*, file: FileOption = None) -> int:
    """Print the effective configuration, secrets as ****."""
    from inferometer.config import load, shown  # noqa: PLC0415  # pydantic takes 0.3 s

    print(json.dumps(shown(load(file)), indent=2))
    return 0


@config_app.command("check")
def config_check(file: Annotated[Path, typer.Argument(metavar="FILE", help="Configuration file (YAML).")]) -> int:
    """Check a configuration file."""
    from inferometer.config import load  # noqa: PLC0415  # pydantic takes 0.3 s

    load(file, environ={})
    print(f"{file}: valid")
    return 0


@config_app.command("metrics")
def config_metrics() -> int:
    """Print the list of all metrics, in Markdown."""
    from collector.catalogue import page  # noqa: PLC0415  # tables that other verbs need not make

    print(page(), end="")
    return 0


@config_app.command("grafana")
def config_grafana(
    *,
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for dashboards, rules and provisioning.")],
    flavour: Annotated[str, typer.Option("--flavour", metavar="clickhouse|prometheus", help="Source.")] = "clickhouse",
) -> int:
    """Write Grafana dashboards of the same panels as the web pages, alert rules, and the files that provision them."""
    from dashboards.grafana_source import Flavour  # noqa: PLC0415  # panels that other verbs need not make
    from inferometer.grafana_files import write  # noqa: PLC0415  # with it

    if flavour not in set(Flavour):
        raise ConfigurationError(f"--flavour: found {flavour}, allowed: {', '.join(Flavour)}")
    for path in write(out, Flavour(flavour)):
        print(path)
    return 0


@config_app.command("rules")
def config_rules() -> int:
    """Print the list of built-in rules, in Markdown."""
    from slo.rules.catalogue import page  # noqa: PLC0415  # rules that other verbs need not make

    print(page(), end="")
    return 0


@config_app.command("schema")
def config_schema() -> int:
    """Print the JSON Schema of the configuration file."""
    from inferometer.config_schema import Config as Keys  # noqa: PLC0415  # pydantic takes 0.3 s

    print(json.dumps(Keys.model_json_schema(), indent=2))
    return 0


def _watch(
    file: Path | None, flags: "Flags", port: str | None, *, insecure_bind: bool, embedded: bool, as_json: bool
) -> int:
    config = configured(file, flags)
    from inferometer import plan, up  # noqa: PLC0415  # what starts processes
    from inferometer.log import to_stderr  # noqa: PLC0415  # structlog takes 0.3 s

    options = plan.Options(port_auto=port == "auto", insecure_bind=insecure_bind, embedded=embedded)
    with plan.prepared(config, options) as ready:
        return up.run(ready, to_stderr(), output_json=as_json)
