"""Knows how verdicts are told to pipelines; refuses to judge, and to write anywhere.

JUnit has one case for each verdict; what cannot be told is skipped, with its reason, and the process's exit code says
so too. GitHub's workflow commands are errors, or warnings where nothing failed and something cannot be told; at most
ten, with %, CR and LF escaped, in a title also : and the comma.

Source: spec/loadtest.md 18; JUnit's XML as Jenkins and GitLab read it; GitHub Actions, workflow commands
(actions/runner, src/Runner.Common/ActionCommand.cs; the twin of it is `inferometer.slo_gate`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from loadtest.verdict import Verdict

ERRORS_MAX = 10
"""Most workflow commands at once."""

_ESCAPES = (("%", "%25"), ("\r", "%0D"), ("\n", "%0A"))
_PROPERTY_ESCAPES = (*_ESCAPES, (":", "%3A"), (",", "%2C"))
_ELEMENTS = {Verdict.FAILED: "failure", Verdict.INCONCLUSIVE: "skipped"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One verdict.

    Attributes:
        name: What was judged, a word.
        verdict: Of it.
        message: Why, in a line.
    """

    name: str
    verdict: Verdict
    message: str


def junit(cases: Sequence[Case], name: str) -> str:
    """Return cases as the test suite of a name."""
    verdicts = [one.verdict for one in cases]
    counts = {
        "tests": str(len(verdicts)),
        "failures": str(verdicts.count(Verdict.FAILED)),
        "errors": "0",
        "skipped": str(verdicts.count(Verdict.INCONCLUSIVE)),
    }
    suite = ET.Element("testsuite", {"name": name, **counts})
    for one in cases:
        case = ET.SubElement(suite, "testcase", {"classname": name, "name": one.name})
        if one.verdict is not Verdict.PASSED:
            ET.SubElement(case, _ELEMENTS[one.verdict], {"message": _legal(one.message)})
    return ET.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def github(cases: Sequence[Case], name: str) -> str:
    """Return cases as workflow commands that name what was run; none if all passed."""
    failed = [one for one in cases if one.verdict is Verdict.FAILED]
    told = failed or [one for one in cases if one.verdict is Verdict.INCONCLUSIVE]
    level = "error" if failed else "warning"
    titles = [_escaped(f"{name} {one.name}", _PROPERTY_ESCAPES) for one in told[:ERRORS_MAX]]
    return "".join(
        f"::{level} title={title}::{escaped(one.message)}\n" for title, one in zip(titles, told, strict=False)
    )


def escaped(text: str) -> str:
    """Return a text as the message of a workflow command."""
    return _escaped(text, _ESCAPES)


def _escaped(text: str, escapes: Sequence[tuple[str, str]]) -> str:
    for sign, escape in escapes:
        text = text.replace(sign, escape)
    return text


def _legal(text: str) -> str:
    """Return a text without the control characters that XML cannot hold."""
    return "".join(letter if letter.isprintable() or letter in "\t\n" else "?" for letter in text)
