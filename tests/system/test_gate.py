"""The promises of the release gate, over many seeded pairs: rows of runs through the gate as `load gate` calls it.

Requests of ten seconds share a queue (sigma 0.05) and differ beside it (sigma 0.3), TTFT about 0.3 s, three of a
thousand bad, three runs of each arm. A false fail is one of any of the nine metrics. How many requests are needed is
what `load gate --plan` says of one baseline.
"""

from random import Random

import pytest
from load_rows import row

from loadtest import compare
from loadtest.gate import ALPHA, Metric, Run, gate
from loadtest.gate_plan import Question, measured
from loadtest.gate_rows import gated_run
from loadtest.plan_spec import Objectives
from loadtest.rows import Row
from loadtest.verdict import Verdict
from telemetry.outcome import Outcome

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

LENGTH_S, BLOCK_S = 200.0, 10.0
LIMITS = {"default": Objectives(ttft_s=1.0)}
PLANNED = Question(metrics=tuple(Metric), change=0.1, power=0.9)


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "RESAMPLES", 400)  # 2 / 401 is still below 5 % over nine metrics


def run(name: str, n: int, tail: float = 1.0, bad: float = 0.003) -> Run:
    """A run whose TTFT is `tail` times longer beyond P85, which moves P95 by as much."""
    random = Random(name)  # noqa: S311 -- seeded
    queues = [random.lognormvariate(0, 0.05) for _ in range(int(LENGTH_S / BLOCK_S))]
    rows = list[Row]()
    for j in range(n):
        at_s, own, pace = j * LENGTH_S / n, random.lognormvariate(0, 0.3), random.lognormvariate(0, 0.1)
        ttft_s = 0.3 * own * queues[int(at_s / BLOCK_S)] * (tail if own > 1.365 else 1.0)  # exp(0.3 * 1.0364)
        is_bad = random.random() < bad
        rows.append(
            row(
                j,
                at_s=at_s,
                outcome=Outcome.SERVER_ERROR if is_bad else Outcome.OK,
                ttft_us=None if is_bad else round(1e6 * ttft_s),
                tpot_us=None if is_bad else round(20_000 * pace),
            )
        )
    return gated_run(rows, (0, round(LENGTH_S * 1e9)), LIMITS)


def runs(name: str, n: int, **how: float) -> list[Run]:
    return [run(f"{name}/{k}", -(-n // 3), **how) for k in range(3)]


def alone(metric: Metric, baseline: list[Run], candidate: list[Run], seed: int) -> Verdict:
    """The verdict of one metric as among all nine, whose correction is taken at its worst: a ninth of 5 %."""
    (found,) = gate(baseline, candidate, seed, metrics=[metric]).metrics
    is_fail = found.verdict is Verdict.FAILED
    return Verdict.INCONCLUSIVE if is_fail and found.change.p > ALPHA / len(Metric) else found.verdict


def stated(metric: Metric) -> int:
    """What `load gate --plan` says, of a baseline of 3,000 requests."""
    (need,) = (one for one in measured(PLANNED, runs("planned", 3000), 1) if one.metric is metric)
    assert need.to_catch is not None
    return max(need.floor, need.to_catch)


def test_of_200_identical_pairs_at_most_5_percent_fail() -> None:
    failed = [pair for pair in range(200) if gate(runs(f"a{pair}", 690), runs(f"b{pair}", 690), pair).exit_code == 3]
    print(
        f"of 200 identical pairs of 690 requests each arm, all nine metrics above their floors, failed: {len(failed)}"
    )

    assert len(failed) <= 10


def test_of_60_identical_pairs_whose_p99_may_be_a_failure_at_most_5_percent_fail() -> None:
    """1 % of 1,000 requests are bad: chance decides in each arm whether the rank of P99 is one of them.

    More than 7 of 60 have a probability of 1 % at a rate of 5 %.
    """
    found = [gate(runs(f"i{pair}", 1000, bad=0.01), runs(f"j{pair}", 1000, bad=0.01), pair) for pair in range(60)]
    failed = [one.exit_code for one in found].count(3)
    by_chance = sum(any(metric.change.low is None for metric in one.metrics) for one in found)
    print(f"of 60 identical pairs with 1 % bad, in {by_chance} of which a P99 is a failure, failed: {failed}")

    assert failed <= 7
    assert by_chance > 20


@pytest.mark.parametrize(
    ("metric", "worse", "n", "pairs"),
    [
        pytest.param(Metric.TTFT_P95, {"tail": 1.1}, None, 20, id="TTFT P95 +10 % at the stated n"),
        pytest.param(Metric.TTFT_P95, {"tail": 1.2}, 3000, 10, id="TTFT P95 +20 % with 3,000 requests"),
        pytest.param(Metric.BAD_RATIO, {"bad": 0.013}, None, 10, id="one point more bad at the stated n"),
    ],
)
def test_what_is_worse_is_caught_in_90_percent(
    metric: Metric, worse: dict[str, float], n: int | None, pairs: int
) -> None:
    needed = n or stated(metric)
    found = [alone(metric, runs(f"c{k}", needed), runs(f"d{k}", needed, **worse), k) for k in range(pairs)]
    caught = found.count(Verdict.FAILED)
    print(f"{metric} {worse} with {needed} requests of each arm: caught in {caught} of {pairs}")

    assert caught >= 0.9 * pairs


def test_an_unchanged_candidate_passes_with_what_was_stated_and_too_few_say_nothing() -> None:
    (need,) = (one for one in measured(PLANNED, runs("planned", 3000), 1) if one.metric is Metric.TTFT_P50)
    assert need.to_pass is not None
    p50, n = Metric.TTFT_P50, need.to_pass
    passed = [alone(p50, runs(f"e{k}", n), runs(f"f{k}", n), k) for k in range(10)].count(Verdict.PASSED)
    print(f"TTFT P50 unchanged with {need.to_pass} requests of each arm: passed in {passed} of 10")
    few = gate(runs("g", 300), runs("h", 300, tail=1.1), 1)

    assert passed >= 9
    assert (Verdict.INCONCLUSIVE, 4) == (few.verdict, few.exit_code)
    assert all(one.n_needed for one in few.metrics if one.verdict is Verdict.INCONCLUSIVE)
