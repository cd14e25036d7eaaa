"""Knows how one request counts in an objective, in Python; refuses to count many, which is the store's work.

The same law as `slo.expression_sql`, written a second time over a record, so that each can be held to the other: by
tests, and by a person who asks why a request was bad.

Source: spec/slo.md 1 (NULL), 3 (eligible, censored); spec/measurement.md 10.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import inf, isnan
from operator import add, sub

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
    Not,
    Number,
    Operator,
    Product,
    Sum,
    Term,
    Text,
)
from telemetry.outcome import Eligibility, Phase
from telemetry.queries.bounds import MOST_TOKENS, TPOT_TOKENS_MIN, UNKNOWN_IS_FINE, Figure, Flag, Word
from telemetry.record import RequestRecord


class Verdict(StrEnum):
    """How a request counts."""

    GOOD = "good"
    BAD = "bad"
    EXCLUDED = "excluded"


@dataclass(frozen=True, slots=True)
class Range:
    """A number that lies between two ends; they are equal if it is known."""

    low: float
    high: float


Truth = bool | None
"""None cannot be known."""


def stored(condition: Condition, record: RequestRecord) -> bool:
    """Return whether a condition holds of what was stored."""
    return _Judge(record, None).truth(condition) is True


def judged(condition: Condition, record: RequestRecord, class_: Eligibility) -> Truth:
    """Return whether a condition holds of a request of this class, as far as it can be known."""
    return _Judge(record, class_).truth(condition)


def verdict(condition: Condition | None, record: RequestRecord, class_: Eligibility) -> Verdict:
    """Return how a request of this class counts; without a condition, its class is the answer."""
    if class_ is Eligibility.EXCLUDED:
        return Verdict.EXCLUDED
    found = judged(Macro.OK if condition is None else condition, record, class_)
    return {True: Verdict.GOOD, False: Verdict.BAD, None: Verdict.EXCLUDED}[found]


def figure(name: Figure, record: RequestRecord) -> float | None:
    """Return a figure as it was stored; None is unknown."""
    if name is Figure.GAP_MAX_S:
        widest = max(record.icl_max_us or 0, record.open_gap_us or 0)
        return widest / 1e6 if widest else None
    if name.value.endswith("_s"):
        value = getattr(record, f"{name.value.removesuffix('_s')}_us")
        return None if value is None else value / 1e6
    value = getattr(record, name.value)
    return None if value is None else float(value)


class _Judge:
    """Judges one request; class None looks at what was stored alone."""

    def __init__(self, record: RequestRecord, class_: Eligibility | None) -> None:
        self._record = record
        self._class = class_
        self._left = class_ is Eligibility.CENSORED

    def truth(self, node: Condition) -> Truth:
        match node:
            case Both():
                return _all([self.truth(part) for part in node.of])
            case Either():
                return _not(_all([_not(self.truth(part)) for part in node.of]))
            case Not():
                return _not(self.truth(node.of))
            case bool():
                return node
            case Flag():
                return bool(getattr(self._record, node.value))
            case Macro():
                return self._well()
            case Among() | Compare():
                return self._compared(node)

    def _well(self) -> Truth:
        if self._class is None:
            return self._record.outcome == "ok"
        return None if self._left else self._class is Eligibility.GOOD

    def _compared(self, node: Compare | Among) -> Truth:
        if isinstance(node.left, Text | Word):
            return self._texts(node)
        unknown = self._unknown(node.left) + (self._unknown(node.right) if isinstance(node, Compare) else [])
        if unknown:
            return all(unknown)
        left = self._range(node.left)
        if isinstance(node, Among):
            return None if left.low != left.high else left.low in node.values
        return _COMPARED[node.operator](left, self._range(node.right))

    def _texts(self, node: Compare | Among) -> Truth:
        sides = (node.left,) if isinstance(node, Among) else (node.left, node.right)
        if self._left and {Word.OUTCOME, Word.ORIGIN, Word.FINISH_REASON}.intersection(sides):
            return None
        found = [one.value if isinstance(one, Text) else str(getattr(self._record, str(one))) for one in sides]
        if isinstance(node, Among):
            return found[0] in node.values
        return (found[0] == found[1]) is (node.operator is Operator.EQUAL)

    def _unknown(self, node: Term) -> list[bool]:
        """Return one element for each part of a term that is unknown: whether that is fine."""
        match node:
            case Figure():
                known = self._class not in {None, Eligibility.GOOD} or figure(node, self._record) is not None
                return [] if known else [node in UNKNOWN_IS_FINE]
            case Call(function=Function.COALESCE):
                parts = [self._unknown(part) for part in node.of]
                return [all(flag for part in parts for flag in part)] if all(parts) else []
            case Call():
                return [flag for part in node.of for flag in self._unknown(part)]
            case Sum():
                return self._unknown(node.left) + self._unknown(node.right)
            case Negative() | Product():
                return self._unknown(node.of)
            case Number() | Text() | Word():
                return []

    def _range(self, node: Term) -> Range:
        match node:
            case Figure():
                return self._bounds(node)
            case Negative():
                of = self._range(node.of)
                return Range(0 - of.high, 0 - of.low)
            case Sum():
                return _summed(self._range(node.left), self._range(node.right), minus=node.minus)
            case Product():
                of = self._range(node.of)
                return Range(node.factor.value * of.low, node.factor.value * of.high)
            case Call():
                return self._called(node)
            case Number():
                return Range(node.value, node.value)
            case Text() | Word():
                raise TypeError(node)

    def _called(self, node: Call) -> Range:
        if node.function is Function.COALESCE:
            return next(self._range(part) for part in node.of if not self._unknown(part))
        parts = [self._range(part) for part in node.of]
        chosen = min if node.function is Function.MIN else max
        return Range(chosen(part.low for part in parts), chosen(part.high for part in parts))

    def _bounds(self, name: Figure) -> Range:
        value = figure(name, self._record)
        if self._class in {None, Eligibility.GOOD}:
            return _exactly(value, Range(-inf, inf))  # unknown it is not: `_unknown` was asked before
        return _CUT[name](self._record, value, self._left)


def _all(parts: list[Truth]) -> Truth:
    if False in parts:
        return False
    return None if None in parts else True


def _not(truth: Truth) -> Truth:
    return None if truth is None else not truth


def _summed(one: Range, other: Range, *, minus: bool) -> Range:
    low, high = (
        (sub(one.low, other.high), sub(one.high, other.low))
        if minus
        else (add(one.low, other.low), add(one.high, other.high))
    )
    # Endless less endless is no number, so it may be any.
    return Range(-inf if isnan(low) else low, inf if isnan(high) else high)


def _less(one: Range, other: Range) -> Truth:
    return True if one.high < other.low else False if one.low >= other.high else None


def _at_most(one: Range, other: Range) -> Truth:
    return True if one.high <= other.low else False if one.low > other.high else None


def _equal(one: Range, other: Range) -> Truth:
    if one.high < other.low or other.high < one.low:
        return False
    return True if one.low == other.high and one.high == other.low else None


_COMPARED: Mapping[Operator, Callable[[Range, Range], Truth]] = {
    Operator.EQUAL: _equal,
    Operator.UNEQUAL: lambda one, other: _not(_equal(one, other)),
    Operator.LESS: _less,
    Operator.LESS_EQUAL: _at_most,
    Operator.GREATER: lambda one, other: _less(other, one),
    Operator.GREATER_EQUAL: lambda one, other: _at_most(other, one),
}


def _had_output(record: RequestRecord) -> bool:
    return record.phase in {Phase.STREAMING, Phase.DONE}


def _exactly(value: float | None, otherwise: Range) -> Range:
    return otherwise if value is None else Range(value, value)


def _first(record: RequestRecord, value: float | None, left: bool) -> Range:  # noqa: FBT001 -- one of a table of rules
    waited = 0.0 if _had_output(record) else record.elapsed_us / 1e6
    seen = value if _had_output(record) else None
    return _exactly(seen, Range(waited, inf) if left else Range(inf, inf))


def _end(record: RequestRecord, _: float | None, left: bool) -> Range:  # noqa: FBT001 -- one of a table of rules
    return Range(record.elapsed_us / 1e6 if left else inf, inf)


def _age(record: RequestRecord, _: float | None, left: bool) -> Range:  # noqa: FBT001 -- one of a table of rules
    elapsed_s = record.elapsed_us / 1e6
    return Range(elapsed_s, inf if left else elapsed_s)


def _pace(record: RequestRecord, value: float | None, _: bool) -> Range:  # noqa: FBT001 -- one of a table of rules
    settled = _had_output(record) and (record.tokens_out or 0) >= TPOT_TOKENS_MIN
    return _exactly(value if settled else None, Range(0, inf))


def _widest(record: RequestRecord, value: float | None, left: bool) -> Range:  # noqa: FBT001 -- one of a table of rules
    seen = value if _had_output(record) else None
    return Range(seen or 0, inf) if left else _exactly(seen, Range(0, inf))


def _count(_: RequestRecord, value: float | None, left: bool) -> Range:  # noqa: FBT001 -- one of a table of rules
    return Range(value or 0, MOST_TOKENS) if left else _exactly(value, Range(0, MOST_TOKENS))


def _prompt(record: RequestRecord, value: float | None, _: bool) -> Range:  # noqa: FBT001 -- one of a table of rules
    # A token is at least a byte, if the request was sent at all.
    is_sent = record.bytes_in and record.phase is not Phase.CONNECT
    return _exactly(value, Range(0, min(record.bytes_in, MOST_TOKENS) if is_sent else MOST_TOKENS))


def _told(most: float) -> Callable[[RequestRecord, float | None, bool], Range]:
    return lambda _record, value, _left: _exactly(value, Range(0, most))


_CUT: Mapping[Figure, Callable[[RequestRecord, float | None, bool], Range]] = {
    Figure.TTFT_S: _first,
    Figure.TTFO_S: _first,
    Figure.E2E_S: _end,
    Figure.ELAPSED_S: _age,
    Figure.TPOT_S: _pace,
    Figure.ICL_P99_S: _pace,
    Figure.ICL_MAX_S: _widest,
    Figure.STALL_S: _widest,
    Figure.GAP_MAX_S: _widest,
    Figure.SRV_QUEUE_S: _told(inf),
    Figure.SRV_PREFILL_S: _told(inf),
    Figure.TOKENS_IN: _prompt,
    Figure.TOKENS_OUT: _count,
    Figure.TOKENS_CACHE_READ: _told(MOST_TOKENS),
    Figure.HTTP_STATUS: _told(0),
}
