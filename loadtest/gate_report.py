"""Knows how a gate is told to people and pipelines; refuses to judge, and to write anywhere.

Markdown is a table for a summary; for a pipeline there is a case for each metric (`loadtest.cases`).

Source: spec/loadtest.md 18.
"""

import math

from loadtest.cases import Case
from loadtest.gate import SHARE_MARGIN, Gated, Judged

HEADS = ("metric", "verdict", "worse by", "95 % interval", "margin", "n", "why")
"""Headings of the table."""


def markdown(gated: Gated) -> str:
    """Return the gate as a table."""
    rows = [HEADS, tuple("---" for _ in HEADS), *map(row, gated.metrics)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"**{gated.verdict}**\n\n{table}\n"


def cases(gated: Gated) -> list[Case]:
    """Return a case for each metric."""
    return [Case(name=one.metric.value, verdict=one.verdict, message=line(one)) for one in gated.metrics]


def line(one: Judged) -> str:
    """Return one metric in a line."""
    interval = _interval(one)
    return f"{one.metric}: worse by {_change(one)}{f' {interval}' if interval else ''}, {_why(one)}"


def row(one: Judged) -> tuple[str, ...]:
    """Return the cells of a metric below `HEADS`."""
    needed = f"; {one.n_needed} needed" if one.n_needed else ""
    widened = "; widened, one run" if one.change.widened else ""
    margin = _number(one, one.margin)
    return (
        *(one.metric.value, one.verdict.value, _change(one), _interval(one) or "n/a"),
        *(margin, str(one.change.n), f"{one.reason}{needed}{widened}"),
    )


def _why(one: Judged) -> str:
    needed = f", {one.n_needed} values of each arm needed" if one.n_needed else ""
    widened = ", interval widened by how other runs differ: an arm has one run" if one.change.widened else ""
    return f"{one.reason}{needed}{widened}"


def _change(one: Judged) -> str:
    estimate = one.change.estimate
    if estimate is None:
        return "n/a"
    if one.change.low is None:  # the value of only one arm is a failure
        return "fails" if estimate > 0 else "failed before"
    return _number(one, estimate)


def _interval(one: Judged) -> str:
    if one.change.low is None or one.change.high is None:
        return ""
    return f"[{_number(one, one.change.low)}, {_number(one, one.change.high)}]"


def _number(one: Judged, value: float) -> str:
    """Return a change in percent, or in points where it is one of shares; the end of an interval may fail."""
    if math.isinf(value):
        return "fails" if value > 0 else "failed before"
    unit = "points" if one.margin == SHARE_MARGIN else "%"
    return f"{100 * value:+.2f} {unit}"
