"""What was left of a budget, and what will be, by hand."""

import pytest

from slo.adjustments import Segment
from slo.budget_curve import Pace, Spent, added_up, ahead, left, until_spent

STEP_S = 60
BEGAN_S = 6_000
NOW_S = BEGAN_S + 10 * STEP_S
MINUTES = [(BEGAN_S + n * STEP_S, 100, 20 if n == 2 else 0) for n in range(10)]
STEADY = added_up(MINUTES, BEGAN_S, NOW_S, STEP_S)
"""Ten minutes of 100 requests, of which 20 are bad in the third."""
TARGET = 0.9


def test_counts_are_added_up_and_absent_steps_are_empty() -> None:
    of = added_up([(120, 5, 1), (0, 3, 0)], 0, 200, 60)

    assert Spent(since_s=0, step_s=60, known_s=0, eligible=(0, 3, 3, 8, 8), bad=(0, 0, 0, 1, 1)) == of
    assert (5, 1) == of.over(60, 10_000)
    assert (0, 0) == of.over(-500, 0)
    assert (0, 120, 240) == (of.known_s, *(added_up(some, 0, 240, 60).known_s for some in ([(120, 5, 0)], [])))


@pytest.mark.parametrize(
    ("start_s", "end_s", "expected"),
    [
        pytest.param(BEGAN_S, BEGAN_S + 120, 1.0, id="nothing bad yet"),
        pytest.param(BEGAN_S, BEGAN_S + 180, 1 - 20 / 30, id="20 of 300, of which 30 may be bad"),
        pytest.param(BEGAN_S, NOW_S, 0.8, id="20 of 1,000"),
        pytest.param(BEGAN_S + 180, NOW_S, 1.0, id="the bad minute has left the period"),
        pytest.param(NOW_S, NOW_S + 60, None, id="nothing came"),
        pytest.param(BEGAN_S, BEGAN_S, None, id="nothing yet"),
    ],
)
def test_what_is_left_is_of_the_period_that_ends_there(start_s: int, end_s: int, expected: float | None) -> None:
    assert pytest.approx(expected) == left(STEADY, start_s, end_s, TARGET)


@pytest.mark.parametrize(
    ("out", "expected"),
    [
        pytest.param([(BEGAN_S + 120, BEGAN_S + 180, 100)], 1.0, id="the bad minute"),
        pytest.param([(BEGAN_S + 120, BEGAN_S + 180, 50)], 1 - 10 / 95, id="half of it"),
        pytest.param([(BEGAN_S + 150, BEGAN_S + 180, 100)], 1 - 10 / 95, id="its second half"),
        pytest.param([(BEGAN_S + 180, NOW_S, 100)], 1 - 20 / 30, id="all that came after it"),
        pytest.param([(BEGAN_S, NOW_S, 100)], None, id="all"),
        pytest.param([(BEGAN_S - 600, BEGAN_S, 100), (NOW_S, NOW_S + 600, 100)], 0.8, id="what is elsewhere"),
    ],
)
def test_what_people_took_out_counts_neither_way(out: list[Segment], expected: float | None) -> None:
    of = added_up(MINUTES, BEGAN_S, NOW_S, STEP_S, out)

    assert pytest.approx(expected) == left(of, BEGAN_S, NOW_S, TARGET)
    assert BEGAN_S == of.known_s, "it was seen all the same"


@pytest.mark.parametrize(
    ("start_s", "burn", "expected"),
    [
        pytest.param(BEGAN_S, 1.0, 1 - 120 / 200, id="a calendar's: 20 bad, and 100 more of 2,000"),
        pytest.param(BEGAN_S, 0.0, 0.9, id="burning no more"),
        pytest.param(NOW_S, 0.0, 1.0, id="it rolls: the bad minute has left"),
        pytest.param(NOW_S, 1.0, 0.0, id="it rolls: what burns at 1 spends all"),
    ],
)
def test_what_will_be_left_in_ten_minutes(start_s: int, burn: float, expected: float) -> None:
    pace = Pace(at_s=NOW_S, per_s=100 / 60, burn=burn)

    assert pytest.approx(expected) == ahead(STEADY, start_s, NOW_S + 600, TARGET, pace)


@pytest.mark.parametrize(("n", "expected"), [(9, None), (10, 0.0)], ids=["less than one may be bad", "one may"])
def test_a_budget_of_less_than_one_request_is_not_told(n: int, expected: float | None) -> None:
    assert expected == left(added_up([(0, n, 1)], 0, 60, 60), 0, 60, TARGET)


def test_the_end_of_the_past_is_the_beginning_of_what_comes() -> None:
    pace = Pace(at_s=NOW_S, per_s=9.0, burn=7.0)

    assert left(STEADY, BEGAN_S, NOW_S, TARGET) == pytest.approx(ahead(STEADY, BEGAN_S, NOW_S, TARGET, pace))


def test_nothing_that_comes_to_nothing_is_unknown() -> None:
    assert None is ahead(STEADY, NOW_S, NOW_S + 60, TARGET, Pace(at_s=NOW_S, per_s=0.0, burn=1.0))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param([0.5, 0.2, -0.1, -0.4], [0.5, 0.2, 0.0, None], id="spent"),
        pytest.param([0.5, 0.0, 0.3], [0.5, 0.0, None], id="spent to the last request"),
        pytest.param([0.5, None, 0.4], [0.5, None, 0.4], id="unknown is not spent"),
        pytest.param([], [], id="nothing"),
    ],
)
def test_what_is_spent_is_not_spent_further(values: list[float | None], expected: list[float | None]) -> None:
    assert expected == until_spent(values)
