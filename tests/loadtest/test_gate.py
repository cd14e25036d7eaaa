"""The release gate: its examples, its correction for many metrics, and its silence where it cannot tell."""

import math
from collections.abc import Collection
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest import compare
from loadtest.compare import Change
from loadtest.gate import ALPHA, LATENCY_MARGIN, Metric, Request, Run, gate, holm, judge
from loadtest.lengths import lognormal
from loadtest.random_streams import stream
from loadtest.verdict import Verdict

LENGTH_S = 200.0


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "RESAMPLES", 400)  # 2 / 401 is below 5 % over nine metrics


def run(seed: int, n: int = 300, *, ttft: float = 1.0, tail: float = 1.0, tokens: int = 100, bad: float = 0.0) -> Run:
    """A run of n requests: `ttft` times slower everywhere, `tail` times slower beyond P90."""
    uniform, requests = stream(seed, "run"), list[Request]()
    for k in range(n):
        is_bad, quick = uniform() < bad, lognormal(0.1, uniform())
        first = ttft * lognormal(0.5, uniform())
        first *= tail if first > ttft * math.exp(0.5 * 1.2816) else 1.0
        requests.append(
            Request(
                at_s=k * LENGTH_S / n,
                ttft_s=None if is_bad else first,
                tpot_s=None if is_bad else 0.02 * quick,
                max_gap_s=None if is_bad else 0.05 * quick,
                is_bad=is_bad,
                meets=not is_bad,
            )
        )
    return Run(since_s=0, until_s=LENGTH_S, requests=requests, tokens=[(second, tokens) for second in range(200)])


def runs(first: int, **how: float) -> list[Run]:
    return [run(seed, **how) for seed in range(first, first + 3)]  # type: ignore[arg-type] # passed on as it came


def change(estimate: float, low: float, high: float) -> Change:
    return Change(estimate=estimate, low=low, high=high, p=0.0, n=1000)


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        pytest.param(change(0.07, 0.03, 0.11), Verdict.FAILED, id="+7 % [3, 11]"),
        pytest.param(change(0.02, -0.01, 0.05), Verdict.PASSED, id="+2 % [-1, 5]"),
        pytest.param(change(0.03, 0.01, 0.06), Verdict.INCONCLUSIVE, id="+3 % [1, 6]"),
        pytest.param(change(0.09, -0.02, 0.20), Verdict.INCONCLUSIVE, id="+9 % [-2, 20]"),
        pytest.param(change(-0.2, -0.3, -0.1), Verdict.PASSED, id="better"),
        pytest.param(change(0.04, 0.01, 0.05), Verdict.PASSED, id="worse for sure, and within the margin"),
        pytest.param(Change(estimate=math.inf, low=None, high=None, p=1, n=9), Verdict.FAILED, id="only it fails"),
        pytest.param(Change(estimate=None, low=None, high=None, p=1, n=9), Verdict.INCONCLUSIVE, id="both fail"),
        pytest.param(change(0.5, 0.1, math.inf), Verdict.FAILED, id="some resamples fail"),
    ],
)
def test_verdicts_of_section_13(found: Change, verdict: Verdict) -> None:
    assert verdict is judge(found, LATENCY_MARGIN, is_proven=True)


def test_what_many_metrics_do_not_prove_does_not_fail() -> None:
    assert Verdict.INCONCLUSIVE is judge(change(0.07, 0.03, 0.11), LATENCY_MARGIN, is_proven=False)
    worse, better = (Change(estimate=one, low=None, high=None, p=1, n=9) for one in (math.inf, -1.0))
    assert Verdict.INCONCLUSIVE is judge(worse, LATENCY_MARGIN, is_proven=False, is_better=True)
    assert Verdict.INCONCLUSIVE is judge(better, LATENCY_MARGIN, is_proven=True)
    assert Verdict.PASSED is judge(better, LATENCY_MARGIN, is_proven=False, is_better=True)


@pytest.mark.parametrize(
    ("ps", "expected"),
    [
        ([0.01, 0.04, 0.03, 0.005], [True, False, False, True]),  # Holm 1979 as in textbooks: 0.05 over 4, 3, 2, 1
        ([0.05], [True]),
        ([0.03, 0.03], [False, False]),
        ([], []),
    ],
)
def test_holm(ps: list[float], expected: list[bool]) -> None:
    assert expected == holm(ps)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9))
def test_holm_is_between_bonferroni_and_none(ps: list[float]) -> None:
    for p, found in zip(ps, holm(ps), strict=True):
        assert (p <= ALPHA / len(ps)) <= found <= (p <= ALPHA)


def test_an_unchanged_candidate_passes_where_it_can_tell() -> None:
    found = gate(runs(0), runs(10), seed=1)
    verdicts = {one.metric: one.verdict for one in found.metrics}

    assert list(Metric) == list(verdicts)
    assert Verdict.FAILED not in verdicts.values()
    assert Verdict.PASSED is verdicts[Metric.TPOT_P50]
    assert Verdict.PASSED is verdicts[Metric.TOKENS_PER_S]
    assert Verdict.PASSED is verdicts[Metric.BAD_RATIO]
    assert found == gate(runs(0), runs(10), seed=1)


def test_a_slower_tail_fails_and_says_which() -> None:
    found = gate(runs(0, n=400), runs(10, n=400, tail=1.6), seed=1)
    verdicts = {one.metric: one.verdict for one in found.metrics}

    assert (Verdict.FAILED, 3) == (found.verdict, found.exit_code)
    assert Verdict.FAILED is verdicts[Metric.TTFT_P95]
    assert Verdict.FAILED is not verdicts[Metric.TTFT_P50]


@pytest.mark.parametrize(
    ("how", "metrics"),
    [
        pytest.param({"tokens": 90}, {Metric.TOKENS_PER_S}, id="fewer tokens a second"),
        pytest.param(
            {"bad": 0.02}, {Metric.BAD_RATIO, Metric.ATTAINMENT, Metric.TTFT_P99, Metric.MAX_GAP_P99}, id="failures"
        ),
    ],
)
def test_what_fails(how: dict[str, float], metrics: set[Metric]) -> None:
    found = gate(runs(0), runs(10, **how), seed=1)

    assert metrics == {one.metric for one in found.metrics if one.verdict is Verdict.FAILED}


def test_below_the_floor_of_p99_nothing_is_said_of_it() -> None:
    baseline = [run(seed, n=300) for seed in range(3)]
    found = {one.metric: one for one in gate(baseline, [run(9, n=661, tail=9.0)], seed=1).metrics}
    enough = {one.metric: one for one in gate(baseline, [run(9, n=662, tail=9.0)], seed=1).metrics}

    assert (Verdict.INCONCLUSIVE, 662, "n too small") == (
        found[Metric.TTFT_P99].verdict,
        found[Metric.TTFT_P99].n_needed,
        found[Metric.TTFT_P99].reason,
    )
    assert Verdict.FAILED is enough[Metric.TTFT_P99].verdict


def test_what_cannot_be_told_says_how_many_would_be_needed() -> None:
    found = gate(runs(0, n=100), runs(10, n=100), seed=1)
    needed = {one.metric: one.n_needed for one in found.metrics if one.verdict is Verdict.INCONCLUSIVE}

    assert 4 == found.exit_code
    assert Metric.TTFT_P99 in needed
    assert all(n is not None and n > 300 for n in needed.values())


def test_a_rank_that_fails_in_one_arm_by_chance_is_no_fail_and_no_improvement() -> None:
    """5 and 10 bad ones of 900: on both sides of the rank of P99, which leaves 9 above it."""

    def one(seed: int, bad: int) -> Run:
        made = run(seed)
        return replace(made, requests=[replace(each, is_bad=k % 60 < bad) for k, each in enumerate(made.requests)])

    fewer, more = [run(0), run(1), one(2, 1)], [run(3), one(4, 1), one(5, 1)]
    assert (5, 10) == tuple(sum(each.is_bad for one in arm for each in one.requests) for arm in (fewer, more))
    worse, better = (gate(*arms, seed=1, metrics=[Metric.TTFT_P99]).metrics for arms in ((fewer, more), (more, fewer)))

    assert [math.inf, -1.0] == [found.change.estimate for (found,) in (worse, better)]
    for (found,) in (worse, better):
        assert (Verdict.INCONCLUSIVE, None) == (found.verdict, found.n_needed)
        assert "fails in one arm only, which may be chance" == found.reason


def test_a_rank_that_fails_in_one_arm_is_proven_by_resamples_or_by_the_bad_ones() -> None:
    def verdicts(before: list[Run], after: list[Run], metrics: Collection[Metric]) -> set[Verdict]:
        return {one.verdict for one in gate(before, after, seed=1, metrics=metrics).metrics}

    good, many, some = runs(0), runs(10, bad=0.2), runs(10, bad=0.02)

    assert {Verdict.FAILED} == verdicts(good, many, {Metric.TTFT_P99})
    assert {Verdict.PASSED} == verdicts(many, good, {Metric.TTFT_P99})
    assert {Verdict.INCONCLUSIVE} == verdicts(good, some, {Metric.TTFT_P99})
    assert {Verdict.FAILED} == verdicts(good, some, {Metric.TTFT_P99, Metric.BAD_RATIO})
    assert {Verdict.PASSED} == verdicts(some, good, {Metric.TTFT_P99, Metric.BAD_RATIO})


def test_both_fail() -> None:
    found = {one.metric: one for one in gate(runs(0, bad=0.05), runs(10, bad=0.05), seed=1).metrics}

    assert (Verdict.INCONCLUSIVE, "fails in both", None) == (
        found[Metric.TTFT_P99].verdict,
        found[Metric.TTFT_P99].reason,
        found[Metric.TTFT_P99].n_needed,
    )


def test_a_block_that_is_not_whole_is_no_loss_of_tokens() -> None:
    whole = run(1)
    short = Run(since_s=0, until_s=195.0, requests=whole.requests, tokens=whole.tokens)
    found = {one.metric: one for one in gate([whole] * 3, [short] * 3, seed=1).metrics}

    assert pytest.approx(0.0) == found[Metric.TOKENS_PER_S].change.estimate


def test_pairs_of_one_plan() -> None:
    one, other = run(1), run(2)

    assert Verdict.FAILED not in {found.verdict for found in gate([one], [other], seed=1, paired=True).metrics}
    assert not any(found.change.widened for found in gate([one], [other], seed=1, paired=True).metrics)


def test_only_what_is_asked_for_is_judged() -> None:
    found = gate(runs(0), runs(10, bad=0.5), seed=1, metrics={Metric.TOKENS_PER_S})

    assert ([Metric.TOKENS_PER_S], Verdict.PASSED) == ([one.metric for one in found.metrics], found.verdict)
    assert Verdict.INCONCLUSIVE is gate(runs(0), runs(10), seed=1, metrics=()).verdict


def test_unknown_tokens_are_no_loss() -> None:
    unknown = replace(run(1), tokens=None)
    for before, after in (([run(2)] * 3, [unknown] * 3), ([unknown] * 3, [run(2)] * 3)):
        (found,) = gate(before, after, 1, metrics=[Metric.TOKENS_PER_S]).metrics

        assert (Verdict.INCONCLUSIVE, None, 0) == (found.verdict, found.change.estimate, found.change.n)


def test_a_window_that_ends_behind_a_whole_block_dilutes_no_tokens_per_second() -> None:
    """A plan by count ends a moment behind its last arrival, as a rule not at ten whole seconds."""

    def ended_late(one: Run, share: float) -> Run:
        tokens = [(float(second), round(100 * share) if second < 60 else 100) for second in range(61)]
        return replace(one, until_s=60.013, tokens=tokens)

    before, after = ([ended_late(one, share) for one in runs(first)] for first, share in ((1, 1.0), (11, 0.7)))
    (found,) = gate(before, after, 7, metrics=[Metric.TOKENS_PER_S]).metrics

    assert found.change.estimate == pytest.approx(0.3)
    assert Verdict.FAILED is found.verdict
