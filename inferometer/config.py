"""Knows how the configuration comes together: flag over environment over file over default; refuses to act on it.

A bad value is refused in one line that names where it stands, the key, what was found and what is allowed.

Source: design.md (configuration), spec/ui.md 10 (precedence), spec/reliability.md 8 (secrets).
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, SecretStr, ValidationError
from pydantic.fields import FieldInfo

from inferometer.config_schema import Config
from inferometer.config_sources import CONFIG_VARIABLE, Flags, Found, Key, from_environment, from_flags, from_yaml
from inferometer.errors import ConfigurationError
from inferometer.keys import Allowed

FILE_BYTES_MAX = 1 << 20
"""Largest configuration file."""
SECRET_BYTES_MAX = 64 << 10
"""Largest file that holds a secret."""
SHOWN_CHARACTERS_MAX = 60
"""Characters of a wrong value that a message repeats."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    allowed: str
    listed: bool
    secret: bool
    flag: bool


def load(
    file: Path | None = None,
    *,
    flags: Flags | None = None,
    environ: Mapping[str, str] | None = None,
) -> Config:
    """Read the configuration.

    Args:
        file: Configuration file; None looks at INFEROMETER_CONFIG and then at the usual place.
        flags: By dotted key, the flag's name and its value; None was not typed.
        environ: Environment; None reads the process's own.

    Raises:
        ConfigurationError: With one line that says what to mend and where.
    """
    env = os.environ if environ is None else environ
    path = file or _file_of(env)
    found = from_yaml(_text(path), str(path)) if path else {}
    return check(found | from_environment(env) | from_flags(flags or {}))


def check(found: Mapping[Key, Found]) -> Config:
    """Turn found values into a configuration.

    Raises:
        ConfigurationError: A key is unknown or a value is wrong.
    """
    tree: dict[str, Any] = {}
    for key, value in found.items():
        if key in _SECTIONS and value.value in (None, {}):
            continue
        field = _FIELDS.get(key)
        if field is None:
            raise ConfigurationError(_unknown(key, value))
        branch = tree
        for part in key[:-1]:
            branch = branch.setdefault(part, {})
        branch[key[-1]] = _typed(value, field, key)
    try:
        config = Config.model_validate(tree)
    except ValidationError as error:
        raise ConfigurationError(_wrong(error, found)) from None
    if config.is_scraped_too_seldom:
        raise ConfigurationError(_too_seldom(config, found[_INTERVAL]))
    return config


def shown(config: Config) -> dict[str, Any]:
    """Return the effective configuration for people and JSON: every secret as `****`."""
    return cast("dict[str, Any]", _masked(config.model_dump()))


def secret(value: SecretStr | None, file: str | None, key: str) -> str:
    """Return a secret given by value or by file; empty if neither is set.

    Raises:
        ConfigurationError: The file cannot be read.
    """
    if file is None:
        return value.get_secret_value() if value else ""
    return _text(Path(file), SECRET_BYTES_MAX, f"{key}_file: ").strip()


def _file_of(environ: Mapping[str, str]) -> Path | None:
    if named := environ.get(CONFIG_VARIABLE):
        return Path(named)
    home = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME", "~")).expanduser() / ".config")
    usual = Path(home) / "inferometer" / "config.yaml"
    return usual if usual.is_file() else None


def _text(path: Path, bytes_max: int = FILE_BYTES_MAX, prefix: str = "") -> str:
    try:
        with path.expanduser().open("rb") as stream:
            data = stream.read(bytes_max + 1)
        text = data.decode()
    except OSError as error:
        raise ConfigurationError(f"{prefix}{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{prefix}{path}: is not UTF-8 text") from None
    if len(data) > bytes_max:
        raise ConfigurationError(f"{prefix}{path}: is larger than {bytes_max} bytes")
    return text


def _typed(found: Found, field: _Field, key: Key) -> object:
    # pydantic would read `port: yes`, a boolean in YAML, as the number 1.
    if isinstance(found.value, bool) and not field.flag:
        raise ConfigurationError(f"{found.where}: {'.'.join(key)}: found {found.value}; allowed: {field.allowed}")
    if field.listed and found.text and isinstance(found.value, str):
        return [word.strip() for word in found.value.split(",") if word.strip()]
    return found.value


def _unknown(key: Key, found: Found) -> str:
    """Say in one line what is wrong with a key that holds no value, and what was probably meant."""
    name = ".".join(key)
    if key in _SECTIONS:
        return f"{found.where}: {name}: found {_quoted(found.value)}; allowed: {_names(key)}"
    above = [key[:depth] for depth in range(len(key) - 1, -1, -1)]
    if holder := next((part for part in above if part in _FIELDS), None):
        return f"{found.where}: {'.'.join(holder)}: found a mapping; allowed: {_FIELDS[holder].allowed}"
    section = next(part for part in above if part in _SECTIONS)
    return f"{found.where}: {name}: unknown key{_nearest(name)}; allowed: {_names(section)}"


def _nearest(name: str) -> str:
    known = {".".join(key): None for key in _FIELDS}
    ends = {key.rsplit(".", 1)[-1]: key for key in known}
    close = get_close_matches(name, known, 1) or [ends[end] for end in get_close_matches(name, ends, 1)]
    return f", nearest is {close[0]}" if close else ""


def _names(section: Key) -> str:
    depth = len(section)
    names = {key[depth] for key in (*_FIELDS, *_SECTIONS) if len(key) > depth and key[:depth] == section}
    return ("keys " if section else "") + ", ".join(sorted(names))


def _wrong(error: ValidationError, found: Mapping[Key, Found]) -> str:
    """Say in one line what is wrong with a value; of several wrong ones the first, and how many more there are."""
    first, *others = error.errors(include_url=False)
    path = tuple(str(part) for part in first["loc"])
    key = next(path[:depth] for depth in range(len(path), 0, -1) if path[:depth] in found)
    field = _FIELDS[key]
    cause = first.get("ctx", {}).get("error")
    value = "****" if field.secret else _quoted(found[key].value)
    what = str(cause) if isinstance(cause, ValueError) else f"found {value}; allowed: {field.allowed}"
    more = f" ({len(others)} more wrong)" if others else ""
    return f"{found[key].where}: {'.'.join(key)}: {what}{more}"


def _too_seldom(config: Config, interval: Found) -> str:
    allowed = f"seconds above 0, at most {config.hints.ttl_s / 2:g}, half of hints.ttl_s: hints.targets asks for hints"
    return f"{interval.where}: {'.'.join(_INTERVAL)}: found {config.probe.engine_interval_s:g}; allowed: {allowed}"


def _quoted(value: object) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS_MAX else text[:SHOWN_CHARACTERS_MAX] + "..."


def _masked(value: object) -> object:
    if isinstance(value, dict):
        return {name: _masked(inner) for name, inner in cast("dict[str, object]", value).items()}
    return "****" if isinstance(value, SecretStr) else value


def _walk(model: type[BaseModel], above: Key = ()) -> Iterator[tuple[Key, FieldInfo, type[BaseModel] | None]]:
    for name, field in model.model_fields.items():
        inner = field.annotation
        section = inner if isinstance(inner, type) and issubclass(inner, BaseModel) else None
        yield (*above, name), field, section
        yield from _walk(section, (*above, name)) if section else ()


def _field(field: FieldInfo) -> _Field:
    allowed = next(item.words for item in field.metadata if isinstance(item, Allowed))
    text = str(field.annotation)
    return _Field(allowed=allowed, listed="tuple" in text, secret="SecretStr" in text, flag="bool" in text)


_INTERVAL: Key = ("probe", "engine_interval_s")
"""Within bounds by default, whatever the other keys say, so it is found where it is not."""
_FIELDS = {key: _field(field) for key, field, section in _walk(Config) if not section}
_SECTIONS: set[Key] = {(), *(key for key, _, section in _walk(Config) if section)}
