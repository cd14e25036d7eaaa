"""Knows what a question to the store is, and how its text is put together; refuses to know any question.

A text is made of names that stand in our own code and of placeholders, so it depends on which dimensions are asked
for and never on a value: values travel beside it.

Source: spec/store.md 13 (values only as parameters; budgets).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

LIVE_S, PAGE_S, REPORT_S = 2.0, 10.0, 60.0
"""Time that an answer may take: within a live view, on a page, in a report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A statement and its values.

    Attributes:
        sql: The statement; values stand in it only as `{name:Type}`.
        parameters: The values by name.
        seconds_max: Time after which the asker gives up.
    """

    sql: str
    parameters: Mapping[str, object] = field(default_factory=dict[str, object])
    seconds_max: float = PAGE_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Select:
    """One SELECT, clause by clause; an empty clause is left out.

    Attributes:
        columns: Expressions with their aliases.
        source: A table, or another SELECT.
        given: Expressions with names, which the columns use (WITH).
        where: Conditions, all of which hold.
        group_by: Keys.
        having: Conditions on the groups, all of which hold.
        order_by: Keys.
        tail: What follows, for example LIMIT.
    """

    columns: Sequence[str]
    source: "str | Select"
    given: Sequence[str] = ()
    where: Sequence[str] = ()
    group_by: Sequence[str] = ()
    having: Sequence[str] = ()
    order_by: Sequence[str] = ()
    tail: str = ""

    def text(self) -> str:
        """Return the statement."""
        clauses = (
            ("WITH\n    ", ",\n    ", self.given),
            ("SELECT\n    ", ",\n    ", self.columns),
            ("FROM ", "", (self.source if isinstance(self.source, str) else f"(\n{self.source.text()}\n)",)),
            ("WHERE ", "\n  AND ", self.where),
            ("GROUP BY ", ", ", self.group_by),
            ("HAVING ", " AND ", self.having),
            ("ORDER BY ", ", ", self.order_by),
        )
        lines = [head + between.join(parts) for head, between, parts in clauses if parts]
        return "\n".join([*lines, self.tail] if self.tail else lines)
