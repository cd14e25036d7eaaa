"""How irregular arrivals are: the table of spec/loadtest.md 2, of one seed each; `tests/system/test_arrivals.py`
has it with 200 seeds."""

import math

import pytest

from loadtest.arrivals import planned_times
from loadtest.dispersion import (
    WINDOW_NS,
    Dispersion,
    dispersion,
    dispersion_index,
    gaps_between,
    ks_exponential,
    lag1,
    variation,
)
from loadtest.plan_spec import PlanSpec, Process, RateCurve

RATE = RateCurve(points=((0, 100),))


def test_values_by_hand() -> None:
    times = [1, 2, 4, 7]

    assert [1.0, 2.0, 3.0] == list(gaps_between(times))
    assert 0.5 == variation([1, 2, 3])
    assert 0.0 == lag1([1.0, 2.0, 3.0])
    assert pytest.approx(2 / 3) == dispersion_index([0, 1, 10, 19, 20, 25], 40, 10)  # counts 2, 2, 2, 0: 1 over 1.5
    assert pytest.approx(0.5) == ks_exponential([math.log(2)], 1.0)
    assert Dispersion(n=3, cv=0.0, index=0.0) == dispersion([WINDOW_NS // 2, 3 * WINDOW_NS // 2, 5 * WINDOW_NS // 2])


def test_too_few_for_a_value() -> None:
    assert Dispersion(n=0, cv=None, index=None) == dispersion([])
    assert Dispersion(n=2, cv=None, index=None) == dispersion([5, 6])
    assert variation([0.0, 0.0]) is None
    assert lag1([1.0]) is None
    assert lag1([2.0, 2.0]) is None
    assert dispersion_index([50], 40, 10) is None


@pytest.mark.parametrize(
    ("process", "shape", "cv", "cv_within", "index", "index_within"),
    [
        pytest.param(Process.POISSON, None, 1.0, 0.03, 1.0, 0.4, id="poisson"),
        pytest.param(Process.GAMMA, 0.25, 2.0, 0.1, 4.0, 1.2, id="gamma 1/4"),
        pytest.param(Process.GAMMA, 4.0, 0.5, 0.015, 0.25, 0.1, id="gamma 4"),
        pytest.param(Process.WEIBULL, 0.7, 1.462, 0.0731, 2.137, 0.86, id="weibull 0.7"),
    ],
)
def test_the_table(
    process: Process, shape: float | None, cv: float, cv_within: float, index: float, index_within: float
) -> None:
    found = dispersion(planned_times(PlanSpec(seed=11, process=process, shape=shape, rate=RATE, count=20_000)))

    assert pytest.approx(cv, abs=cv_within) == found.cv
    assert pytest.approx(index, abs=index_within) == found.index


def test_poisson_gaps_forget_and_are_exponential() -> None:
    passed = 0
    for seed in range(50):
        gaps = gaps_between(planned_times(PlanSpec(seed=seed, rate=RATE, count=1001)))
        passed += math.sqrt(len(gaps)) * ks_exponential(gaps, 1e7) <= 1.95
    correlation = lag1(gaps_between(planned_times(PlanSpec(seed=1, rate=RATE, count=20_000))))

    assert passed >= 49  # 98 %; at 1.95 an exponential fails once in a thousand
    assert correlation is not None
    assert abs(correlation) <= 0.03


def test_gaps_of_another_law_are_told_from_exponential_ones() -> None:
    spec = PlanSpec(seed=1, process=Process.GAMMA, shape=1.5, rate=RATE, count=1001)

    assert math.sqrt(1000) * ks_exponential(gaps_between(planned_times(spec)), 1e7) > 1.95
