"""Knows how an expression becomes SQL, of what was stored or of what a request cut short tells; refuses to run it.

A condition becomes a number: 2 holds, 0 does not, 1 cannot be known; `and` is the least, `or` the greatest, `not` is
2 less it. A number becomes a pair, the least and the most that it may be, which are equal where it is known. Names come
from enums, values travel beside the text.

A comparison of what is unknown holds for the figures in which a good request may lack (no wait between tokens existed),
and fails for any other.

Source: spec/slo.md 1 (NULL, compile to SQL), 3 (censoring).
"""

from collections.abc import Callable, Mapping

from slo.terms import (
    Among,
    Both,
    Call,
    Compare,
    Condition,
    Either,
    Function,
    Macro,
    Negative,
    Node,
    Not,
    Number,
    Operator,
    Product,
    Sum,
    Term,
    Text,
    nodes,
)
from telemetry.queries.bounds import CENSORED, NEVER_UNKNOWN, UNKNOWN_IS_FINE, Figure, Flag, Word
from telemetry.queries.counted import BY_CLASS, FALSE, TRUE, UNKNOWN, Clause, Value

_Pair = tuple[str, str]
_OPEN_WORDS = frozenset({Word.OUTCOME, Word.ORIGIN, Word.FINISH_REASON})
"""Texts that would have been others if the client had stayed."""


def stored(condition: Condition) -> Clause:
    """Return a condition on what was stored: which requests an objective speaks of, and which count."""
    return _Compiler(cut=False).clause(condition)


def judged(condition: Condition) -> Clause:
    """Return a condition that knows what a request cut short still tells: whether it was good."""
    return _Compiler(cut=True).clause(condition)


class _Compiler:
    """Turns one condition into a clause; gathers its values on the way."""

    def __init__(self, *, cut: bool) -> None:
        self._cut = cut
        self._values: list[Value] = []
        self._places: dict[int, int] = {}

    def clause(self, condition: Condition) -> Clause:
        return Clause(sql=self._truth(condition), values=tuple(self._values))

    def _truth(self, node: Condition) -> str:
        match node:
            case Both() | Either():
                of = ", ".join(map(self._truth, node.of))
                return f"{'least' if isinstance(node, Both) else 'greatest'}({of})"
            case Not():
                return f"({TRUE} - {self._truth(node.of)})"
            case Compare():
                return self._compared(node)
            case Among():
                return self._among(node)
            case bool():
                return str(TRUE if node else FALSE)
            case Flag():
                return f"if({node.value}, {TRUE}, {FALSE})"
            case Macro():
                return BY_CLASS if self._cut else f"if(toString(outcome) = 'ok', {TRUE}, {FALSE})"

    def _compared(self, node: Compare) -> str:
        if isinstance(node.left, Text | Word) and isinstance(node.right, Text | Word):
            sign = "=" if node.operator is Operator.EQUAL else "!="
            held = f"if({self._text(node.left)} {sign} {self._text(node.right)}, {TRUE}, {FALSE})"
            return self._unless_open(held, node.left, node.right)
        return self._unless_unknown(_SIDES[node.operator](self._pair(node.left), self._pair(node.right)), node)

    def _among(self, node: Among) -> str:
        values = self._value(node, node.values)
        if isinstance(node.left, Text | Word):
            return self._unless_open(f"if(has({values}, {self._text(node.left)}), {TRUE}, {FALSE})", node.left)
        low, high = self._pair(node.left)
        known = f"multiIf({low} != {high}, {UNKNOWN}, has({values}, {low}), {TRUE}, {FALSE})"
        return self._unless_unknown(known, node)

    def _unless_open(self, held: str, *terms: Text | Word) -> str:
        still_open = f"class = {CENSORED}" if self._cut and _OPEN_WORDS.intersection(terms) else ""
        return f"if({still_open}, {UNKNOWN}, {held})" if still_open else held

    def _unless_unknown(self, known: str, node: Compare | Among) -> str:
        cases: list[str] = []
        for leaf, fine in sorted(_leaves(node), key=lambda one: one[1]):
            cases.append(f"isNull({self._pair(leaf)[0]}), {TRUE if fine else FALSE}")
        return f"multiIf({', '.join(cases)}, {known})" if cases else known

    def _text(self, node: Text | Word) -> str:
        return self._value(node, node.value) if isinstance(node, Text) else f"toString({node.value})"

    def _pair(self, node: Term) -> _Pair:
        match node:
            case Figure():
                ends = ("lo", "hi") if self._cut else ("raw", "raw")
                return f"{node.value}_{ends[0]}", f"{node.value}_{ends[1]}"
            case Negative():
                low, high = self._pair(node.of)
                return f"(0 - {high})", f"(0 - {low})"
            case Sum():
                one, other = self._pair(node.left), self._pair(node.right)
                low, high = _minus(one, other) if node.minus else _plus(one, other)
                return (_known(low, "-inf"), _known(high, "inf")) if _both_vary(node) else (low, high)
            case Product():
                factor, (low, high) = self._value(node.factor, node.factor.value), self._pair(node.of)
                return f"{factor} * {low}", f"{factor} * {high}"
            case Call():
                return self._called(node)
            case Number() | Text() | Word():
                # A text is refused before it gets here: a number is all that is left.
                value = self._value(node, node.value)
                return value, value

    def _called(self, node: Call) -> _Pair:
        pairs = [self._pair(part) for part in node.of]
        name = _FUNCTIONS[node.function]
        return f"{name}({', '.join(low for low, _ in pairs)})", f"{name}({', '.join(high for _, high in pairs)})"

    def _value(self, node: Node, value: Value) -> str:
        """Return the place of a node's value; what stands where depends on the nodes and never on their values."""
        if id(node) not in self._places:
            self._places[id(node)] = len(self._values)
            self._values.append(value)
        return f"${self._places[id(node)]}"


_FUNCTIONS = {Function.MIN: "least", Function.MAX: "greatest", Function.COALESCE: "coalesce"}


def _plus(one: _Pair, other: _Pair) -> _Pair:
    return f"({one[0]} + {other[0]})", f"({one[1]} + {other[1]})"


def _minus(one: _Pair, other: _Pair) -> _Pair:
    return f"({one[0]} - {other[1]})", f"({one[1]} - {other[0]})"


def _both_vary(node: Sum) -> bool:
    """Return whether a sum may be endless less endless, which is no number."""
    return all(any(isinstance(part, Figure) for part in nodes(side)) for side in (node.left, node.right))


def _known(sql: str, otherwise: str) -> str:
    # The lambda names the value, so that a long sum is not written twice at each of its steps.
    return f"arrayMap(x -> if(isNaN(x), {otherwise}, x), [{sql}])[1]"


def _less(one: _Pair, other: _Pair) -> str:
    return f"multiIf({one[1]} < {other[0]}, {TRUE}, {one[0]} >= {other[1]}, {FALSE}, {UNKNOWN})"


def _at_most(one: _Pair, other: _Pair) -> str:
    return f"multiIf({one[1]} <= {other[0]}, {TRUE}, {one[0]} > {other[1]}, {FALSE}, {UNKNOWN})"


def _equal(one: _Pair, other: _Pair, same: int = TRUE) -> str:
    apart = f"{one[1]} < {other[0]} OR {other[1]} < {one[0]}"
    alike = f"{one[0]} = {other[1]} AND {one[1]} = {other[0]}"
    return f"multiIf({apart}, {TRUE - same}, {alike}, {same}, {UNKNOWN})"


_SIDES: Mapping[Operator, Callable[[_Pair, _Pair], str]] = {
    Operator.EQUAL: _equal,
    Operator.UNEQUAL: lambda one, other: _equal(one, other, FALSE),
    Operator.LESS: _less,
    Operator.LESS_EQUAL: _at_most,
    Operator.GREATER: lambda one, other: _less(other, one),
    Operator.GREATER_EQUAL: lambda one, other: _at_most(other, one),
}


def _leaves(node: Node) -> set[tuple[Term, bool]]:
    """Return what a comparison rests on and may be unknown, and whether it is fine if it is."""
    match node:
        case Figure():
            return set() if node in NEVER_UNKNOWN else {(node, node in UNKNOWN_IS_FINE)}
        case Call(function=Function.COALESCE):
            parts = [_leaves(part) for part in node.of]
            fine = all(flag for part in parts for _, flag in part)
            return {(node, fine)} if all(parts) else set()
        case Call():
            return {leaf for part in node.of for leaf in _leaves(part)}
        case Compare() | Sum():
            return _leaves(node.left) | _leaves(node.right)
        case Among():
            return _leaves(node.left)
        case Negative() | Product():
            return _leaves(node.of)
        case _:
            return set()


def needed(condition: Condition) -> tuple[Figure, ...]:
    """Return the figures that a condition names and that may be unknown."""
    found = {node for node in nodes(condition) if isinstance(node, Figure)} - NEVER_UNKNOWN
    return tuple(one for one in Figure if one in found)
