"""Knows the closed language in which objectives speak of a request; refuses to know what a request says.

    condition  = conjunction {"or" conjunction}
    conjunction = negation {"and" negation}
    negation   = "not" negation | comparison
    comparison = sum [("==" | "!=" | "<" | "<=" | ">" | ">=") sum | "in" list]
    sum        = product {("+" | "-") product}
    product    = operand {"*" operand}, of which one is a number
    operand    = number | text | "true" | "false" | name | "-" operand
               | ("min" | "max" | "coalesce") "(" sum {"," sum} ")" | "(" condition ")"
    list       = "(" literal {"," literal} ")", or the same in square brackets

A text stands in single or double quotes; inside, the quote is doubled and nothing else is special. Names are those of
`telemetry.queries.bounds`, and the conditions `ok` (it ended well) and `complete` (its answer came to its end).

Source: spec/slo.md 1 (grammar, fields, macros).
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import TypeVar

from slo.errors import ObjectiveError
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
    written,
)
from telemetry.outcome import Origin, Outcome, Phase
from telemetry.queries.bounds import Figure, Flag, Word

EXPRESSION_CHARACTERS_MAX = 2_000
"""Longest expression."""
EXPRESSION_DEPTH_MAX = 24
"""Deepest nesting of parentheses, calls and negations; most terms of a sum, most factors of a product."""


Result = TypeVar("Result")

_ENUMS: dict[Word, frozenset[str]] = {
    Word.OUTCOME: frozenset(Outcome),
    Word.PHASE: frozenset(Phase),
    Word.ORIGIN: frozenset(Origin),
}
_NAMES: dict[str, Node] = {
    **{one.value: one for kind in (Figure, Word, Flag, Macro) for one in kind},
    "true": True,
    "false": False,
}
ALLOWED_NAMES = ", ".join(sorted(_NAMES))
_KEYWORDS = frozenset({"and", "or", "not", "in"})
_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<text>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\")|(?P<sign>==|!=|<=|>=|[<>+\-*(),\[\]]))",
)


def parse(text: str) -> Condition:
    """Return the condition that a text states.

    Raises:
        ObjectiveError: It is not of the language, is too long or too deep, or compares what cannot be compared. The
            error's `where` is empty, its `key` is `expr`.
    """
    if len(text) > EXPRESSION_CHARACTERS_MAX:
        raise _wrong(f"{len(text)} characters", f"{EXPRESSION_CHARACTERS_MAX}")
    reader = _Reader(list(_tokens(text)))
    node = reader.condition()
    if reader.kind:
        raise _wrong(reader.shown(), "and, or, a comparison, or the end")
    return _condition(node)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    at: int


def _tokens(text: str) -> Iterator[_Token]:
    at, end = 0, len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None or found.lastgroup is None:
            rest = text[at:].lstrip()
            raise _wrong(f"{rest[:1]!r} at character {len(text) - len(rest) + 1}", "names, numbers, texts in quotes")
        word = found[found.lastgroup]
        kind = "sign" if word in _KEYWORDS else found.lastgroup
        yield _Token(kind, word, found.start(found.lastgroup) + 1)
        at = found.end()


class _Reader:
    """Reads tokens from left to right, one method for each rule of the grammar."""

    def __init__(self, tokens: Sequence[_Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    @property
    def kind(self) -> str:
        return self._tokens[self._at].kind if self._at < len(self._tokens) else ""

    def shown(self) -> str:
        if not self.kind:
            return "the end"
        token = self._tokens[self._at]
        return f"{token.text!r} at character {token.at}"

    def condition(self) -> Node:
        return self._several("or", self._conjunction, Either)

    def _conjunction(self) -> Node:
        return self._several("and", self._negation, Both)

    def _several(
        self, word: str, part: Callable[[], Node], whole: Callable[[tuple[Condition, ...]], Condition]
    ) -> Node:
        first = part()
        found = [first]
        while self._took(word):
            found.append(part())
        return first if len(found) == 1 else whole(tuple(_condition(one) for one in found))

    def _negation(self) -> Node:
        if self._took("not"):
            return self._deeper(lambda: Not(_condition(self._negation())))
        return self._comparison()

    def _comparison(self) -> Node:
        left = self._sum()
        if self._took("in"):
            return _among(_term(left), self._list())
        for operator in Operator:
            if self._took(operator.value):
                return _compared(operator, _term(left), _term(self._sum()))
        return left

    def _sum(self) -> Node:
        found = self._product()
        for _ in range(EXPRESSION_DEPTH_MAX):
            if not (sign := self._took("+") or self._took("-")):
                return found
            found = _summed(_number(found), _number(self._product()), minus=sign == "-")
        raise _wrong("a longer sum", f"{EXPRESSION_DEPTH_MAX} terms")

    def _product(self) -> Node:
        found = self._operand()
        for _ in range(EXPRESSION_DEPTH_MAX):
            if not self._took("*"):
                return found
            found = _times(_number(found), _number(self._operand()))
        raise _wrong("a longer product", f"{EXPRESSION_DEPTH_MAX} factors")

    def _operand(self) -> Node:
        if self._took("-"):
            return self._deeper(lambda: _negative(_number(self._operand())))
        if self._took("("):
            return self._deeper(self._closed)
        return self._called() if self.kind == "name" else self._literal("a name, a number, a text in quotes or (")

    def _closed(self) -> Node:
        found = self.condition()
        self._expect(")")
        return found

    def _called(self) -> Node:
        shown, name = self.shown(), self._next()
        if name in set(Function):
            self._expect("(")
            return self._deeper(lambda: Call(Function(name), tuple(self._arguments())))
        if name not in _NAMES:
            raise _wrong(shown, ALLOWED_NAMES)
        return _NAMES[name]

    def _arguments(self) -> Iterator[Term]:
        yield _number(self._sum())
        while self._took(","):
            yield _number(self._sum())
        self._expect(")")

    def _list(self) -> list[Number | Text | Negative]:
        closing = "]" if self._took("[") else ")"
        if closing == ")":
            self._expect("(")
        found = [self._member()]
        while self._took(","):
            found.append(self._member())
        self._expect(closing)
        return found

    def _member(self) -> Number | Text | Negative:
        if self._took("-"):
            return Negative(_number(self._literal("a number")))
        return self._literal("a number or a text in quotes")

    def _literal(self, allowed: str) -> Number | Text:
        if self.kind not in {"number", "text"}:
            raise _wrong(self.shown(), allowed)
        kind, text = self.kind, self._next()
        if kind == "number":
            return Number(_finite(float(text)))
        return Text(text[1:-1].replace(text[0] * 2, text[0]))

    def _deeper(self, read: Callable[[], Result]) -> Result:
        self._depth += 1
        if self._depth > EXPRESSION_DEPTH_MAX:
            raise _wrong("nested deeper", f"{EXPRESSION_DEPTH_MAX} levels")
        found = read()
        self._depth -= 1
        return found

    def _next(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1].text

    def _took(self, word: str) -> str:
        return self._next() if self.kind == "sign" and self._tokens[self._at].text == word else ""

    def _expect(self, word: str) -> None:
        if not self._took(word):
            raise _wrong(self.shown(), repr(word))


def _condition(node: Node) -> Condition:
    if isinstance(node, Term):
        raise _wrong(written(node), "a condition: a comparison, ok, complete, stream or in_stream")
    return node


def _term(node: Node) -> Term:
    if not isinstance(node, Term):
        raise _wrong(written(node), "a number or a text; a condition is not compared, it stands alone or behind not")
    return node


def _number(node: Node) -> Term:
    found = _term(node)
    if isinstance(found, Text | Word):
        raise _wrong(written(found), "a number; a text is only compared")
    return found


def _negative(term: Term) -> Term:
    return term.of if isinstance(term, Negative) else Negative(term)


def _constant(term: Term) -> float | None:
    """Return the value of a term that is a number by itself."""
    if isinstance(term, Number):
        return term.value
    return -term.of.value if isinstance(term, Negative) and isinstance(term.of, Number) else None


def _finite(value: float) -> float:
    if not isfinite(value):
        raise _wrong("a number without end", "numbers of at most 1.8e308")
    return value


def _signed(value: float) -> Term:
    _finite(value)
    return Number(abs(value)) if value >= 0 else Negative(Number(-value))


def _summed(left: Term, right: Term, *, minus: bool) -> Term:
    one, other = _constant(left), _constant(right)
    if one is not None and other is not None:
        return _signed(one - other if minus else one + other)
    return Sum(left, right, minus)


def _times(left: Term, right: Term) -> Term:
    one, other = _constant(left), _constant(right)
    if one is not None and other is not None:
        return _signed(one * other)
    factor, term = (one, right) if one is not None else (other, left)
    if not factor:
        raise _wrong(f"{written(left)} * {written(right)}", "a product of a number other than 0 and a field")
    return Product(Number(factor), term) if factor >= 0 else Negative(Product(Number(-factor), term))


def _compared(operator: Operator, left: Term, right: Term) -> Compare:
    texts = [isinstance(term, Text | Word) for term in (left, right)]
    if any(texts) and not (all(texts) and operator in {Operator.EQUAL, Operator.UNEQUAL}):
        raise _wrong(
            f"{written(left)} {operator.value} {written(right)}", "numbers with numbers; texts with texts, by == or !="
        )
    for word, text in ((left, right), (right, left)):
        if isinstance(word, Word) and isinstance(text, Text):
            _check_word(word, text.value)
    return Compare(operator, left, right)


def _among(left: Term, members: Sequence[Number | Text | Negative]) -> Among:
    if isinstance(left, Text | Word):
        texts = tuple(member.value for member in members if isinstance(member, Text))
        if len(texts) != len(members):
            raise _wrong(f"a number beside {written(left)}", "texts")
        if isinstance(left, Word):
            for text in texts:
                _check_word(left, text)
        return Among(left, texts)
    numbers = [_constant(_number(member)) for member in members]
    return Among(left, tuple(number for number in numbers if number is not None))


def _check_word(word: Word, text: str) -> None:
    allowed = _ENUMS.get(word)
    if allowed is not None and text not in allowed:
        raise _wrong(f"{word.value} {text!r}", ", ".join(sorted(one for one in allowed if one)))


def _wrong(found: str, allowed: str) -> ObjectiveError:
    return ObjectiveError("", "expr", found, allowed)
