"""Knows how texts get into a JSON body and how one is taken out of an answer; refuses to know what they mean.

Source: issue "synthetic users" (workflow probes).
"""

from collections.abc import Mapping
from typing import cast

from probes.question import filled
from telemetry.events import UNREAD, lenient_json

TAKEN_CHARS_MAX = 64 * 1024
"""Longest text that is taken out of an answer; an answer with a longer one at that place has none."""
DEPTH_MAX = 32
"""Deepest nesting of a body whose texts are filled; what lies below is left as it is."""

_INDEX_CHARS = 6


def filled_body(value: object, given: Mapping[str, str], depth: int = 0) -> object:
    """Return JSON data with `${name}` replaced in all its texts, names of fields excepted."""
    if isinstance(value, str):
        return filled(value, given)
    if depth >= DEPTH_MAX:
        return value
    if isinstance(value, list):
        return [filled_body(item, given, depth + 1) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        fields = cast("dict[str, object]", value)
        return {name: filled_body(item, given, depth + 1) for name, item in fields.items()}
    return value


def taken(body: bytes, path: str) -> str | None:
    """Return the text or number at a place of a JSON body.

    Args:
        body: As it came.
        path: Names of fields and numbers of items, joined by dots, for example `data.0.url`.

    Returns:
        Its text; None if there is none, or if it is longer than `TAKEN_CHARS_MAX`.
    """
    try:
        value = lenient_json(body)
    except UNREAD:
        return None
    for step in path.split("."):
        value = _below(value, step)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    text = str(value)
    return text if len(text) <= TAKEN_CHARS_MAX else None


def _below(value: object, step: str) -> object:
    if isinstance(value, dict):
        return cast("dict[str, object]", value).get(step)
    if isinstance(value, list) and step.isascii() and step.isdigit():
        items = cast("list[object]", value)
        return items[int(step)] if len(step) <= _INDEX_CHARS and int(step) < len(items) else None
    return None
