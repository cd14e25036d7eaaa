import pytest

from loadtest.lengths import lognormal
from loadtest.random_streams import stream
from loadtest.slope import POINTS_MAX, POINTS_MIN, SIDE_MIN, slope, step


def test_a_line_is_found_exactly() -> None:
    found = slope([(x, 3.0 + 0.5 * x) for x in range(20)])

    assert found is not None
    assert (0.5, 0.5, 0.5, 3.0, 20) == pytest.approx((found.rise, found.low, found.high, found.level, found.n))


def test_a_few_wild_points_move_it_little() -> None:
    points = [(float(x), 3.0 + 0.5 * x) for x in range(50)]
    points[7] = (7.0, 1e6)
    found = slope(points)

    assert found is not None
    assert 0.5 == pytest.approx(found.rise)


def test_the_interval_holds_the_true_slope_as_often_as_promised() -> None:
    """Of 200 series at 95 % fewer than 180 hold it with a probability of 0.3 %."""
    held = 0
    for seed in range(200):
        uniform = stream(seed, "slope")
        found = slope([(float(x), 10.0 + 0.02 * x + lognormal(0.5, uniform())) for x in range(30)])
        assert found is not None
        held += found.low <= 0.02 <= found.high

    assert held >= 180


def test_bounds() -> None:
    flat = [(float(x), 1.0) for x in range(POINTS_MAX + 1)]

    assert slope(flat[: POINTS_MIN - 1]) is None
    assert slope(flat[:POINTS_MIN]) is not None
    assert slope(flat[:POINTS_MAX]) is not None
    with pytest.raises(ValueError, match="allowed: 400"):
        slope(flat)


def test_a_step_has_its_size_and_an_interval() -> None:
    uniform = stream(2, "step")
    before, behind = ([level * lognormal(0.05, uniform()) for _ in range(n)] for level, n in ((1.0, 90), (1.3, 30)))
    found = step(before, behind)

    assert found is not None
    assert 0.3 == pytest.approx(found.size, abs=0.03)
    assert found.low < found.size < found.high < 0.4
    assert step(before, before[: SIDE_MIN - 1]) is None
    assert step(before[:SIDE_MIN], before[:SIDE_MIN]) is not None
    with pytest.raises(ValueError, match="allowed: 400"):
        step([1.0] * POINTS_MAX, [1.0])
