"""Gaps have mean 1 and the spread that their law promises (spec/loadtest.md 2); seeds are fixed, tolerances stated."""

import math
from itertools import islice
from statistics import fmean, stdev

import pytest

from loadtest.gaps import expected_cv, gaps
from loadtest.plan_spec import Process
from loadtest.random_streams import Stream, stream

N = 20_000
LAWS = [
    pytest.param(Process.POISSON, None, 1.0, id="exponential"),
    pytest.param(Process.GAMMA, 0.25, 2.0, id="gamma 1/4"),
    pytest.param(Process.GAMMA, 1.0, 1.0, id="gamma 1"),
    pytest.param(Process.GAMMA, 4.0, 0.5, id="gamma 4"),
    pytest.param(Process.WEIBULL, 0.5, 2.236, id="weibull 1/2"),
    pytest.param(Process.WEIBULL, 0.7, 1.462, id="weibull 0.7"),
    pytest.param(Process.WEIBULL, 1.5, 0.679, id="weibull 1.5"),
    pytest.param(Process.WEIBULL, 2.0, 0.523, id="weibull 2"),
]


def drawn(process: Process, shape: float | None, seed: int) -> list[float]:
    return list(islice(gaps(process, shape, stream(seed, Stream.ARRIVALS)), N))


@pytest.mark.parametrize(("process", "shape", "cv"), LAWS)
def test_mean_and_spread(process: Process, shape: float | None, cv: float) -> None:
    values = drawn(process, shape, seed=1)

    assert abs(fmean(values) - 1) < 4 * cv / math.sqrt(N)
    assert abs(stdev(values) / cv - 1) < 0.05
    assert abs(expected_cv(process, shape) - cv) < 0.0005


def test_constant_gaps_are_1() -> None:
    assert [1.0] * N == drawn(Process.CONSTANT, None, seed=1)
    assert expected_cv(Process.CONSTANT, None) == 0


@pytest.mark.parametrize("shape", [0.05, 1e6])
@pytest.mark.parametrize("process", [Process.GAMMA, Process.WEIBULL])
def test_extreme_shapes_stay_finite(process: Process, shape: float) -> None:
    assert all(0 <= gap < math.inf for gap in islice(gaps(process, shape, stream(3, "x")), 2000))


def test_a_uniform_number_of_0_gives_a_gap() -> None:
    for process in Process:
        assert math.isfinite(next(gaps(process, 2.0, lambda: 0.0)))


def test_gamma_against_its_third_moment() -> None:
    # Gamma of shape 4 over 4: skewness 2 / sqrt(4) = 1; its standard error here is below 0.05.
    values = drawn(Process.GAMMA, 4.0, seed=2)
    skewness = fmean((value - 1) ** 3 for value in values) / 0.5**3

    assert abs(skewness - 1) < 0.15
