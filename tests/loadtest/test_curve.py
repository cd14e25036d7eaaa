"""Rate curves: integral and inverse are exact, and agree with each other."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.curve import Curve
from loadtest.errors import PlanError
from loadtest.plan_spec import CurveShape

STEP, LINEAR = CurveShape.STEP, CurveShape.LINEAR
UP = ((0.0, 10.0), (10.0, 50.0), (20.0, 0.0))


@pytest.mark.parametrize(
    ("points", "shape", "expected", "t_s"),
    [
        pytest.param([(0, 40)], STEP, 2.0, 0.05, id="constant"),
        pytest.param(UP, STEP, 100.0, 10.0, id="up to a step"),
        pytest.param(UP, STEP, 150.0, 11.0, id="beyond it"),
        pytest.param(UP, STEP, 600.0, 20.0, id="the last that comes"),
        pytest.param(UP, STEP, 600.1, None, id="the rate is 0 for ever"),
        pytest.param([(0, 0), (10, 20)], LINEAR, 25.0, 5.0, id="a line from 0: t^2"),
        pytest.param([(0, 20), (10, 0)], LINEAR, 75.0, 5.0, id="a line down: 100 - (10 - t)^2"),
        pytest.param([(0, 20), (10, 0)], LINEAR, 100.0, 10.0, id="its very end"),
        pytest.param([(0, 20), (10, 0)], LINEAR, 100.5, None, id="nothing after it"),
        pytest.param([(0, 10), (10, 10), (10, 20)], LINEAR, 120.0, 11.0, id="a jump in lines"),
        pytest.param([(0, 1), (1, 0), (5, 1)], STEP, 1.5, 5.5, id="a pause"),
    ],
)
def test_when_the_integral_is_reached(
    points: list[tuple[float, float]], shape: CurveShape, expected: float, t_s: float | None
) -> None:
    found = Curve(points, shape).reaches(expected)

    assert found == (None if t_s is None else pytest.approx(t_s, abs=1e-9))


@given(
    st.lists(st.tuples(st.floats(0.1, 50), st.floats(0.01, 100)), min_size=1, max_size=6),
    st.sampled_from(CurveShape),
    st.floats(1e-6, 1e4),
)
def test_the_inverse_inverts(pieces: list[tuple[float, float]], shape: CurveShape, expected: float) -> None:
    points, t_s = [(0.0, pieces[0][1])], 0.0
    for length_s, rate in pieces:
        t_s += length_s
        points.append((t_s, rate))
    curve = Curve(points, shape)
    found = curve.reaches(expected)

    assert found is not None
    assert math.isclose(expected, curve.integral(found), rel_tol=1e-9, abs_tol=1e-9)


@pytest.mark.parametrize(
    "points",
    [
        pytest.param([(1, 1)], id="not from 0"),
        pytest.param([(0, 1), (5, 1), (4, 1)], id="back in time"),
        pytest.param([(0, math.inf)], id="without bound"),
        pytest.param([(0, math.nan)], id="not a number"),
    ],
)
def test_what_is_no_curve(points: list[tuple[float, float]]) -> None:
    with pytest.raises(PlanError, match="rate"):
        Curve(points)
