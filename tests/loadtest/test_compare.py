"""By how much one arm is worse: known changes are found, intervals hold, failures give answers and no ratios."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest import compare
from loadtest.compare import BLOCK_S, RESAMPLES, Blocks, Change, Comparison, blocked, count_change
from loadtest.lengths import lognormal
from loadtest.random_streams import Uniform, stream
from telemetry.percentile import P50, P95, P99

NEVER = math.inf
LEAST = 2 / 201
"""Least p of 200 resamples."""


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    assert RESAMPLES == 2000
    monkeypatch.setattr(compare, "RESAMPLES", 200)


def run(uniform: Uniform, *, blocks: int = 20, size: int = 20, scale: float = 1.0, sigma: float = 0.5) -> Blocks:
    return [[scale * lognormal(sigma, uniform()) for _ in range(size)] for _ in range(blocks)]


def changes(
    before: Sequence[Blocks], after: Sequence[Blocks], p_ppms: list[int], *, paired: bool = False
) -> list[Change]:
    comparison = Comparison([len(one) for one in before], [len(one) for one in after], stream(1, "gate"), paired=paired)
    return comparison.quantiles(before, after, p_ppms)


def test_a_known_change_is_inside_its_interval() -> None:
    uniform = stream(3, "x")
    before, after = ([run(uniform, scale=scale) for _ in range(3)] for scale in (1.0, 1.2))
    for found in changes(before, after, [P50, P95]):
        assert found.low is not None
        assert found.high is not None
        assert found.low < 0.2 < found.high
        assert found.n == 1200
        assert 0 < found.p <= 1


def test_a_large_change_is_proven_and_an_improvement_is_none() -> None:
    uniform = stream(4, "x")
    slow, fast = ([run(uniform, scale=scale) for _ in range(3)] for scale in (1.5, 1.0))
    [worse], [better] = changes(fast, slow, [P50]), changes(slow, fast, [P50])

    assert pytest.approx(2 / 201) == worse.p == better.p_better
    assert 1.0 == worse.p_better
    assert (worse.low or 0) > 0.3
    assert 1.0 == better.p
    assert (better.high or 0) < -0.2


def test_identical_arms_are_told_apart_as_rarely_as_promised() -> None:
    """A false alarm on either side has a probability of 5 %: of 30 pairs more than 6 with one of 0.1 %."""
    alarms = 0
    for seed in range(30):
        uniform = stream(seed, "pair")
        before, after = ([run(uniform, blocks=20, size=10) for _ in range(3)] for _ in range(2))
        [found] = changes(before, after, [P50])
        assert found.low is not None
        assert found.high is not None
        alarms += not found.low <= 0 <= found.high

    assert alarms <= 6


def test_blocks_that_are_alike_inside_widen_the_interval() -> None:
    uniform = stream(5, "x")
    independent = [run(uniform, blocks=30, size=20, sigma=0.5) for _ in range(3)]
    together = [[[lognormal(0.5, uniform())] * 20 for _ in range(30)] for _ in range(3)]

    def width(arm: Sequence[Blocks]) -> float:
        [found] = changes(arm, arm, [P50])
        return (found.high or 0) - (found.low or 0)

    assert width(together) > 2 * width(independent)


def test_pairs_cancel_what_time_of_day_does() -> None:
    uniform = stream(6, "x")
    before = [[[20.0 + 10 * math.sin(k / 9) + uniform() for _ in range(10)] for k in range(60)]]
    after = [[[value * 1.02 for value in block] for block in before[0]]]
    [paired], [apart] = changes(before, after, [P50], paired=True), changes(before, after, [P50])

    assert paired.low == pytest.approx(0.02) == paired.high
    assert not paired.widened
    assert (apart.high or 0) - (apart.low or 0) > 0.05


def test_blocks_that_are_no_pairs() -> None:
    with pytest.raises(ValueError, match="no pairs"):
        Comparison([3, 3], [3, 4], stream(1, "x"), paired=True)


def test_one_candidate_run_is_widened_by_how_the_baselines_runs_differ() -> None:
    uniform = stream(7, "x")
    before = [run(uniform, scale=scale) for scale in (0.8, 1.0, 1.25)]
    after = [run(uniform, scale=1.3)]
    [found] = changes(before, after, [P50])

    assert found.widened
    assert (found.low or 0) < 0 < (found.high or 0)
    assert found.p > 0.05
    [faster] = changes(before, [run(uniform, scale=0.7)], [P50])
    assert (faster.widened, faster.p) == (True, 1.0)
    assert faster.p_better > 0.05
    [alike] = changes([run(uniform, size=60) for _ in range(3)], [run(uniform, scale=1.3, size=60)], [P50])
    assert (alike.low or 0) > 0.1
    [alone] = changes([before[0]], after, [P50])
    assert not alone.widened


def failing(n: int, failures: int) -> list[Blocks]:
    return [[[1.0] * (n - failures) + [NEVER] * failures]]


@pytest.mark.parametrize(
    ("before", "after", "estimate", "ps"),
    [
        pytest.param(failing(100, 0), failing(100, 2), math.inf, (LEAST, 1.0), id="the candidate's rank fails"),
        pytest.param(failing(100, 2), failing(100, 0), -1.0, (1.0, LEAST), id="the baseline's rank fails"),
        pytest.param(failing(100, 2), failing(100, 2), None, (1.0, 1.0), id="both"),
        pytest.param(failing(0, 0), failing(100, 2), None, (1.0, 1.0), id="no value"),
    ],
)
def test_a_rank_that_is_a_failure_gives_no_ratio(
    before: list[Blocks], after: list[Blocks], estimate: float, ps: tuple[float, float]
) -> None:
    [found] = changes(before, after, [P99])

    assert (estimate, None, None) == (found.estimate, found.low, found.high)
    assert pytest.approx(ps) == (found.p, found.p_better)


def test_a_failure_is_as_sure_as_the_resamples_that_have_it() -> None:
    """All failures in one of two blocks: it is drawn in three of four resamples, and alone in one of four."""
    good, bad = [[[1.0] * 50, [1.0] * 50]], [[[1.0] * 50, [1.0] * 48 + [NEVER] * 2]]
    [found] = changes(good, bad, [P99])

    assert math.inf == found.estimate
    assert found.p == pytest.approx(0.5, abs=0.15)  # 200 resamples, a standard deviation of 0.06
    empty = [[[], [1.0] * 100]]
    [none] = changes(empty, bad, [P99])
    assert none.p > found.p  # a resample without any value proves nothing


def test_failures_above_the_rank_only_move_it() -> None:
    before, after = ([[[float(k) for k in range(1, 101)]]] for _ in range(2))
    after[0][0][-1] = NEVER
    [found] = changes(before, after, [P95])

    assert 0.0 == found.estimate


def test_a_resample_may_be_made_of_few_large_values() -> None:
    """Two blocks of high values among many: where one is drawn often, the rank lies deep among the smaller ones."""
    uniform = stream(8, "x")
    arm = [[[10.0 + uniform() for _ in range(200)], *([uniform()] for _ in range(20))]]
    [found] = changes(arm, arm, [P95])

    assert (found.low or 0) < 0 < (found.high or 0)


def test_values_of_0() -> None:
    zero, one = [[[0.0] * 9]], [[[1.0] * 9]]

    assert 0.0 == changes(zero, zero, [P50])[0].estimate
    assert math.inf == changes(zero, one, [P50])[0].estimate


def test_means_are_better_when_larger() -> None:
    before, after = ([[[rate + k % 3] for k in range(60)] for _ in range(3)] for rate in (100.0, 90.0))
    found = Comparison([60] * 3, [60] * 3, stream(1, "gate")).mean(before, after)

    assert pytest.approx(10 / 101) == found.estimate  # means of 101 and 91
    assert (found.low or 0) > 0.08
    assert (found.high or 1) < 0.12


def test_a_mean_of_0() -> None:
    some, none = [[[5.0], [5.0]]], [[[0.0], [0.0]]]
    comparison = Comparison([2], [2], stream(1, "gate"))

    assert (1.0, None) == (comparison.mean(some, none).estimate, comparison.mean(some, none).low)
    assert (-math.inf, None) == (comparison.mean(none, some).estimate, comparison.mean(none, some).low)
    assert comparison.mean(none, none).estimate is None
    assert 1.0 == comparison.mean(some, [[[5.0], [0.0]]]).high  # a resample without any


@pytest.mark.parametrize(
    ("baseline", "candidate", "estimate", "p"),
    [
        pytest.param((0, 1000), (0, 1000), 0.0, 1.0, id="none at all"),
        pytest.param((0, 100), (5, 100), 0.05, 0.0625, id="five to none: 2 * 2^-5"),
        pytest.param((10, 1000), (10, 1000), 0.0, 1.0, id="as many"),
        pytest.param((30, 1000), (10, 1000), -0.02, 1.0, id="fewer"),
        pytest.param((0, 0), (5, 100), None, 1.0, id="an empty arm"),
    ],
)
def test_counts(baseline: tuple[int, int], candidate: tuple[int, int], estimate: float | None, p: float) -> None:
    found = count_change(baseline, candidate)

    assert found.estimate == (None if estimate is None else pytest.approx(estimate))
    assert pytest.approx(p) == found.p
    assert found.p == count_change(candidate, baseline).p_better


def test_points_by_block() -> None:
    points = [(4.9, 0.0), (5.0, 1.0), (14.999, 2.0), (15.0, 3.0), (29.9, 4.0), (30.0, 5.0)]

    assert [[1.0, 2.0], [3.0], [4.0]] == blocked(points, 5.0, 30.0)
    assert 10.0 == BLOCK_S


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=60), st.sampled_from([P50, P95, P99]))
def test_an_arm_against_itself_has_not_changed(values: list[float], p_ppm: int) -> None:
    [found] = changes([[values]], [[values]], [p_ppm])

    assert 0.0 == found.estimate
    assert found.low is not None
    assert found.high is not None
    assert found.low <= 0.0 <= found.high
