"""Knows what an expression is made of; refuses to know how it is read, and what a request says.

Source: spec/slo.md 1 (grammar, fields, macros).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from telemetry.queries.bounds import Figure, Flag, Word


class Macro(StrEnum):
    """Conditions with a name."""

    OK = "ok"
    COMPLETE = "complete"


class Operator(StrEnum):
    """Comparisons."""

    EQUAL = "=="
    UNEQUAL = "!="
    LESS = "<"
    LESS_EQUAL = "<="
    GREATER = ">"
    GREATER_EQUAL = ">="


class Function(StrEnum):
    """What makes one number of several; `coalesce` is the first that is known."""

    MIN = "min"
    MAX = "max"
    COALESCE = "coalesce"


@dataclass(frozen=True, slots=True)
class Number:
    """A number, at least 0; seconds or a count."""

    value: float


@dataclass(frozen=True, slots=True)
class Text:
    """A text."""

    value: str


@dataclass(frozen=True, slots=True)
class Negative:
    """A number with its sign turned."""

    of: "Term"


@dataclass(frozen=True, slots=True)
class Sum:
    """Two numbers added, or the second taken from the first."""

    left: "Term"
    right: "Term"
    minus: bool = False


@dataclass(frozen=True, slots=True)
class Product:
    """A number times a term."""

    factor: Number
    of: "Term"


@dataclass(frozen=True, slots=True)
class Call:
    """A function of numbers."""

    function: Function
    of: "tuple[Term, ...]"


@dataclass(frozen=True, slots=True)
class Compare:
    """Two numbers, or two texts, side by side."""

    operator: Operator
    left: "Term"
    right: "Term"


@dataclass(frozen=True, slots=True)
class Among:
    """A number or text that is one of several."""

    left: "Term"
    values: tuple[float, ...] | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a condition."""

    of: "Condition"


@dataclass(frozen=True, slots=True)
class Both:
    """Conditions that all hold."""

    of: "tuple[Condition, ...]"


@dataclass(frozen=True, slots=True)
class Either:
    """Conditions of which one holds."""

    of: "tuple[Condition, ...]"


_WHOLE_MOST = 1e15
"""Whole numbers below it are written without a point."""

Term = Number | Text | Figure | Word | Negative | Sum | Product | Call
Condition = bool | Flag | Macro | Compare | Among | Not | Both | Either
Node = Term | Condition


def nodes(node: Node) -> Iterator[Node]:
    """Return a node and all below it."""
    yield node
    match node:
        case Negative() | Product() | Not():
            yield from nodes(node.of)
        case Sum() | Compare():
            yield from nodes(node.left)
            yield from nodes(node.right)
        case Among():
            yield from nodes(node.left)
        case Call() | Both() | Either():
            for part in node.of:
                yield from nodes(part)
        case _:
            return


def figures(condition: Condition) -> tuple[Figure, ...]:
    """Return the figures that a condition names, in the order of `Figure`."""
    found = {node for node in nodes(condition) if isinstance(node, Figure)}
    return tuple(one for one in Figure if one in found)


def written(node: Node) -> str:
    """Return the text of a node, one for every way to write it, which `slo.expression.parse` reads as the same."""
    match node:
        case bool():
            return str(node).lower()
        case Number():
            return _figures(node.value)
        case Text():
            return _quoted(node.value)
        case Call():
            return f"{node.function.value}({', '.join(map(written, node.of))})"
        case Figure() | Word() | Flag() | Macro():
            return node.value
        case Among():
            values = [_quoted(value) if isinstance(value, str) else _figures(value) for value in node.values]
            return f"{written(node.left)} in ({', '.join(values)})"
        case _:
            return _joined(node)


def _joined(node: Negative | Sum | Product | Compare | Not | Both | Either) -> str:
    match node:
        case Negative():
            return f"-{_inner(node.of)}"
        case Not():
            return f"not {_inner(node.of)}"
        case Sum():
            return f"{_inner(node.left)} {'-' if node.minus else '+'} {_inner(node.right)}"
        case Product():
            return f"{written(node.factor)} * {_inner(node.of)}"
        case Compare():
            return f"{written(node.left)} {node.operator.value} {written(node.right)}"
        case Both() | Either():
            return (" and " if isinstance(node, Both) else " or ").join(map(_inner, node.of))


def _inner(node: Node) -> str:
    """Return the text of a part, in parentheses where it might be read as a part of something else."""
    text = written(node)
    return f"({text})" if isinstance(node, Sum | Product | Compare | Among | Not | Both | Either) else text


def _figures(value: float) -> str:
    return repr(int(value)) if value.is_integer() and abs(value) < _WHOLE_MOST else repr(value)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
