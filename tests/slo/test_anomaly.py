"""What is usual, and what is far from it."""

import math
from random import Random

import pytest

from slo.anomaly import INSTANTS, VALUES_MIN, Usual, is_naively_off, is_off, usual, with_chance

PAST = [98.0, 99.0, 100.0, 101.0, 102.0] * 4


def test_usual_is_a_median_that_wild_values_do_not_move() -> None:
    assert Usual(median=100.0, deviation=1.4826) == usual(PAST)
    assert Usual(median=100.0, deviation=1.4826) == usual([*PAST, 1e9, -1e9])
    assert usual(PAST[:VALUES_MIN]) is not None
    assert usual(PAST[: VALUES_MIN - 1]) is None


@pytest.mark.parametrize(
    ("last", "off"),
    [
        ((131.0, 140.0, 150.0), True),
        ((60.0, 50.0, 69.9), True),
        ((130.0, 140.0, 150.0), False),  # 30 % is not more than 30 %
        ((131.0, 100.0, 131.0), False),
        ((131.0, 60.0, 131.0), False),
        ((131.0, 131.0), False),
        ((100.0, 131.0, 131.0, 131.0), True),
    ],
)
def test_a_series_is_off_if_three_values_on_end_are_far_to_one_side(last: tuple[float, ...], off: bool) -> None:
    of = usual(PAST)
    assert of is not None
    assert off is is_off(last, of, 0.0)


def test_a_wide_spread_and_what_does_not_matter_are_not_far() -> None:
    last = [160.0] * INSTANTS

    assert not is_off(last, Usual(median=100.0, deviation=10.0), 0.0)
    assert is_off(last, Usual(median=100.0, deviation=9.9), 0.0)
    assert is_off(last, Usual(median=100.0, deviation=10.0), 0.0, deviations=5.9)
    assert not is_off([0.01] * INSTANTS, Usual(median=0.0, deviation=0.0), 0.01)
    assert is_off([0.011] * INSTANTS, Usual(median=0.0, deviation=0.0), 0.01)


def test_the_naive_reading_looks_at_the_hour_before() -> None:
    assert is_naively_off(PAST[:12], 110.0)
    assert not is_naively_off(PAST[:12], 103.0)
    assert not is_naively_off(PAST[: VALUES_MIN - 1], 1e9)


def test_usual_values_are_hardly_ever_off() -> None:
    random = Random(2)  # noqa: S311 -- seeded
    wrong = 0
    for _ in range(2_000):
        of = usual([random.gauss(100, 20) for _ in range(12)])
        assert of is not None
        wrong += is_off([random.gauss(100, 20) for _ in range(INSTANTS)], of, 0.0)

    assert wrong == 0


def test_the_deviation_of_a_share_is_never_below_chance() -> None:
    of = Usual(median=0.0, deviation=0.0)

    # 1 % of 99 with half a bad one more of 100: 1.49 %, of 30 a deviation of 2.2 %
    assert with_chance(of, [(0.0, 49), (0.02, 50)], 30).deviation == pytest.approx(math.sqrt(0.015 * 0.985 / 30))
    assert with_chance(Usual(median=0.0, deviation=0.5), [(0.0, 49)], 30).deviation == 0.5


def test_errors_of_few_requests_are_chance_and_a_spread_of_zero_says_otherwise() -> None:
    random = Random(6)  # noqa: S311 -- seeded
    wrong, plain = 0, 0
    for _ in range(1_500):
        past, last = ([sum(random.random() < 0.005 for _ in range(30)) / 30 for _ in range(size)] for size in (24, 3))
        of = usual(past)
        assert of is not None
        plain += is_off(last, of, 0.01)
        wrong += is_off(last, with_chance(of, [(one, 30) for one in past], 30), 0.01)

    assert (0, True) == (wrong, plain > 0)
