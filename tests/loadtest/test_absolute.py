"""A limit is kept, broken, or nobody can tell; spec/loadtest.md 21.7: 661 requests prove nothing of a P99."""

import pytest

from loadtest.absolute import absolute
from loadtest.gate import Metric, Request, Run
from loadtest.verdict import Verdict


def run(n: int, failures: int = 0) -> Run:
    """TTFT from 1 to n ms; failures come on top."""
    requests = [
        Request(
            at_s=k / 10,
            ttft_s=None if k >= n else (k + 1) / 1000,
            tpot_s=None,
            max_gap_s=None,
            is_bad=k >= n,
            meets=None,
        )
        for k in range(n + failures)
    ]
    return Run(since_s=0, until_s=n, requests=requests, tokens=[])


@pytest.mark.parametrize(
    ("n", "failures", "limit", "verdict", "words"),
    [
        pytest.param(661, 0, 9.0, Verdict.INCONCLUSIVE, "n too small: 661, needed 662", id="one below the floor"),
        pytest.param(
            662, 0, 0.662, Verdict.PASSED, "0.656 s, proven at most 0.662 s, n 662", id="the bound at the limit"
        ),
        pytest.param(662, 0, 0.66, Verdict.INCONCLUSIVE, "limit 0.66 s", id="the value below it, the bound above"),
        pytest.param(662, 0, 0.655, Verdict.FAILED, "0.656 s, proven", id="the value above it"),
        pytest.param(700, 1, 0.7, Verdict.INCONCLUSIVE, "proven at most fails", id="a bound that is a failure"),
        pytest.param(660, 40, 9.0, Verdict.FAILED, "fails, proven at most fails", id="a value that is a failure"),
    ],
)
def test_a_limit_of_p99(n: int, failures: int, limit: float, verdict: Verdict, words: str) -> None:
    (case,) = absolute([run(n, failures)], {Metric.TTFT_P99: limit})

    assert ("ttft_p99_limit", verdict) == (case.name, case.verdict)
    assert words in case.message


def test_all_runs_count_as_one() -> None:
    (case,) = absolute([run(400), run(400)], {Metric.TTFT_P99: 1.0})

    assert Verdict.PASSED is case.verdict
    assert "n 800" in case.message
    assert [] == absolute([run(400)], {})
