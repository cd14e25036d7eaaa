"""Knows the options that several verbs share, and how they become a configuration; refuses to know the verbs.

Source: design.md (outputs); spec/ui.md 10 (precedence).
"""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from inferometer.config_schema import Config
    from inferometer.config_sources import Flags


class Output(StrEnum):
    """How data is printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"


class PipelineOutput(StrEnum):
    """How data with a verdict is printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"
    JUNIT = "junit"
    GITHUB = "github"


class Brief(StrEnum):
    """How a verb that prints no table says it."""

    TEXT = "text"
    JSON = "json"


FileOption = Annotated[Path | None, typer.Option("--config", metavar="FILE", help="Configuration file (YAML).")]
DataOption = Annotated[str | None, typer.Option("--data", metavar="DIR", help="Data directory.")]
StoreUrlOption = Annotated[str | None, typer.Option("--store-url", metavar="URL", help="ClickHouse server.")]
OutputOption = Annotated[Output, typer.Option("--output", help="Format on stdout.")]
PipelineOption = Annotated[PipelineOutput, typer.Option("--output", help="Format on stdout.")]
BriefOption = Annotated[Brief, typer.Option("--output", help="json: one object on stdout when ready.")]


def typed(**options: str | None) -> "Flags":
    """Return what was typed, by configuration key; None stands for an option that was not."""
    port = options.pop("port", None)
    named = {_KEYS[name]: (f"--{name.replace('_', '-')}", value) for name, value in options.items()}
    return named | ({} if port in (None, "auto") else {"tee.port": ("--port", port)})


_KEYS = {
    "target": "target.url",
    "endpoint": "target.endpoint",
    "data": "data",
    "workers": "tee.workers",
    "bind": "tee.bind",
    "store_url": "store.url",
}


def configured(file: Path | None, flags: "Flags") -> "Config":
    """Return the configuration.

    Raises:
        ConfigurationError: A key or value is wrong.
    """
    from inferometer.config import load  # noqa: PLC0415  # pydantic takes 0.3 s

    return load(file, flags=flags)
