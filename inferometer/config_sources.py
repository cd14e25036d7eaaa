"""Knows where a configuration value can stand: YAML text, environment, flags; refuses to know which keys exist.

Each source becomes the same thing, values by key with the place where they stand, so that one check serves all.

Source: design.md (configuration), spec/ui.md 10 (precedence).
"""

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import yaml

from inferometer.errors import ConfigurationError

PREFIX = "INFEROMETER_"
CONFIG_VARIABLE = "INFEROMETER_CONFIG"
"""Names the configuration file; the one variable of ours that is no key."""

Key = tuple[str, ...]
Flags = Mapping[str, tuple[str, object]]
"""By dotted key, the flag's name and its value; None was not typed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A value and where it stands.

    Attributes:
        value: A YAML value, the text of a variable, or the value of a flag.
        where: `file:line`, a variable's name or a flag.
        text: Whether the source can only hold texts, so that a list is written with commas.
    """

    value: object
    where: str
    text: bool = False


def from_yaml(text: str, name: str) -> dict[Key, Found]:
    """Return the values of a YAML text by key, each with its line.

    Raises:
        ConfigurationError: The text is no YAML mapping, or a key stands twice.
    """
    with _refusing(name):
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        return {} if root is None else dict(_leaves(root, (), name))


def composed(text: str, name: str) -> yaml.Node | None:
    """Return the nodes of a YAML text, each of which knows its line; None if there are none.

    Raises:
        ConfigurationError: The text is no YAML.
    """
    with _refusing(name):
        return yaml.compose(text, Loader=yaml.SafeLoader)


def from_environment(environ: Mapping[str, str]) -> dict[Key, Found]:
    """Return the values of INFEROMETER_A__B variables by key."""
    names = sorted(name for name in environ if name.startswith(PREFIX) and name != CONFIG_VARIABLE)
    return {
        tuple(name.removeprefix(PREFIX).lower().split("__")): Found(value=environ[name], where=name, text=True)
        for name in names
    }


def from_flags(flags: Flags) -> dict[Key, Found]:
    """Return the values of the flags that were typed.

    Args:
        flags: By dotted key, the flag's name and its value; None was not typed.
    """
    return {
        tuple(key.split(".")): Found(value=value, where=flag, text=True)
        for key, (flag, value) in flags.items()
        if value is not None
    }


@contextmanager
def _refusing(name: str) -> Generator[None]:
    """Turn what YAML says into one line with the place."""
    try:
        yield
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigurationError(f"{name}:{line}: not valid YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{name}:1: not valid YAML: {' '.join(str(error).split())}") from None


def _leaves(node: yaml.Node, key: Key, name: str) -> Iterator[tuple[Key, Found]]:
    if isinstance(node, yaml.MappingNode) and (node.value or not key):
        yield from _children(node, key, name)
        return
    where = f"{name}:{node.start_mark.line + 1}"
    if not key:
        raise ConfigurationError(f"{where}: found no mapping; allowed: lines of the form `key: value`")
    yield key, Found(value=plain(node), where=where)


def _children(node: yaml.MappingNode, key: Key, name: str) -> Iterator[tuple[Key, Found]]:
    seen: set[str] = set()
    for part, value in node.value:
        word = str(part.value)
        if word in seen:
            raise ConfigurationError(f"{name}:{part.start_mark.line + 1}: {'.'.join((*key, word))}: stands twice")
        seen.add(word)
        yield from _leaves(value, (*key, word), name)


def plain(node: yaml.Node) -> object:
    """Return the value of a node.

    Raises:
        yaml.YAMLError: It has none, for example because of an unknown tag.
    """
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(node)  # pyright: ignore[reportUnknownMemberType] -- untyped in the stub
    finally:
        loader.dispose()
