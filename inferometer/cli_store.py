"""Knows the verbs below `store` and their options; refuses to do their work, which is imported when one is called.

Source: design.md (verbs, outputs, exit codes); spec/store.md 8, 9, 11.7.
"""

import sys
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from inferometer import data_directory, defaults
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

if TYPE_CHECKING:
    from inferometer.data_directory import DataDirectory


class Document(StrEnum):
    """Forms of `schema`, those of telemetry.schema.document."""

    MARKDOWN = "markdown"
    SQL = "sql"
    JSON = "json"


app = typer.Typer(
    help="Run the embedded store alone, in the foreground; or, with a command, look after a store.",
    rich_markup_mode=None,
)

PortOption = Annotated[str | None, typer.Option("--port", metavar="PORT", help="Port of the store [8300].")]


@app.callback(invoke_without_command=True)
def run(
    context: typer.Context, *, data: DataOption = None, port: PortOption = None, file: FileOption = None
) -> int | None:
    """Run the embedded store alone, in the foreground; or, with a command, look after a store."""
    if command := context.invoked_subcommand:
        early = [name for name, value in (("--data", data), ("--port", port), ("--config", file)) if value is not None]
        if early:
            raise ConfigurationError(f"{early[0]}: goes behind the command: inferometer store {command} {early[0]} ..")
        return None
    config = configured(file, {"data": ("--data", data), "store.port": ("--port", port)})
    from inferometer import store_server  # noqa: PLC0415  # loads uvicorn

    keys = config.store
    root = data_directory.resolve(config.data).root
    return store_server.serve(root, defaults.LOOPBACK, keys.port, keys.retention.model_dump())


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(metavar="DIR|FILE", help="File to make, or a directory to make it in.")],
    *,
    data: DataOption = None,
    file: FileOption = None,
) -> int:
    """Copy the embedded store into one file; it may run meanwhile."""
    from inferometer import store_backup  # noqa: PLC0415  # loads uvicorn's parts and msgspec

    made, n_requests = store_backup.backup(_embedded(data, file, "backup"), target)
    sys.stderr.write(f"{n_requests} requests in {made.stat().st_size} bytes\n")
    sys.stdout.write(f"{made}\n")
    return 0


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="File that `backup` made.")],
    *,
    data: DataOption = None,
    file: FileOption = None,
) -> int:
    """Make a store out of a backup, in a data directory that holds none."""
    from inferometer import store_backup  # noqa: PLC0415  # loads uvicorn's parts and msgspec

    where = _embedded(data, file, "restore")
    store_backup.restore(where, source)
    sys.stderr.write(f"restored into {where.root}; start it: inferometer store --data {where.root}\n")
    return 0


@app.command()
def prune(  # typer makes one option of each parameter
    *,
    older_than: Annotated[int, typer.Option("--older-than", metavar="DAYS", help="Age of the newest row that goes.")],
    table: Annotated[
        list[str] | None, typer.Option("--table", metavar="NAME", help="Again for more [requests].")
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Drop them; without it they are only listed.")] = False,
    output: OutputOption = Output.TABLE,
    data: DataOption = None,
    file: FileOption = None,
) -> int:
    """List the partitions that are older than so many days, and drop them with --apply."""
    where = _embedded(data, file, "prune")
    from inferometer import listing, reading, store_prune  # noqa: PLC0415  # loads the store client

    source = reading.source(configured(file, typed(data=data)))
    found = store_prune.old(source, older_than, table or ["requests"])
    listing.show([asdict(one) for one in found], store_prune.FIELDS, "dropped" if apply else "would go", output)
    total = (
        f"{len(found)} partitions, {sum(one.rows for one in found)} rows, {sum(one.disk_bytes for one in found)} bytes"
    )
    if apply:
        store_prune.drop(where, found)
    sys.stderr.write(f"{total}: {'dropped' if apply else 'nothing was dropped; say --apply'}\n")
    return 0


@app.command()
def stats(
    *,
    columns: Annotated[bool, typer.Option("--columns", help="By column instead of by table.")] = False,
    settings: Annotated[
        bool, typer.Option("--settings", help="Settings that readers sent and the embedded store ignored.")
    ] = False,
    output: OutputOption = Output.TABLE,
    data: DataOption = None,
    store_url: StoreUrlOption = None,
    file: FileOption = None,
) -> int:
    """Print what is stored and what it costs: rows, bytes on disk, bytes per request, parts, ages, growth."""
    from inferometer import listing, look, store_stats  # noqa: PLC0415  # loads the store client

    if settings:
        rows = store_stats.ignored(_embedded(data, file, "stats --settings"))
        listing.show(rows, store_stats.IGNORED, "settings that were ignored since the store's start", output)
        return 0
    statement = store_stats.COLUMNS if columns else store_stats.TABLES
    look.sql(configured(file, typed(data=data, store_url=store_url)), statement, output)
    return 0


@app.command()
def check(
    *,
    since: Annotated[str, typer.Option("--since", metavar="TIME", help="Requests that ended since then.")] = "24h",
    data: DataOption = None,
    store_url: StoreUrlOption = None,
    file: FileOption = None,
) -> int:
    """Look for requests that are there twice or not at all, and for roll-ups that do not count them: one line each."""
    from inferometer import reading, store_check  # noqa: PLC0415  # loads the store client
    from inferometer.since import instant_ms  # noqa: PLC0415  # as above
    from telemetry.clock import wall_ms  # noqa: PLC0415  # as above

    now_ms = wall_ms()
    since_ms, until_ms = instant_ms(since, now_ms, "--since"), now_ms - store_check.ON_THEIR_WAY_MS
    if since_ms >= until_ms:
        raise ConfigurationError(f"--since: found {since!r}; allowed: more than a minute ago, rows may be on their way")
    found = store_check.check(
        reading.source(configured(file, typed(data=data, store_url=store_url))).rows, since_ms, until_ms
    )
    sys.stdout.write("".join(f"{line}\n" for line in found.lines))
    sys.stderr.write(f"{found.rows} requests since {since}: {len(found.lines) or 'no'} faults\n")
    return defaults.EXIT_GATE_FAILED if found.lines else 0


@app.command()
def repair(
    *,
    since: Annotated[str, typer.Option("--since", metavar="TIME", help="From the start of this hour.")],
    until: Annotated[str, typer.Option("--until", metavar="TIME", help="To the end of this hour.")] = "now",
    data: DataOption = None,
    file: FileOption = None,
) -> int:
    """Take out requests that are there more than once, and make the roll-ups again; inserts wait meanwhile."""
    where = _embedded(data, file, "repair")
    from inferometer import store_backup, store_orders  # noqa: PLC0415  # loads uvicorn's parts and msgspec
    from inferometer.rebuild import hours_of  # noqa: PLC0415  # as above
    from inferometer.since import instant_ms  # noqa: PLC0415  # as above
    from telemetry.clock import wall_ms  # noqa: PLC0415  # as above

    now_ms = wall_ms()
    span = hours_of(instant_ms(since, now_ms, "--since"), instant_ms(until, now_ms, "--until"))
    if span.since_s >= span.until_s:
        raise ConfigurationError(f"--since: found {since!r}, which is not before --until {until!r}")
    done = store_backup.perform(where, store_orders.repair(span))
    sys.stdout.write(f"{done['copies']} copies taken out, roll-ups made again of {done['requests']} requests\n")
    return 0


@app.command()
def schema(
    *,
    output: Annotated[Document, typer.Option("--output", help="Form on stdout.")] = Document.MARKDOWN,
    cluster: Annotated[str, typer.Option("--cluster", metavar="NAME", help="With sql: of this cluster.")] = "",
) -> int:
    """Print every table, column and view of a store."""
    from telemetry.schema import Variant, document  # noqa: PLC0415  # 20 ms that other verbs need not pay

    try:
        variant = Variant(cluster=cluster)
    except ValueError as error:
        raise ConfigurationError(f"--cluster: {error}") from None
    sys.stdout.write(document.document(document.Output(output), variant))
    return 0


@app.command()
def migrate(
    *,
    url: Annotated[str | None, typer.Option("--url", metavar="URL", help="ClickHouse server [store.url].")] = None,
    cluster: Annotated[str, typer.Option("--cluster", metavar="NAME", help="Make the tables on this cluster.")] = "",
    plan: Annotated[bool, typer.Option("--plan", help="Print the SQL that is missing; run nothing.")] = False,
    file: FileOption = None,
) -> int:
    """Bring the tables of a ClickHouse server up to date; the embedded store does so by itself when it starts."""
    config = configured(file, {"store.url": ("--url", url)})
    keys = config.store
    if keys.url is None:
        raise ConfigurationError("store.url: name the server: inferometer store migrate --url http://HOST:8123")
    from inferometer import server  # noqa: PLC0415  # loads the store client
    from inferometer.config import secret  # noqa: PLC0415  # pydantic takes 0.3 s

    password = secret(keys.password, keys.password_file, "store.password")
    days = keys.retention.model_dump()
    sys.stdout.write(server.migrated(keys.url, keys.user, password, days, cluster=cluster, plan=plan))
    return 0


dlq = typer.Typer(
    help="Look after the rows that the store refused for their own sake.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(dlq, name="dlq")


@dlq.command("list")
def dlq_list(*, output: OutputOption = Output.TABLE, data: DataOption = None, file: FileOption = None) -> int:
    """List the dead letters of a data directory."""
    from inferometer import dead_letters, listing  # noqa: PLC0415  # loads the store client

    where = data_directory.resolve(configured(file, typed(data=data)).data)
    rows = [asdict(one) for one in dead_letters.listed(where)]
    listing.show(rows, tuple(dead_letters.DeadLetter.__dataclass_fields__), f"{len(rows)} dead letters", output)
    return 0


@dlq.command("replay")
def dlq_replay(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID", help="As `list` shows them; none: all.")] = None,
    *,
    data: DataOption = None,
    store_url: StoreUrlOption = None,
    file: FileOption = None,
) -> int:
    """Offer dead letters to the store again, after their cause was repaired."""
    from inferometer import dead_letters  # noqa: PLC0415  # loads the store client

    config = configured(file, typed(data=data, store_url=store_url))
    store = dead_letters.writer(config)
    try:
        done = dead_letters.replay(data_directory.resolve(config.data), store, ids or None)
    finally:
        store.close()
    sys.stdout.write("".join(f"{name} stored\n" for name in done.stored))
    sys.stdout.write("".join(f"{name} refused: {' '.join(why.split())}\n" for name, why in done.refused.items()))
    sys.stderr.write(f"{len(done.stored)} stored, {len(done.refused)} refused\n")
    return 1 if done.refused else 0


def _embedded(data: str | None, file: Path | None, verb: str) -> "DataDirectory":
    config = configured(file, typed(data=data))
    if config.store.url is not None:
        raise ConfigurationError(
            f"store.url: {verb} looks after the embedded store; a ClickHouse server has its own means "
            "(BACKUP, RESTORE, ALTER TABLE .. DROP PARTITION)"
        )
    return data_directory.resolve(config.data)
