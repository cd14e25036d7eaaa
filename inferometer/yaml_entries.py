"""Knows how the keys of a YAML mapping are read one by one, each with its line; refuses to know which keys there are.

Whoever reads an entry asks for its keys and says `done` at the end: what was not asked for by then is unknown. A wrong
value is refused in one line that names file, line, key, what was found and what is allowed.

Source: design.md (configuration: errors name file, line, key, found, allowed).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast

import yaml

from inferometer.config_sources import composed, plain
from inferometer.errors import ConfigurationError

SHOWN_CHARS_MAX = 60
"""Characters of a wrong value that a message repeats."""

_T = TypeVar("_T")


class Entry:
    """One mapping.

    Args:
        node: The mapping.
        file: Name of the file.
        label: What messages call it; empty for one that has no name yet.
        outer: Entry whose keys hold here too where this one has none; None for none.
    """

    def __init__(self, node: yaml.MappingNode, file: str, label: str, outer: "Entry | None" = None) -> None:
        self.label = label
        self._line = node.start_mark.line + 1
        self._file = file
        self._outer = outer
        self._asked: dict[str, None] = {}
        self._nodes: dict[str, tuple[int, yaml.Node]] = {}
        for key, value in node.value:
            line, name = key.start_mark.line + 1, str(key.value)
            if name in self._nodes:
                raise ConfigurationError(f"{file}:{line}: {self._key(name)}: stands twice")
            self._nodes[name] = line, value

    def text(self, name: str, default: str | None = None, *, inherits: bool = False) -> str:
        """Return a text that is not empty; without a default it must be there."""
        return self._read(name, default, "a text", _text, inherits=inherits)

    def number(self, name: str, low: float, high: float, default: float | None = None) -> float:
        """Return a number within bounds, both included; without a default it must be there."""
        return self._read(name, default, f"a number from {low:g} to {high:g}", lambda value: _number(value, low, high))

    def whole(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """Return a whole number within bounds, both included; without a default it must be there."""
        return self._read(name, default, f"a whole number from {low} to {high}", lambda value: _whole(value, low, high))

    def flag(self, name: str, *, default: bool, inherits: bool = False) -> bool:
        """Return true or false."""
        return self._read(name, default, "true or false", _flag, inherits=inherits)

    def choice(self, name: str, allowed: Sequence[str], default: str | None = None) -> str:
        """Return one of some words; without a default it must be there."""
        return self._read(name, default, ", ".join(allowed), lambda value: _among(value, allowed))

    def texts(self, name: str, *, inherits: bool = False) -> Sequence[str]:
        """Return a list of texts; a single text is a list of one, and none is there if the key is not."""
        return self._read(name, cast("list[str]", []), "a text or a list of texts", _texts, inherits=inherits)

    def mapping(self, name: str, default: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """Return a mapping whose names are texts; without a default it must be there."""
        return self._read(name, default, "a mapping", _mapping)

    def parsed(self, name: str, parse: Callable[[Any], _T], default: _T) -> _T:
        """Return what a function makes of the value; its ValueError says what is wrong with it."""
        if not self.has(name):
            return default
        try:
            return parse(self.value(name))
        except ValueError as error:
            raise self.wrong(name, str(error)) from None

    def section(self, name: str) -> "Entry | None":
        """Return the entry below a key; None if the key is not there."""
        if not self.has(name):
            return None
        line, node = self._nodes[name]
        if not isinstance(node, yaml.MappingNode):
            raise self._refused(line, name, plain(node), "a mapping")
        return Entry(node, self._file, self._key(name))

    def entries(self, name: str) -> "Sequence[Entry]":
        """Return the entries of a list below a key, which must be there; they inherit the keys of this one."""
        if not self.has(name):
            raise self.missing(name, "a list of mappings")
        return list(_listed(self._nodes[name][1], self._file, self._key(name), self))

    def has(self, name: str) -> bool:
        """Return whether a key is there; asking makes it known."""
        self._asked[name] = None
        return name in self._nodes

    def value(self, name: str) -> object:
        """Return the value of a key that is there."""
        line, node = self._nodes[name]
        try:
            return plain(node)
        except yaml.YAMLError:
            raise ConfigurationError(f"{self._file}:{line}: {self._key(name)}: is no plain YAML value") from None

    def wrong(self, name: str, what: str) -> ConfigurationError:
        """Return the error of a key whose value is wrong."""
        line = self._nodes[name][0] if name in self._nodes else self._line
        return ConfigurationError(f"{self._file}:{line}: {self._key(name)}: {what}")

    def missing(self, name: str, allowed: str) -> ConfigurationError:
        """Return the error of a key that must be there."""
        return ConfigurationError(f"{self._file}:{self._line}: {self._key(name)}: is missing; allowed: {allowed}")

    def done(self) -> None:
        """Say that all keys were asked for.

        Raises:
            ConfigurationError: There is another one.
        """
        for name, (line, _) in self._nodes.items():
            if name not in self._asked:
                allowed = ", ".join(sorted(self._asked))
                raise ConfigurationError(f"{self._file}:{line}: {self._key(name)}: unknown key; allowed: {allowed}")

    def _read(
        self,
        name: str,
        default: _T | None,
        allowed: str,
        read: Callable[[object], _T | None],
        *,
        inherits: bool = False,
    ) -> _T:
        if not self.has(name):
            outer = self._outer
            if inherits and outer is not None and name in outer._nodes:  # noqa: SLF001 -- of the same class
                return outer._read(name, default, allowed, read)  # noqa: SLF001 -- of the same class
            if default is None:
                raise self.missing(name, allowed)
            return default
        value = self.value(name)
        found = read(value)
        if found is None:
            raise self._refused(self._nodes[name][0], name, value, allowed)
        return found

    def _refused(self, line: int, name: str, value: object, allowed: str) -> ConfigurationError:
        shown = repr(value)
        shown = shown if len(shown) <= SHOWN_CHARS_MAX else shown[:SHOWN_CHARS_MAX] + "..."
        return ConfigurationError(f"{self._file}:{line}: {self._key(name)}: found {shown}; allowed: {allowed}")

    def _key(self, name: str) -> str:
        return f"{self.label}.{name}" if self.label else name


def listed(text: str, file: str) -> Sequence[Entry]:
    """Return the entries of a YAML text that is a list of mappings.

    Raises:
        ConfigurationError: It is none.
    """
    root = composed(text, file)
    if root is None:
        raise ConfigurationError(f"{file}:1: found nothing; allowed: a list of probes")
    return list(_listed(root, file, "", None))


def _listed(node: yaml.Node, file: str, label: str, outer: Entry | None) -> Iterator[Entry]:
    line = node.start_mark.line + 1
    if not isinstance(node, yaml.SequenceNode) or not node.value:
        raise ConfigurationError(f"{file}:{line}: {label or 'probes'}: found no list; allowed: a list of mappings")
    for number, item in enumerate(node.value, 1):
        if not isinstance(item, yaml.MappingNode):
            line = item.start_mark.line + 1
            raise ConfigurationError(f"{file}:{line}: {label or 'probes'}: found no mapping; allowed: keys and values")
        yield Entry(item, file, f"{label or 'probe'} {number}", outer)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value.strip() else None


def _number(value: object, low: float, high: float) -> float | None:
    fits = isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high
    return float(cast("float", value)) if fits else None


def _whole(value: object, low: int, high: int) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high else None


def _flag(value: object) -> bool | None:
    return value if isinstance(value, bool) else None


def _among(value: object, allowed: Sequence[str]) -> str | None:
    return value if isinstance(value, str) and value in allowed else None


def _texts(value: object) -> Sequence[str] | None:
    items = cast("list[object]", value) if isinstance(value, list) else [value]
    texts = [item for item in items if isinstance(item, str) and item]
    return texts if texts and len(texts) == len(items) else None


def _mapping(value: object) -> Mapping[str, Any] | None:
    if not isinstance(value, dict):
        return None
    fields = cast("dict[object, Any]", value)
    return cast("dict[str, Any]", fields) if all(isinstance(name, str) for name in fields) else None
