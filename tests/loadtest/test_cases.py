from xml.etree import ElementTree as ET

from loadtest.cases import ERRORS_MAX, Case, escaped, github, junit
from loadtest.verdict import Verdict

FAILED = Case(name="ttft_p99", verdict=Verdict.FAILED, message="worse by +7 %\nby far \x1b[31m")
OPEN = Case(name="ttft_p95", verdict=Verdict.INCONCLUSIVE, message="n too small")
PASSED = Case(name="bad_ratio", verdict=Verdict.PASSED, message="as good")


def test_a_suite_for_pipelines() -> None:
    suite = ET.fromstring(junit([FAILED, OPEN, PASSED], "load gate"))  # noqa: S314 -- our own text
    found = {case.get("name"): [(part.tag, part.get("message")) for part in case] for case in suite}

    assert ("3", "1", "0", "1") == tuple(suite.get(name) for name in ("tests", "failures", "errors", "skipped"))
    assert [("failure", "worse by +7 %\nby far ?[31m")] == found["ttft_p99"]
    assert [("skipped", "n too small")] == found["ttft_p95"]
    assert [] == found["bad_ratio"]


def test_workflow_commands_are_one_line_each() -> None:
    assert "::error title=load gate ttft_p99::worse by +7 %25%0Aby far \x1b[31m\n" == github(
        [PASSED, OPEN, FAILED], "load gate"
    )
    assert "::warning title=load run ttft_p95::n too small\n" == github([PASSED, OPEN], "load run")
    assert "" == github([PASSED], "load gate")
    assert "a%25b%0D%0Ac:," == escaped("a%b\r\nc:,")
    named = Case(name="a,b::c%\nd", verdict=Verdict.FAILED, message="worse: a, b")
    assert "::error title=load gate a%2Cb%3A%3Ac%25%0Ad::worse: a, b\n" == github([named], "load gate")


def test_no_more_workflow_commands_than_github_shows() -> None:
    assert ERRORS_MAX == len(github([FAILED] * (ERRORS_MAX + 1), "load gate").splitlines())
    assert ERRORS_MAX - 1 == len(github([FAILED] * (ERRORS_MAX - 1), "load gate").splitlines())
