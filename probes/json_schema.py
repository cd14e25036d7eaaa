"""Knows a small part of JSON Schema, enough to say whether an answer has its form; refuses what it does not know.

Keywords: type, enum, const, properties, required, additionalProperties (true or false), items (one schema), minItems,
maxItems, minLength, maxLength, minimum, maximum; title and description say nothing. A schema with any other keyword is
refused when it is read, so that no rule is passed over in silence.

Source: JSON Schema 2020-12, validation vocabulary (6.1 to 6.5) and applicators (10.3).
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

SCHEMA_DEPTH_MAX = 32
"""Deepest nesting of a schema; data below it is not looked at, so it bounds the check too."""


def refused(schema: object) -> str:
    """Say what in a schema is not known here; empty if nothing."""
    return next(_unknown(schema, "schema", 0), "")


def fits(value: object, schema: Mapping[str, Any]) -> bool:
    """Return whether decoded JSON has the form that a schema, which was not refused, asks for."""
    if not all(_RULES[name](value, rule) for name, rule in schema.items() if name in _RULES):
        return False
    if isinstance(value, list) and "items" in schema:
        return all(fits(item, schema["items"]) for item in cast("list[object]", value))
    return not isinstance(value, dict) or _fields_fit(cast("dict[str, object]", value), schema)


def _fields_fit(value: Mapping[str, object], schema: Mapping[str, Any]) -> bool:
    known: Mapping[str, Any] = schema.get("properties", {})
    if schema.get("additionalProperties") is False and not set(value) <= set(known):
        return False
    return all(fits(item, known[name]) for name, item in value.items() if name in known)


def _unknown(schema: object, where: str, depth: int) -> Iterator[str]:
    if not isinstance(schema, dict):
        yield f"{where} is no mapping"
    elif depth >= SCHEMA_DEPTH_MAX:
        yield f"{where} is nested deeper than {SCHEMA_DEPTH_MAX}"
    else:
        yield from _unknown_below(cast("dict[object, object]", schema), where, depth)


def _unknown_below(schema: Mapping[object, object], where: str, depth: int) -> Iterator[str]:
    for name, rule in schema.items():
        if not isinstance(name, str) or name not in KEYWORDS:
            yield f"{where} has the unknown keyword {name!r}"
        elif name in _FORMS and not _FORMS[name](rule):
            yield f"{where}.{name} has a value that it cannot have"
        else:
            for key, below in _nested(name, rule):
                yield from _unknown(below, f"{where}.{key}", depth + 1)


def _nested(name: str, rule: object) -> Iterator[tuple[str, object]]:
    if name == "items":
        yield name, rule
    elif name == "properties":
        yield from ((f"{name}.{key}", below) for key, below in cast("dict[object, object]", rule).items())


def _is_integer(value: object) -> bool:
    return _is_number(value) and (isinstance(value, int) or (isinstance(value, float) and value.is_integer()))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in cast("list[object]", value))


def _is_type(value: object) -> bool:
    return (isinstance(value, str) or _is_texts(value)) and all(name in _TYPES for name in _names(value))


def _names(rule: object) -> list[str]:
    return [rule] if isinstance(rule, str) else cast("list[str]", rule)


def _same(one: object, other: object) -> bool:
    return isinstance(one, bool) == isinstance(other, bool) and one == other  # in Python True equals 1


_TYPES: Mapping[str, Callable[[object], bool]] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": _is_number,
    "integer": _is_integer,
}
_RULES: Mapping[str, Callable[[Any, Any], bool]] = {
    "type": lambda value, rule: any(_TYPES[name](value) for name in _names(rule)),
    "enum": lambda value, rule: any(_same(value, one) for one in rule),
    "const": _same,
    "required": lambda value, rule: not isinstance(value, dict) or set(rule) <= set(cast("dict[str, object]", value)),
    "minItems": lambda value, rule: not isinstance(value, list) or len(cast("list[object]", value)) >= rule,
    "maxItems": lambda value, rule: not isinstance(value, list) or len(cast("list[object]", value)) <= rule,
    "minLength": lambda value, rule: not isinstance(value, str) or len(value) >= rule,
    "maxLength": lambda value, rule: not isinstance(value, str) or len(value) <= rule,
    "minimum": lambda value, rule: not _is_number(value) or value >= rule,
    "maximum": lambda value, rule: not _is_number(value) or value <= rule,
}
_BELOW = frozenset({"properties", "additionalProperties", "items"})
_SAYINGS = frozenset({"title", "description", "$schema"})
KEYWORDS = tuple(sorted({*_RULES, *_BELOW, *_SAYINGS}))
"""Keywords that a schema may have."""

_FORMS: Mapping[str, Callable[[object], bool]] = {
    "type": _is_type,
    "enum": lambda rule: isinstance(rule, list),
    "required": _is_texts,
    "properties": lambda rule: isinstance(rule, dict),
    "additionalProperties": lambda rule: isinstance(rule, bool),
    "minItems": _is_size,
    "maxItems": _is_size,
    "minLength": _is_size,
    "maxLength": _is_size,
    "minimum": _is_number,
    "maximum": _is_number,
}
"""What the value of a keyword must be."""
