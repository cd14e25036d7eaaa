"""Knows how a process of ours reads what the one that started it hands over; refuses to know what the keys mean.

Source: design.md (tee, observer, prober and control plane are processes of their own).
"""

from dataclasses import fields
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

import msgspec


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]


Config = TypeVar("Config", bound=_Dataclass)
"""A dataclass whose attributes are the keys."""


def handed(text: str, form: type[Config]) -> Config:
    """Read the configuration of a process.

    Args:
        text: A JSON object.
        form: What it has to be.

    Raises:
        ValueError: It is not JSON of that form; the message names the key.
    """
    try:
        told = msgspec.json.decode(text, type=dict[str, object])
        unknown = sorted(told.keys() - {field.name for field in fields(form)})
        if unknown:
            raise ValueError(f"unknown key {unknown[0]}")
        return msgspec.convert(told, form)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from error


def secret(path: str) -> str:
    """Return what a file of a secret holds, without the line's end; nothing if no file is named.

    Raises:
        OSError: The file cannot be read.
    """
    return Path(path).read_text().strip() if path else ""
