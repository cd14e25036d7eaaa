"""Knows the verbs below `hints` and their options; refuses to do their work, which is imported when one is called.

`hints` alone, or with the name of a target, shows: a first word that is no verb is such a name.

Source: design.md (verbs, outputs, exit codes); spec/scaling.md 2.
"""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from inferometer.cli_options import DataOption, FileOption, Output, OutputOption, configured, typed

UrlOption = Annotated[
    str | None, typer.Option("--url", metavar="URL", help="Who makes hints; none: what runs on the data directory.")
]
TargetArgument = Annotated[str, typer.Argument(metavar="TARGET", help="Name of the target.")]
ActorOption = Annotated[str, typer.Option("--actor", metavar="NAME", help="Who says so.")]
ReasonOption = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why.")]


class _Named(TyperGroup):
    """A group of verbs of which one need not be named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 -- click's, which typer vendors
        if not any(word in self.commands for word in args[:1]) and args[:1] != ["--help"]:
            args = ["show", *args]
        return list(super().parse_args(ctx, args))


app = typer.Typer(
    cls=_Named,
    help="Show how many replicas each target needs, and why; tell of what was done.",
    rich_markup_mode=None,
)


@app.command()
def show(
    target: Annotated[str | None, typer.Argument(metavar="[TARGET]", help="Only this one.")] = None,
    *,
    url: UrlOption = None,
    output: OutputOption = Output.TABLE,
    data: DataOption = None,
    file: FileOption = None,
) -> int:
    """Show the last hint of every target, or of one; also without the word `show`."""
    from inferometer import hints_show  # noqa: PLC0415  # what asks over HTTP

    return hints_show.run(configured(file, typed(data=data)), target, url, output.value)


@app.command()
def history(
    target: TargetArgument,
    *,
    since: Annotated[str | None, typer.Option("--from", metavar="TIME", help="RFC 3339; none: seven days ago.")] = None,
    url: UrlOption = None,
    output: OutputOption = Output.TABLE,
    data: DataOption = None,
    file: FileOption = None,
) -> int:
    """List past hints of a target with how they turned out, newest first."""
    from inferometer import hints_show  # noqa: PLC0415  # what asks over HTTP

    return hints_show.history(configured(file, typed(data=data)), target, since, url, output.value)


@app.command()
def proposals(
    target: TargetArgument,
    *,
    url: UrlOption = None,
    output: OutputOption = Output.TABLE,
    data: DataOption = None,
    file: FileOption = None,
) -> int:
    """Print schedules that the past days of a target suggest, as YAML to copy; nothing is applied by itself."""
    from inferometer import hints_show  # noqa: PLC0415  # what asks over HTTP

    return hints_show.proposals(configured(file, typed(data=data)), target, url, output.value)


@app.command()
def ack(  # noqa: PLR0913  # typer makes one option of each parameter
    target: TargetArgument,
    *,
    hint: Annotated[str, typer.Option("--hint", metavar="ID", help="Id of the hint that was carried out.")],
    replicas: Annotated[int, typer.Option("--replicas", metavar="N", help="Replicas asked for since.", min=0)],
    actor: ActorOption,
    automated: Annotated[bool, typer.Option("--automated", help="A program did it.")] = False,
    url: UrlOption = None,
    data: DataOption = None,
    file: FileOption = None,
) -> int:
    """Say that a hint was carried out."""
    from inferometer import hints_show  # noqa: PLC0415  # what asks over HTTP

    body = {"hint_id": hint, "applied_replicas": replicas, "actor": actor, "automated": automated}
    return hints_show.tell(configured(file, typed(data=data)), target, "ack", body, url)


@app.command()
def replicas(
    target: TargetArgument,
    *,
    count: Annotated[int, typer.Argument(metavar="N", help="Replicas that are asked for now.", min=0)],
    actor: ActorOption,
    url: UrlOption = None,
    data: DataOption = None,
    file: FileOption = None,
) -> int:
    """Say how many replicas are asked for now, whoever asked."""
    from inferometer import hints_show  # noqa: PLC0415  # what asks over HTTP

    body = {"replicas": count, "actor": actor}
    return hints_show.tell(configured(file, typed(data=data)), target, "replicas", body, url)


@app.command()
def freeze(  # noqa: PLR0913  # typer makes one option of each parameter
    target: TargetArgument,
    *,
    until: Annotated[str, typer.Option("--until", metavar="TIME", help="RFC 3339, at most seven days ahead.")],
    reason: ReasonOption,
    actor: ActorOption,
    url: UrlOption = None,
    data: DataOption = None,
    file: FileOption = None,
) -> int:
    """Let hints of a target ask for no change until a time."""
    from inferometer import hints_show  # noqa: PLC0415  # what asks over HTTP

    body = {"until": until, "reason": reason, "who": actor}
    return hints_show.tell(configured(file, typed(data=data)), target, "freeze", body, url)


@app.command()
def unfreeze(
    target: TargetArgument,
    *,
    reason: ReasonOption,
    actor: ActorOption,
    url: UrlOption = None,
    data: DataOption = None,
    file: FileOption = None,
) -> int:
    """End a freeze."""
    from inferometer import hints_show  # noqa: PLC0415  # what asks over HTTP

    return hints_show.thaw(configured(file, typed(data=data)), target, actor, reason, url)


@app.command()
def manifest(  # noqa: PLR0913  # typer makes one option of each parameter
    target: TargetArgument,
    *,
    kind: Annotated[str, typer.Option("--kind", metavar="KIND", help="keda, keda-push, hpa, prometheus, …")] = "keda",
    workload: Annotated[str | None, typer.Option(help="Deployment that is scaled; none: of the target's name.")] = None,
    namespace: Annotated[str | None, typer.Option(help="Where it lives; none: as configured.")] = None,
    least: Annotated[int | None, typer.Option("--min", help="Fewest replicas; none: as configured.")] = None,
    most: Annotated[int | None, typer.Option("--max", help="Most replicas; none: as configured.")] = None,
    url: Annotated[str | None, typer.Option("--url", help="Where the cluster finds the API.")] = None,
    grpc: Annotated[str | None, typer.Option("--grpc", help="HOST:PORT of the external scaler.")] = None,
    prometheus: Annotated[str | None, typer.Option("--prometheus", help="Where the cluster finds Prometheus.")] = None,
    data: DataOption = None,
    file: FileOption = None,
) -> int:
    """Print what a cluster applies to follow hints of a target; ways are listed in docs/hint_controllers.md."""
    from inferometer import hints_manifest  # noqa: PLC0415  # with the shapes of hints

    said = {
        "workload": workload,
        "namespace": namespace,
        "replicas_min": least,
        "replicas_max": most,
        "url": url,
        "grpc": grpc,
        "prometheus": prometheus,
    }
    return hints_manifest.run(configured(file, typed(data=data)), target, kind, said)
