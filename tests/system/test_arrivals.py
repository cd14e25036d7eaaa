"""The whole table of arrival processes, each over many seeds: spec/loadtest.md 2, n = 20,000, rate 100, windows 1 s.

A tolerance is that of the table, and 9 of 10 seeds must keep it; its mean over the seeds must keep a third of it. The
CV of Weibull gaps of shape 1/2 has a standard error of 3 % at this n (their fourth moment is 88 times the squared
variance), so that 5 % are kept by nine seeds of ten: of 10, 7 or more with a probability of 98 %.
"""

import math
from statistics import fmean

import pytest

from loadtest.arrivals import planned_times
from loadtest.dispersion import dispersion, dispersion_index, gaps_between, ks_exponential, lag1
from loadtest.plan_spec import PlanSpec, Process, RateCurve

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

N = 20_000
RATE = RateCurve(points=((0, 100),))
TABLE = [
    pytest.param(Process.CONSTANT, None, 0.0, 1e-6, 0.0, 1e-3, id="constant"),
    pytest.param(Process.POISSON, None, 1.0, 0.03, 1.0, 0.4, id="poisson"),
    pytest.param(Process.GAMMA, 0.25, 2.0, 0.1, 4.0, 1.2, id="gamma 1/4"),
    pytest.param(Process.GAMMA, 4.0, 0.5, 0.015, 0.25, 0.1, id="gamma 4"),
    pytest.param(Process.WEIBULL, 0.5, 2.236, 0.112, 5.0, 2.0, id="weibull 1/2"),
    pytest.param(Process.WEIBULL, 0.7, 1.462, 0.073, 2.137, 0.86, id="weibull 0.7"),
    pytest.param(Process.WEIBULL, 1.5, 0.679, 0.034, 0.461, 0.19, id="weibull 1.5"),
    pytest.param(Process.WEIBULL, 2.0, 0.523, 0.026, 0.274, 0.11, id="weibull 2"),
]


def near(found: float | None, expected: float, within: float) -> bool:
    return found is not None and abs(found - expected) <= within


@pytest.mark.parametrize(("process", "shape", "cv", "cv_within", "index", "index_within"), TABLE)
def test_the_table(
    process: Process, shape: float | None, cv: float, cv_within: float, index: float, index_within: float
) -> None:
    seeds = 10
    found = [
        dispersion(planned_times(PlanSpec(seed=seed, process=process, shape=shape, rate=RATE, count=N)))
        for seed in range(seeds)
    ]
    kept = sum(near(one.cv, cv, cv_within) for one in found), sum(near(one.index, index, index_within) for one in found)
    print(f"{process} {shape}: CV kept by {kept[0]}, index kept by {kept[1]} of {seeds} seeds")

    least = 7 if process is Process.WEIBULL and shape == 0.5 else 9

    assert min(kept) >= least
    assert abs(fmean(one.cv for one in found if one.cv is not None) - cv) <= cv_within / 3


def test_poisson_over_200_seeds() -> None:
    near_exponential = forgetful = 0
    for seed in range(200):
        gaps = gaps_between(planned_times(PlanSpec(seed=seed, rate=RATE, count=N)))
        near_exponential += math.sqrt(len(gaps)) * ks_exponential(gaps, 1e7) <= 1.95
        forgetful += near(lag1(gaps), 0.0, 0.03)
    print(f"of 200 seeds: KS {near_exponential}, lag-1 {forgetful}")

    assert near_exponential >= 196
    assert forgetful >= 196


@pytest.mark.parametrize("window_s", [0.1, 1, 10])
def test_poisson_has_index_1_at_every_window(window_s: float) -> None:
    times = planned_times(PlanSpec(seed=4, rate=RATE, count=N))
    windows = int(200 / window_s)
    found = dispersion_index(times, times[-1], round(window_s * 1e9))

    assert near(found, 1.0, 3 * math.sqrt(2 / (windows - 1)))
