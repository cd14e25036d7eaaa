"""Knows the question how many requests ended badly, and how, over several spans of minutes at once; refuses to judge.

Read from the minutes of the roll-up: exact, and late rows are in it. A fault that HTTP shows is one that was not seen
under status 200; what is not bad by default and was seen there is taken off too, so the figure may be too low.

Source: spec/store.md 4.1 (`r_1m`); spec/slo.md 13 (counted separately, `deff`); spec/measurement.md 9 (`in_stream`).
"""

from collections.abc import Sequence

from telemetry.outcome import Outcome
from telemetry.queries.question import PAGE_S, Question, Select
from telemetry.queries.spans import OF_ALL, Span, by_span, values, within


def failures(spans: Sequence[Span], classes: Sequence[Sequence[Outcome]]) -> Question:
    """Ask how the requests of users ended in each of several spans, by endpoint and model.

    Rows: `endpoint`, `model`, and arrays with one element per span: `n` (requests), `eligible` (good and bad),
    `failed`, itself an array: bad ones, those of them that HTTP shows, those whose client left before any output, then
    those of each class. `squares` has the same order: sums over the minutes of the last span of the squared counts.

    Args:
        spans: Whole minutes, at least one; the last one should be the longest.
        classes: Outcomes that count as one.

    Raises:
        ValueError: There are no or too many spans, or one is not made of minutes.
    """
    classed = {"classes": [[outcome.value for outcome in one] for one in classes]}
    return Question(sql=_text(len(spans)), parameters=values(spans) | classed, seconds_max=PAGE_S)


_MINUTES = Select(
    columns=[
        *("endpoint", "model", "t"),
        "sum(s.n) AS n",
        "sum(s.good) + sum(s.bad) AS eligible",
        "toInt64(sum(s.bad)) AS bad",
        "greatest(bad - toInt64(sum(s.in_stream)), 0) AS shown",
        "toInt64(arraySum(mapValues(sumMap(s.abandon_h)))) AS left",
        "sumMap(s.outcomes) AS outcomes",
    ],
    source="inferometer.r_1m AS s",
    where=OF_ALL,
    group_by=["endpoint", "model", "t"],
)
_OF_CLASS = "class -> toInt64(arraySum(word -> outcomes[word], class))"
_FAILED = Select(
    columns=[
        *("endpoint", "model", "t", "n", "eligible"),
        f"arrayConcat([bad, shown, left], arrayMap({_OF_CLASS}, {{classes:Array(Array(String))}})) AS failed",
    ],
    source=_MINUTES,
)


def _text(spans: int) -> str:
    return Select(
        columns=[
            *("endpoint", "model"),
            by_span(lambda inside: f"sumIf(m.n, {inside})", spans, "n"),
            by_span(lambda inside: f"sumIf(m.eligible, {inside})", spans, "eligible"),
            by_span(lambda inside: _sums("m.failed", inside), spans, "failed"),
            f"{_sums('arrayMap(one -> one * one, m.failed)', within(spans)[-1])} AS squares",
        ],
        source=f"(\n{_FAILED.text()}\n) AS m",
        group_by=["endpoint", "model"],
        order_by=["endpoint", "model"],
    ).text()


def _sums(of: str, inside: str) -> str:
    """Return the sums of an array, element by element; of no minute they are 0, not an array of none."""
    return f"arrayResize(sumForEachIf({of}, {inside}), 3 + length({{classes:Array(Array(String))}}))"
