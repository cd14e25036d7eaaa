"""Bounds of quantiles and of their ratios: the specification's values, a slow reference, and what chance does."""

import math
from collections import Counter
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo.quantile_ratio import Bounds, Sample, divided, inverse, pooled, quantile, ranks, ratio, times
from telemetry.percentile import P50, P95, P99

WIDTH = 2 ** (1 / 32)


def sample(values: Sequence[float], failed: int = 0) -> Sample:
    return Sample(counts=Counter(math.floor(math.log2(one) * 32) for one in values), failed=failed)


def slow_ranks(n: int, ppm: int, alpha: float) -> tuple[int, int]:
    """Return the same ranks by the formula of scaling.md 8.2, every rank looked at."""
    p, limit = ppm / 1e6, math.log(1 / alpha)
    s = max(2, 3_600 / (2 * limit + math.log(1 + 2 * limit)))

    def ln_beta(a: float, b: float) -> float:
        return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)

    kept = [
        k
        for k in range(n + 1)
        if ln_beta(p * s + k, (1 - p) * s + n - k)
        - ln_beta(p * s, (1 - p) * s)
        - k * math.log(p)
        - (n - k) * math.log(1 - p)
        < limit
    ]
    return kept[0], kept[-1]


@pytest.mark.parametrize(
    ("n", "ppm", "expected"),
    [
        (1_000, P50, (446, 554)),
        (1_000, P95, (925, 972)),
        (1_000, P99, (978, 998)),
        (3_600, P99, (3_543, 3_581)),
        (500, P99, (485, 500)),
    ],
)
def test_the_specification_s_ranks(n: int, ppm: int, expected: tuple[int, int]) -> None:
    assert expected == ranks(n, ppm, 0.025)


@given(n=st.integers(0, 400), ppm=st.integers(1, 999_999), alpha=st.floats(1e-4, 0.5))
def test_the_same_ranks_as_when_every_rank_is_looked_at(n: int, ppm: int, alpha: float) -> None:
    assert slow_ranks(n, ppm, alpha) == ranks(n, ppm, alpha)


def slow_divided(strata: Sequence[tuple[Bounds, Sample]], ppm: int, alpha: float) -> Bounds:
    """Return the same bounds with every observation written out, at both edges of its bucket."""
    kept = [(anchor, one) for anchor, one in strata if 0 < anchor.low and anchor.high < math.inf]
    cells = [(anchor, i) for anchor, one in kept for i, count in one.counts.items() for _ in range(count)]
    failed = [math.inf] * sum(one.failed for _, one in kept)
    n, left_out = len(cells) + len(failed), sum(one.n for pair in strata if pair not in kept for one in pair[1:])
    if not n:
        return Bounds(low=0, point=None, high=math.inf, n=0, left_out=left_out)
    least, largest = slow_ranks(n, ppm, alpha)
    lows = [0.0, *sorted(2 ** (i / 32) / anchor.high for anchor, i in cells), *failed]
    points = [0.0, *sorted(2 ** ((i + 0.5) / 32) / (anchor.point or 1) for anchor, i in cells), *failed]
    highs = [0.0, *sorted(2 ** ((i + 1) / 32) / anchor.low for anchor, i in cells), *failed, math.inf]
    place = max(1, -(-ppm * n // 1_000_000))
    return Bounds(low=lows[least], point=points[place], high=highs[largest + 1], n=n, left_out=left_out)


def anchor_of(low: float, up: float, over: float, bounded: bool) -> Bounds:
    return Bounds(low=low, point=low * up, high=low * up * over if bounded else math.inf, n=1)


ANCHORS = st.builds(anchor_of, st.sampled_from([0.0, 0.5, 3.0]), st.floats(1, 2), st.floats(1, 2), st.booleans())
SAMPLES = st.builds(
    Sample, counts=st.dictionaries(st.integers(0, 90), st.integers(1, 30), max_size=6), failed=st.integers(0, 9)
)


@given(
    strata=st.lists(st.tuples(ANCHORS, SAMPLES), max_size=4),
    ppm=st.sampled_from([P50, P95, P99]),
    alpha=st.sampled_from([0.0025, 0.025, 0.2]),
)
def test_the_same_bounds_as_with_every_observation_written_out(
    strata: list[tuple[Bounds, Sample]], ppm: int, alpha: float
) -> None:
    found, slow = divided(strata, ppm, alpha), slow_divided(strata, ppm, alpha)

    assert (slow.n, slow.left_out) == (found.n, found.left_out)
    assert [slow.low, slow.high, slow.point] == pytest.approx([found.low, found.high, found.point])


def test_bounds_are_order_statistics_at_the_outer_edges_of_their_buckets() -> None:
    values = [1_000.0 + at for at in range(1_000)]
    found = quantile(sample(values), P50, 0.025)

    assert found.low <= values[445] <= found.low * WIDTH
    assert found.high / WIDTH <= values[554] <= found.high
    assert found.point == pytest.approx(values[499], rel=0.011)
    assert (1_000, 0) == (found.n, found.left_out)


def test_failures_are_infinite_and_few_observations_have_no_upper_bound() -> None:
    assert math.inf == quantile(sample([100.0] * 500), P99, 0.025).high
    assert math.isfinite(quantile(sample([100.0] * 1_000), P99, 0.025).high)
    assert (math.inf, math.inf) == (
        (found := quantile(sample([100.0] * 900, failed=100), P99)).low,
        found.point,
    )
    assert Bounds(low=0.0, point=None, high=math.inf, n=0) == quantile(sample([]), P99)


@given(
    values=st.lists(st.floats(1, 1e9), min_size=1, max_size=60), failed=st.integers(0, 20), ppm=st.integers(1, 999_999)
)
def test_the_estimate_lies_within_its_bounds(values: list[float], failed: int, ppm: int) -> None:
    found = quantile(sample(values, failed), ppm)

    assert found.point is not None
    assert 0 <= found.low <= found.point <= found.high


def test_another_mix_of_strata_is_no_change_and_a_change_of_all_is_one() -> None:
    random = Random(5)  # noqa: S311 -- seeded

    def times_of(scale: float, sigma: float, n: int) -> Sample:
        return sample([scale * random.lognormvariate(0, sigma) for _ in range(n)])

    mixed = [
        (times_of(1e5, 0.3, 4_000), times_of(1e5, 0.3, 500)),
        (times_of(1e6, 1.0, 2_000), times_of(1e6, 1.0, 4_000)),
    ]
    before, now = (pooled(pair[side] for pair in mixed) for side in (0, 1))
    plain = quantile(now, P99).point, quantile(before, P99).point
    same = ratio(mixed, P99)
    worse = [(before, Sample(counts={i + 64: n for i, n in now.counts.items()})) for before, now in mixed]

    assert plain[0] is not None
    assert plain[1] is not None
    assert plain[0] / plain[1] > 1.3, "the naive ratio takes the mix for a change"
    assert same.low < 1 < same.high
    assert same.point == pytest.approx(1, abs=0.15)
    assert ratio(worse, P99).point == pytest.approx(4 * (same.point or 0), rel=1e-9), "64 buckets are two doublings"
    assert ratio(worse, P99).low > 2


def test_a_stratum_without_a_bounded_anchor_is_left_out_and_counted() -> None:
    found = ratio([(sample([5.0] * 2_000), sample([10.0] * 50)), (sample([5.0] * 20), sample([900.0] * 70))], P99)

    assert (50, 70) == (found.n, found.left_out)
    assert found.point == pytest.approx(2, rel=0.03)
    assert divided([], P99) == Bounds(low=0.0, point=None, high=math.inf, n=0)


def test_products_and_inverses_keep_what_is_proven() -> None:
    a, b = Bounds(low=1, point=2, high=4, n=10), Bounds(low=5, point=None, high=math.inf, n=3)

    assert Bounds(low=5, point=None, high=math.inf, n=3) == times(a, b)
    assert Bounds(low=0.25, point=0.5, high=1, n=10) == inverse(a)
    assert Bounds(low=0, point=None, high=0.2, n=3) == inverse(b)
    assert math.inf == inverse(Bounds(low=0, point=1, high=1, n=1)).high


def test_the_lower_bound_is_seldom_above_the_truth() -> None:
    random = Random(11)  # noqa: S311 -- seeded
    wrong = 0
    for _ in range(60):
        before, now = (sample([random.lognormvariate(12, 0.8) for _ in range(1_200)]) for _ in range(2))
        found = ratio([(before, now)], P99)
        wrong += found.low > 1 or found.high < 1

    assert wrong <= 3, "5 % at most"
