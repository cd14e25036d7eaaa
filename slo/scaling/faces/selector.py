"""Knows label selectors as Kubernetes writes and reads them; refuses to know what is selected.

    k=v  k==v  k!=v  k in (a,b)  k notin (a,b)  k  !k  k>1  k<1        joined by commas, all of which must hold

A selector of nothing selects all. An order holds between whole numbers alone.

Source: k8s.io/apimachinery pkg/labels/selector.go (Parse, Requirement.Matches, String).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

REQUIREMENTS_MAX = 32
"""Most requirements of a selector."""
SELECTOR_CHARS_MAX = 2_048
"""Longest selector."""


class SelectorError(ValueError):
    """A selector that cannot be read."""


class Operator(StrEnum):
    """How a label is held against values."""

    IN = "in"
    NOT_IN = "notin"
    EXISTS = "exists"
    ABSENT = "!"
    ABOVE = ">"
    BELOW = "<"


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What one label must be.

    Attributes:
        key: Name of the label.
        operator: How it is compared.
        values: With what.
    """

    key: str
    operator: Operator
    values: tuple[str, ...] = ()

    def holds(self, labels: Mapping[str, str]) -> bool:
        """Return whether labels meet it."""
        value = labels.get(self.key)
        match self.operator:
            case Operator.IN:
                return value in self.values
            case Operator.NOT_IN:
                return value not in self.values
            case Operator.EXISTS:
                return value is not None
            case Operator.ABSENT:
                return value is None
            case _:
                return value is not None and self._ordered(value)

    def _ordered(self, value: str) -> bool:
        if not _INTEGER.fullmatch(value):
            return False
        number, bound = int(value), int(self.values[0])
        return number > bound if self.operator is Operator.ABOVE else number < bound


def holds(selector: Sequence[Requirement], labels: Mapping[str, str]) -> bool:
    """Return whether labels meet a whole selector."""
    return all(one.holds(labels) for one in selector)


def parsed(text: str) -> tuple[Requirement, ...]:
    """Return a selector.

    Raises:
        SelectorError: It cannot be read; says where.
    """
    if len(text) > SELECTOR_CHARS_MAX:
        raise SelectorError(f"has {len(text)} characters, allowed are {SELECTOR_CHARS_MAX}")
    parts = _OUTSIDE_COMMA.split(text) if text.strip() else []
    if len(parts) > REQUIREMENTS_MAX:
        raise SelectorError(f"has {len(parts)} requirements, allowed are {REQUIREMENTS_MAX}")
    return tuple(_requirement(part.strip()) for part in parts)


_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?"
_VALUE = r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)?"
_OUTSIDE_COMMA = re.compile(r",(?![^(]*\))")
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_SET = re.compile(rf"(?P<key>{_NAME})\s+(?P<how>in|notin)\s*\((?P<values>[^()]*)\)")
_COMPARED = re.compile(rf"(?P<key>{_NAME})\s*(?P<how>==|!=|=|>|<)\s*(?P<value>{_VALUE})")
_BARE = re.compile(rf"(?P<absent>!?)\s*(?P<key>{_NAME})")
_SIGNS = {
    "=": Operator.IN,
    "==": Operator.IN,
    "!=": Operator.NOT_IN,
    ">": Operator.ABOVE,
    "<": Operator.BELOW,
}


def _requirement(part: str) -> Requirement:
    if found := _SET.fullmatch(part):
        values = tuple(value.strip() for value in found["values"].split(","))
        if all(re.fullmatch(_VALUE, value) for value in values):
            return Requirement(key=found["key"], operator=Operator(found["how"]), values=values)
    if found := _COMPARED.fullmatch(part):
        operator, value = _SIGNS[found["how"]], found["value"]
        if operator in {Operator.IN, Operator.NOT_IN} or _INTEGER.fullmatch(value):
            return Requirement(key=found["key"], operator=operator, values=(value,))
    if found := _BARE.fullmatch(part):
        return Requirement(key=found["key"], operator=Operator.ABSENT if found["absent"] else Operator.EXISTS)
    raise SelectorError(f"found {part!r}; allowed: k=v, k!=v, k in (a,b), k notin (a,b), k, !k, k>1, k<1")
