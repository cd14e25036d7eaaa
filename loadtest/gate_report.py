"""Knows how a gate is told to people and pipelines; refuses to judge, and to write anywhere.

Markdown is a table for a summary. JUnit has one case for each metric; what cannot be told is skipped, with its reason,
and the process's exit code says so too. GitHub's workflow commands are errors, at most ten, with %, CR and LF escaped.

Source: spec/loadtest.md 18; JUnit's XML as Jenkins and GitLab read it; GitHub Actions, workflow commands.
"""

import math
from xml.etree import ElementTree as ET

from loadtest.gate import SHARE_MARGIN, Gated, Judged
from loadtest.verdict import Verdict

ERRORS_MAX = 10
"""Most workflow commands of one gate."""

_HEADS = ("metric", "verdict", "worse by", "95 % interval", "margin", "n", "why")
_ESCAPES = (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"))


def markdown(gated: Gated) -> str:
    """Return the gate as a table."""
    rows = [_HEADS, tuple("---" for _ in _HEADS), *map(_row, gated.metrics)]
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"**{gated.verdict}**\n\n{table}\n"


def junit(gated: Gated, name: str = "inferometer load gate") -> str:
    """Return the gate as a test suite."""
    verdicts = [one.verdict for one in gated.metrics]
    counts = {
        "tests": str(len(verdicts)),
        "failures": str(verdicts.count(Verdict.FAILED)),
        "errors": "0",
        "skipped": str(verdicts.count(Verdict.INCONCLUSIVE)),
    }
    suite = ET.Element("testsuite", {"name": name, **counts})
    for one in gated.metrics:
        case = ET.SubElement(suite, "testcase", {"classname": name, "name": one.metric.value})
        if one.verdict is not Verdict.PASSED:
            ET.SubElement(case, _ELEMENTS[one.verdict], {"message": line(one)})
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def github(gated: Gated) -> str:
    """Return the gate as workflow commands: an error for each metric that failed, a warning where nobody can tell."""
    told = [one for one in gated.metrics if one.verdict is Verdict.FAILED][:ERRORS_MAX]
    if gated.verdict is Verdict.INCONCLUSIVE:
        told = [one for one in gated.metrics if one.verdict is Verdict.INCONCLUSIVE][:ERRORS_MAX]
    level = "error" if gated.verdict is Verdict.FAILED else "warning"
    return "".join(f"::{level} title=load gate {one.metric.value}::{escaped(line(one))}\n" for one in told)


def line(one: Judged) -> str:
    """Return one metric in a line."""
    needed = f", {one.n_needed} values of each arm needed" if one.n_needed else ""
    interval = _interval(one)
    return f"{one.metric}: worse by {_change(one)}{f' {interval}' if interval else ''}, {one.reason}{needed}"


def escaped(text: str) -> str:
    """Return a text as the message of a workflow command."""
    for sign, escape in _ESCAPES:
        text = text.replace(sign, escape)
    return text


def _row(one: Judged) -> tuple[str, ...]:
    needed = f"; {one.n_needed} needed" if one.n_needed else ""
    margin = _number(one, one.margin)
    return (
        *(one.metric.value, one.verdict.value, _change(one), _interval(one) or "n/a"),
        *(margin, str(one.change.n), f"{one.reason}{needed}"),
    )


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


_ELEMENTS = {Verdict.FAILED: "failure", Verdict.INCONCLUSIVE: "skipped"}
