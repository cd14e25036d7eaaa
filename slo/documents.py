"""Knows how a written document is read key by key, each value with its line; refuses to know which keys exist.

What is wrong is gathered and not raised at once, so that a person hears of the first mistake and how many there are.

Source: spec/slo.md 1 (errors name file, line, key, found, allowed; lints warn).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from slo.errors import ObjectiveError

SHOWN_CHARACTERS_MAX = 60
"""Characters of a wrong value that a message repeats."""

Scalar = str | int | float | bool | None
Choice = TypeVar("Choice", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A value as it was written.

    Attributes:
        value: A scalar, or what is below it.
        where: File and line, `objectives/chat.yaml:12`.
    """

    value: "Scalar | Mapping[str, Written] | list[Written]"
    where: str


@dataclass(slots=True)
class Findings:
    """What was found wrong, and what is worth a word though it is not."""

    errors: list[ObjectiveError] = field(default_factory=list[ObjectiveError])
    lints: list[str] = field(default_factory=list[str])

    def error(self, where: str, key: str, found: str, allowed: str) -> None:
        """Keep a mistake."""
        self.errors.append(ObjectiveError(where, key, found, allowed))

    def lint(self, where: str, key: str, text: str) -> None:
        """Keep a word of warning."""
        self.lints.append(f"{where}: {key}: {text}")

    def check(self) -> None:
        """Raise the first mistake, with the number of the others.

        Raises:
            ObjectiveError: There is one.
        """
        # What is referred to is read where it stands and where it is used, so a mistake may be found twice.
        unique: dict[tuple[str, str], ObjectiveError] = {}
        for error in self.errors:
            unique.setdefault((error.where, error.key), error)
        found = sorted(unique.values(), key=_by_line)
        if found:
            first, others = found[0], len(found) - 1
            more = f" ({others} more wrong)" if others else ""
            raise ObjectiveError(first.where, first.key, first.found, first.allowed + more)


class Section:
    """A mapping of a document. Each reader of a key takes it; `end` complains of those that nobody took."""

    def __init__(self, written: Written, key: str, findings: Findings) -> None:
        """Look at a value as a mapping; if it is none that is a mistake, and no key is found.

        Args:
            written: The value.
            key: Its path within the document, for messages.
            findings: Where mistakes are kept.
        """
        self.where, self.key, self.findings = written.where, key, findings
        self.taken: list[str] = []
        self._values: Mapping[str, Written] = written.value if isinstance(written.value, Mapping) else {}
        if not isinstance(written.value, Mapping):
            findings.error(written.where, key or "document", shown(written.value), "a mapping")

    def __contains__(self, name: str) -> bool:
        """Return whether a key stands here and holds something."""
        return name in self._values and self._values[name].value is not None

    def path(self, name: str) -> str:
        """Return the path of a key."""
        return f"{self.key}.{name}" if self.key else name

    def place(self, name: str) -> str:
        """Return where a key's value stands; if there is none, where the mapping stands."""
        return self._values[name].where if name in self._values else self.where

    def wrong(self, name: str, allowed: str, found: str | None = None) -> None:
        """Keep a mistake in a key."""
        value = self._values[name].value if name in self._values else None
        told = found if found is not None else shown(value) if name in self._values else "nothing"
        self.findings.error(self.place(name), self.path(name), told, allowed)

    def lint(self, name: str, text: str) -> None:
        """Keep a word of warning about a key."""
        self.findings.lint(self.place(name), self.path(name), text)

    def raw(self, name: str) -> Written | None:
        """Return a value as it was written; None if there is none."""
        self.taken.append(name)
        return self._values[name] if name in self else None

    def text(self, name: str, *, allowed: str = "a text", required: bool = False, most: int | None = None) -> str:
        """Return a text; empty if there is none, or it is a mistake."""
        written = self.raw(name)
        if written is None:
            if required:
                self.wrong(name, allowed)
            return ""
        if not isinstance(written.value, str):
            self.wrong(name, allowed)
            return ""
        if most is not None and len(written.value) > most:
            self.wrong(name, f"at most {most} characters", f"{len(written.value)} characters")
        return written.value

    def number(self, name: str, allowed: str, *, required: bool = False) -> float | None:
        """Return a number; None if there is none, or it is a mistake."""
        written = self.raw(name)
        if written is not None and not isinstance(written.value, bool) and isinstance(written.value, int | float):
            return float(written.value)
        if written is not None or required:
            self.wrong(name, allowed)
        return None

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a truth value."""
        written = self.raw(name)
        if written is None:
            return default
        if not isinstance(written.value, bool):
            self.wrong(name, "true or false")
            return default
        return written.value

    def choice(self, name: str, kind: type[Choice], *, default: Choice | None = None) -> Choice | None:
        """Return one of a closed set, in any letter case; the default if there is none, None if it is a mistake."""
        allowed = ", ".join(kind)
        text = self.text(name, allowed=allowed, required=default is None)
        if not text:
            return default
        found = next((one for one in kind if one.value.lower() == text.lower()), None)
        if found is None:
            self.wrong(name, allowed)
        return found

    def section(self, name: str) -> "Section | None":
        """Return the mapping below a key; None if there is none."""
        written = self.raw(name)
        return None if written is None else Section(written, self.path(name), self.findings)

    def listed(self, name: str, *, required: bool = False) -> list[tuple[str, Written]]:
        """Return the elements of a list with their paths; none if there is none, or it is a mistake."""
        written = self.raw(name)
        if written is None:
            if required:
                self.wrong(name, "a list")
            return []
        if not isinstance(written.value, list):
            self.wrong(name, "a list")
            return []
        return [(f"{self.path(name)}[{at}]", one) for at, one in enumerate(written.value)]

    def sections(self, name: str, *, required: bool = False) -> "Iterator[Section]":
        """Yield the mappings of a list."""
        for key, one in self.listed(name, required=required):
            yield Section(one, key, self.findings)

    def members(self, name: str, allowed: Sequence[Choice]) -> tuple[Choice, ...]:
        """Return the members of a closed set that a list names."""
        found: list[Choice] = []
        for key, one in self.listed(name):
            word = next((member for member in allowed if member.value == one.value), None)
            if word is None:
                self.findings.error(one.where, key, shown(one.value), ", ".join(allowed))
            else:
                found.append(word)
        return tuple(found)

    def items(self) -> Iterator[tuple[str, Written]]:
        """Yield all keys and their values, and take them."""
        for name, value in self._values.items():
            self.taken.append(name)
            yield name, value

    def end(self) -> None:
        """Complain of every key that nobody took."""
        for name, value in self._values.items():
            if name not in self.taken:
                self.findings.error(value.where, self.path(name), "unknown key", ", ".join(dict.fromkeys(self.taken)))


def _by_line(error: ObjectiveError) -> tuple[str, int]:
    name, _, line = error.where.rpartition(":")
    return name, int(line) if line.isdigit() else 0


def shown(value: object) -> str:
    """Return a value for a message, cut where it is long."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS_MAX else text[:SHOWN_CHARACTERS_MAX] + "..."
