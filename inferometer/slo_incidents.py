"""Knows the file of incidents that people marked; refuses to know what is compared with them.

    start,end,service,label
    2026-11-02T10:15:00Z,2026-11-02T10:42:00Z,chat,bad deploy

A time without a zone is UTC; an empty service means all.

Source: spec/slo.md 15 (`start,end,service,label`).
"""

import csv
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from inferometer.errors import ConfigurationError
from slo.score import Incident

INCIDENTS_MAX = 10_000
"""Lines of one file."""
FIELDS = ("start", "end", "service", "label")


def incidents(path: Path) -> list[Incident]:
    """Return the incidents of a file.

    Raises:
        ConfigurationError: It cannot be read, or something in it is wrong; with file and line.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            return list(_incidents(path, stream))
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path}: is not UTF-8 text") from None


def _incidents(path: Path, stream: TextIO) -> Iterator[Incident]:
    reader = csv.reader(stream, strict=True)
    try:
        head = next(reader, list[str]())
        if tuple(word.strip() for word in head) != FIELDS:
            raise ConfigurationError(f"{path}:1: found {','.join(head)!r}; allowed: {','.join(FIELDS)}")
        for n, words in enumerate(reader, start=1):
            if n > INCIDENTS_MAX:
                raise ConfigurationError(f"{path}:{reader.line_num}: more than {INCIDENTS_MAX} incidents")
            if words:
                yield _incident(f"{path}:{reader.line_num}", words)
    except csv.Error as error:
        raise ConfigurationError(f"{path}:{reader.line_num}: not valid CSV: {error}") from None


def _incident(where: str, words: list[str]) -> Incident:
    if len(words) != len(FIELDS):
        raise ConfigurationError(f"{where}: found {len(words)} values; allowed: {len(FIELDS)}, {','.join(FIELDS)}")
    start, end, service, label = (word.strip() for word in words)
    start_s, end_s = _unix_s(where, "start", start), _unix_s(where, "end", end)
    if end_s <= start_s:
        raise ConfigurationError(f"{where}: end: found {end!r}; allowed: a time after the start, {start!r}")
    return Incident(start_s=start_s, end_s=end_s, service=service, label=label)


def _unix_s(where: str, field: str, text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"{where}: {field}: found {text!r}; allowed: a time like 2026-01-31T12:00:00Z"
        ) from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
