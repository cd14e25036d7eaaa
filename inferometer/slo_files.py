"""Knows how SLO files are read: which files a path means, and YAML with the line of each value; refuses to know kinds.

A path is a file, or a folder, of which every `.yaml` and `.yml` below is read in the order of names. Dates stay texts,
for a start time has no zone of its own.

Source: spec/slo.md 1 (several documents per file, several files; errors name file and line).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from inferometer.errors import ConfigurationError
from slo.documents import Scalar, Written
from slo.errors import ObjectiveError
from slo.openslo import Loaded, load

FILES_MAX = 500
"""Files of one call."""
FILE_BYTES_MAX = 1 << 18
"""Largest file."""
VALUES_MAX = 20_000
"""Values of one file; an alias counts each time that it stands."""
DEPTH_MAX = 32
"""Deepest nesting of a file; an alias may point at what it stands in."""


def loaded(paths: Sequence[Path]) -> Loaded:
    """Return what files and folders say, all together.

    Raises:
        ConfigurationError: A file cannot be read, or something in it is wrong; with file and line.
    """
    written = [one for path in files(paths) for one in documents(path)]
    try:
        return load(written)
    except ObjectiveError as error:
        raise ConfigurationError(str(error)) from None


def files(paths: Sequence[Path]) -> list[Path]:
    """Return the files that paths mean, each once.

    Raises:
        ConfigurationError: A path is neither file nor folder, a folder holds none, or there are too many.
    """
    found: dict[Path, None] = {}
    for path in paths:
        below = sorted(one for one in path.rglob("*") if one.suffix in {".yaml", ".yml"}) if path.is_dir() else [path]
        if not below or not (path.is_dir() or path.is_file()):
            raise ConfigurationError(f"{path}: found no file; allowed: a file, or a folder with .yaml files")
        found |= dict.fromkeys(below)
    if len(found) > FILES_MAX:
        raise ConfigurationError(f"{len(found)} files; allowed are {FILES_MAX}")
    return list(found)


def documents(path: Path) -> list[Written]:
    """Return the documents of a file; empty ones are left out.

    Raises:
        ConfigurationError: The file cannot be read, or is no YAML.
    """
    return written(_text(path), str(path))


def written(text: str, name: str) -> list[Written]:
    """Return the documents of a YAML text; empty ones are left out.

    Args:
        text: The text.
        name: What the places of its values begin with.

    Raises:
        ConfigurationError: It is no YAML.
    """
    reader = _Reader(name)
    try:
        nodes = list(yaml.compose_all(text, Loader=yaml.SafeLoader))
        return [reader.written(node) for node in nodes if node.value != ""]
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigurationError(f"{name}:{line}: not valid YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigurationError(f"{name}:1: not valid YAML: {' '.join(str(error).split())}") from None


class _Reader:
    """Turns the nodes of one file into values with their lines."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._values = 0
        self._loader = yaml.SafeLoader("")

    def written(self, node: yaml.Node, depth: int = 1) -> Written:
        where = f"{self._name}:{node.start_mark.line + 1}"
        self._values += 1
        if depth > DEPTH_MAX or self._values > VALUES_MAX:
            raise ConfigurationError(
                f"{where}: nested deeper than {DEPTH_MAX} levels, or more than {VALUES_MAX} values"
            )
        if isinstance(node, yaml.MappingNode):
            return Written(value=dict(self._pairs(node, depth)), where=where)
        if isinstance(node, yaml.SequenceNode):
            return Written(value=[self.written(one, depth + 1) for one in node.value], where=where)
        return Written(value=self._scalar(node, where), where=where)

    def _pairs(self, node: yaml.MappingNode, depth: int) -> Iterator[tuple[str, Written]]:
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                raise ConfigurationError(f"{self._name}:{key.start_mark.line + 1}: {name}: stands twice")
            seen.add(name)
            yield name, self.written(value, depth + 1)

    def _scalar(self, node: yaml.Node, where: str) -> Scalar:
        if node.tag.endswith(":timestamp"):
            return str(node.value)
        allowed = f"{where}: found {node.tag}; allowed: texts, numbers, true and false"
        try:
            value: object = self._loader.construct_document(node)  # pyright: ignore[reportUnknownMemberType] -- untyped in the stub
        except yaml.YAMLError:
            raise ConfigurationError(allowed) from None
        if not isinstance(value, Scalar):
            raise ConfigurationError(allowed)
        return value


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            data = stream.read(FILE_BYTES_MAX + 1)
        if len(data) > FILE_BYTES_MAX:
            raise ConfigurationError(f"{path}: is larger than {FILE_BYTES_MAX} bytes")
        return data.decode()
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path}: is not UTF-8 text") from None
