"""How a gate is told: every number with its interval, every gap in words, and nothing that breaks a pipeline's line."""

import math
from xml.etree import ElementTree as ET

import pytest

from loadtest.compare import Change
from loadtest.gate import LATENCY_MARGIN, SHARE_MARGIN, Gated, Judged, Metric
from loadtest.gate_report import ERRORS_MAX, escaped, github, junit, line, markdown
from loadtest.verdict import Verdict


def judged(
    verdict: Verdict,
    *,
    metric: Metric = Metric.TTFT_P99,
    estimate: float | None = 0.07,
    ends: tuple[float | None, float | None] = (0.03, 0.11),
    margin: float = LATENCY_MARGIN,
    n_needed: int | None = None,
    reason: str = "why",
) -> Judged:
    change = Change(estimate=estimate, low=ends[0], high=ends[1], p=0.01, n=900)
    return Judged(metric=metric, verdict=verdict, change=change, margin=margin, n_needed=n_needed, reason=reason)


FAILED = judged(Verdict.FAILED)
PASSED = judged(Verdict.PASSED, metric=Metric.BAD_RATIO, estimate=-0.001, ends=(-0.003, 0.002), margin=SHARE_MARGIN)
OPEN = judged(Verdict.INCONCLUSIVE, metric=Metric.TTFT_P95, estimate=0.03, ends=(0.01, 0.06), n_needed=2000)
NEITHER = judged(Verdict.INCONCLUSIVE, metric=Metric.TPOT_P95, estimate=None, ends=(None, None))
ONLY_IT = judged(Verdict.FAILED, metric=Metric.TPOT_P50, estimate=math.inf, ends=(None, None))
GATED = Gated(metrics=(FAILED, PASSED, OPEN, NEITHER, ONLY_IT), verdict=Verdict.FAILED)


def test_a_table_for_people() -> None:
    assert markdown(GATED).splitlines() == [
        "**fail**",
        "",
        "| metric | verdict | worse by | 95 % interval | margin | n | why |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        "| ttft_p99 | fail | +7.00 % | [+3.00 %, +11.00 %] | +5.00 % | 900 | why |",
        "| bad_ratio | pass | -0.10 points | [-0.30 points, +0.20 points] | +0.50 points | 900 | why |",
        "| ttft_p95 | inconclusive | +3.00 % | [+1.00 %, +6.00 %] | +5.00 % | 900 | why; 2000 needed |",
        "| tpot_p95 | inconclusive | n/a | n/a | +5.00 % | 900 | why |",
        "| tpot_p50 | fail | fails | n/a | +5.00 % | 900 | why |",
    ]


def test_a_suite_for_pipelines() -> None:
    suite = ET.fromstring(junit(GATED))  # noqa: S314 -- our own text
    cases = {case.get("name"): [(part.tag, part.get("message")) for part in case] for case in suite}

    assert ("5", "2", "0", "2") == tuple(suite.get(name) for name in ("tests", "failures", "errors", "skipped"))
    assert [("failure", line(FAILED))] == cases["ttft_p99"]
    assert [("skipped", line(OPEN))] == cases["ttft_p95"]
    assert [] == cases["bad_ratio"]


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (FAILED, "ttft_p99: worse by +7.00 % [+3.00 %, +11.00 %], why"),
        (OPEN, "ttft_p95: worse by +3.00 % [+1.00 %, +6.00 %], why, 2000 values of each arm needed"),
        (NEITHER, "tpot_p95: worse by n/a, why"),
        (judged(Verdict.PASSED, estimate=-1.0, ends=(None, None)), "ttft_p99: worse by failed before, why"),
        (judged(Verdict.FAILED, ends=(0.03, math.inf)), "ttft_p99: worse by +7.00 % [+3.00 %, fails], why"),
        (judged(Verdict.PASSED, ends=(-math.inf, 0.01)), "ttft_p99: worse by +7.00 % [failed before, +1.00 %], why"),
    ],
)
def test_a_metric_in_a_line(one: Judged, expected: str) -> None:
    assert expected == line(one)


def test_workflow_commands() -> None:
    assert github(GATED).splitlines() == [
        "::error title=load gate ttft_p99::ttft_p99: worse by +7.00 %25 [+3.00 %25, +11.00 %25], why",
        "::error title=load gate tpot_p50::tpot_p50: worse by fails, why",
    ]
    assert "" == github(Gated(metrics=(PASSED,), verdict=Verdict.PASSED))
    untold = Gated(metrics=(PASSED, OPEN), verdict=Verdict.INCONCLUSIVE)
    assert github(untold).startswith("::warning title=load gate ttft_p95::")
    assert "a%25b%0D%0Ac" == escaped("a%b\r\nc")


def test_no_more_workflow_commands_than_github_shows() -> None:
    many = Gated(metrics=(FAILED,) * (ERRORS_MAX + 1), verdict=Verdict.FAILED)

    assert ERRORS_MAX == len(github(many).splitlines())
    assert ERRORS_MAX - 1 == len(
        github(Gated(metrics=(FAILED,) * (ERRORS_MAX - 1), verdict=Verdict.FAILED)).splitlines()
    )
