"""What a run proves of a quantile: published floors, coverage by counting, and failures as +infinity."""

import math
from itertools import accumulate
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.quantiles import Interval, certification_floor, certified, interval, proof, requests_needed
from loadtest.verdict import Verdict
from telemetry.percentile import P50, P75, P90, P95, P99, P999


def up_to(n: int) -> list[int]:
    return list(range(1, n + 1))


@pytest.mark.parametrize(("p_ppm", "floor"), [(P50, 11), (P75, 24), (P90, 64), (P95, 130), (P99, 662), (P999, 6636)])
def test_certification_floors(p_ppm: int, floor: int) -> None:
    assert floor == certification_floor(p_ppm)
    assert certified(up_to(floor - 1), p_ppm) is None
    assert floor == certified(up_to(floor), p_ppm)  # at the floor the bound is the maximum


def test_of_10_000_the_bound_of_p99_is_the_77th_from_above() -> None:
    assert 10_000 - 77 + 1 == certified(up_to(10_000), P99)


def below(n: int, p: float) -> list[float]:
    """P(Bin(n, p) < r) for r from 0 to n + 1."""
    return [0.0, *accumulate(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1))]


@pytest.mark.parametrize(
    ("n", "p_ppm"), [(10, P50), (11, P50), (64, P90), (200, P50), (200, P90), (200, P99), (700, P99)]
)
def test_the_bound_is_the_tightest_with_99_percent(n: int, p_ppm: int) -> None:
    risks = below(n, 1 - p_ppm / 1e6)
    t = max((t for t in range(1, n) if risks[t + 1] < 0.01), default=0)

    assert certified(up_to(n), p_ppm) == (n - t + 1 if t else None)


@pytest.mark.parametrize(("n", "p_ppm"), [(10, P50), (100, P50), (100, P95), (900, P99)])
def test_the_interval_holds_95_percent_and_no_narrower_one_does_on_its_side(n: int, p_ppm: int) -> None:
    found, law = interval(up_to(n), p_ppm), below(n, p_ppm / 1e6)
    assert found.low is not None
    assert found.high is not None
    low, high = int(found.low), int(found.high)

    assert law[low] <= 0.025 < law[low + 1]
    assert 1 - law[high] <= 0.025 < 1 - law[high - 1]


def test_a_known_interval() -> None:
    # Ranks 40 and 61 of 100 are the textbook 95 % interval of a median (David and Nagaraja, 7.1).
    assert Interval(low=40, high=61) == interval(up_to(100), P50)


def test_coverage_of_a_lognormal_p95() -> None:
    random, held, truth = Random(5), 0, math.exp(1.6448536)  # noqa: S311 -- a sample of a known law
    for _ in range(400):
        found = interval(sorted(math.exp(random.gauss()) for _ in range(300)), P95)
        held += (found.low or 0) <= truth <= (found.high or math.inf)

    assert held >= 367  # 95 % less three standard errors


def test_too_few_for_an_end() -> None:
    assert Interval(low=None, high=None) == interval([], P50)
    assert Interval(low=None, high=None) == interval([1, 2, 3], P50)
    assert None is interval(up_to(50), P99).high


def test_an_end_on_a_failure_is_no_number() -> None:
    assert Interval(low=40, high=None) == interval(up_to(60), P50, failures=40)
    assert certified(up_to(990), P99, failures=10) is None
    assert 999 == certified(up_to(999), P99, failures=1)


@pytest.mark.parametrize(
    ("n", "failures", "limit", "expected"),
    [
        pytest.param(661, 0, 1e9, Verdict.INCONCLUSIVE, id="one below the floor, however good"),
        pytest.param(661, 0, 0, Verdict.INCONCLUSIVE, id="one below the floor, however bad"),
        pytest.param(662, 0, 662, Verdict.PASSED, id="the bound at the limit"),
        pytest.param(662, 0, 661, Verdict.INCONCLUSIVE, id="the value below it, the bound above"),
        pytest.param(662, 0, 656, Verdict.INCONCLUSIVE, id="the value at the limit"),
        pytest.param(662, 0, 655, Verdict.FAILED, id="the value above it"),
        pytest.param(900, 100, 1e9, Verdict.FAILED, id="the value is a failure"),
        pytest.param(995, 5, 1e9, Verdict.INCONCLUSIVE, id="the bound alone is a failure"),
        pytest.param(999, 1, 1e9, Verdict.PASSED, id="a failure above both"),
    ],
)
def test_absolute_objectives(n: int, failures: int, limit: float, expected: Verdict) -> None:
    assert expected is proof(up_to(n), P99, limit, failures=failures)


@given(st.lists(st.floats(0, 1e6), max_size=300), st.sampled_from([P50, P90, P95]), st.integers(0, 20))
def test_the_value_is_inside_and_the_bound_is_not_below_it(values: list[float], p_ppm: int, failures: int) -> None:
    ordered = sorted(values)
    found, bound = interval(ordered, p_ppm, failures=failures), certified(ordered, p_ppm, failures=failures)

    if found.low is not None and found.high is not None:
        assert found.low <= found.high
    if bound is not None and found.low is not None:
        assert bound >= found.low


def test_requests_for_a_change() -> None:
    assert 7364 == pytest.approx(requests_needed(P95, 0.5, 0.05), rel=0.01)
    assert requests_needed(P95, 1.0, 0.05) == pytest.approx(4 * requests_needed(P95, 0.5, 0.05), rel=0.01)
    assert requests_needed(P95, 1.0, 0.05, runs=3) == pytest.approx(requests_needed(P95, 1.0, 0.05) * 5 / 3, rel=0.01)
    assert requests_needed(P95, 0.5, 0.1, power=0.9, metrics=9) > requests_needed(P95, 0.5, 0.1, power=0.9)


@pytest.mark.parametrize(
    ("p_ppm", "sigma", "table"),
    [(P50, 0.5, 1100), (P50, 0.9, 3500), (P95, 0.5, 3100), (P95, 0.9, 9900), (P99, 0.5, 9500), (P99, 0.9, 31_000)],
)
def test_the_planning_table_is_of_a_known_baseline_and_one_side(p_ppm: int, sigma: float, table: int) -> None:
    one_side_of_two = ((1.6449 + 0.8416) / (1.96 + 0.8416)) ** 2
    one_arm_of_two = 0.5

    assert table == pytest.approx(requests_needed(p_ppm, sigma, 0.05) * one_side_of_two * one_arm_of_two, rel=0.08)
