"""How a gate is told: every number with its interval, every gap in words, and nothing that breaks a pipeline's line."""

import math
from dataclasses import replace

import pytest

from loadtest.compare import Change
from loadtest.gate import LATENCY_MARGIN, SHARE_MARGIN, Gated, Judged, Metric
from loadtest.gate_report import cases, line, markdown
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


def test_a_case_for_each_metric() -> None:
    found = cases(GATED)

    assert [one.verdict for one in GATED.metrics] == [one.verdict for one in found]
    assert ("ttft_p99", line(FAILED)) == (found[0].name, found[0].message)


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


def test_one_run_of_an_arm_is_flagged() -> None:
    one = replace(FAILED, change=replace(FAILED.change, widened=True))

    assert line(one).endswith("why, interval widened by how other runs differ: an arm has one run")
    assert "why; widened, one run |" in markdown(Gated(metrics=(one,), verdict=Verdict.FAILED))
