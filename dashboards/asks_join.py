"""Knows how answers to several questions become one, side by side; refuses to know what is asked.

What one answer has of a key and another has not is NULL, never 0.

Source: spec/ui.md 5 (panels that show numbers of several tables).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from telemetry.queries.question import Question, Select

ONE = "one"
"""Key of answers that have one row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One of the answers.

    Attributes:
        question: What is asked; its answer has the key.
        columns: Name of a column to its expression over the answer.
        lists: The same of columns that are lists, and so cannot be NULL.
    """

    question: Question
    columns: Mapping[str, str]
    lists: Mapping[str, str] | None = None


def joined(key: str, parts: Sequence[Part], order_by: Sequence[str] = ()) -> Question:
    """Return the question for all of it, a row for each key of the first answer.

    Args:
        key: Column that all answers have, or `ONE`.
        parts: The answers, the one with all keys first.
        order_by: Keys of the order.
    """
    values: dict[str, object] = {}
    for part in parts:
        values = {**part.question.parameters, **values}  # the first one says which window is answered
    sources = [f"{_side(key, part)} AS p{at}" for at, part in enumerate(parts)]
    names = [
        f"p{at}.{name} AS {name}" for at, part in enumerate(parts) for name in (*part.columns, *(part.lists or ()))
    ]
    keys = [] if key == ONE else [f"p0.{key} AS {key}"]
    source = "\nLEFT JOIN ".join([sources[0], *(f"{one} USING ({key})" for one in sources[1:])])
    found = Select(columns=[*keys, *names], source=source, order_by=order_by)
    return Question(sql=found.text(), parameters=values)


def alone() -> Part:
    """Return an answer of one row without columns: with it first, there is a row whatever the others say."""
    return Part(question=Question(sql="SELECT 1"), columns={})


def _side(key: str, part: Part) -> str:
    own = f"1 AS {ONE}" if key == ONE else key
    columns = [own, *(f"toNullable({text}) AS {name}" for name, text in part.columns.items())]
    columns += [f"{text} AS {name}" for name, text in (part.lists or {}).items()]
    return f"(\n{Select(columns=columns, source=f'({chr(10)}{part.question.sql}{chr(10)})').text()}\n)"
