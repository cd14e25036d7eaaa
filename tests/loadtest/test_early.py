import pytest
from load_rows import row

from loadtest.early import Looker
from loadtest.plan_spec import Objectives
from loadtest.rows import Row
from loadtest.run_spec import Phase
from loadtest.search import LOOK_FIRST
from telemetry.outcome import Flag

LIMITS = {"default": Objectives(ttft_s=0.5)}
TARGET = 0.9


def looks(rows: list[Row], first_j: int = 0, target: float = TARGET) -> int | None:
    """Return how many rows it takes until a step is certain; None if it never is."""
    looker = Looker(first_j, LIMITS, target)
    return next((n for n, one in enumerate(rows, 1) if looker.sees(one)), None)


def late(j: int) -> Row:
    return row(j, at_s=j / 10, ttft_us=900_000)


def good(j: int) -> Row:
    return row(j, at_s=j / 10)


def test_a_bad_step_is_certain_at_the_first_look() -> None:
    assert LOOK_FIRST == looks([late(j) for j in range(100)])


def test_a_good_step_is_certain_at_the_first_look_that_can_prove_it() -> None:
    assert 128 == looks([good(j) for j in range(1000)])  # 98 would do, and 100 to see requests pile up


@pytest.mark.parametrize(
    "rows",
    [
        pytest.param([good(j) for j in range(127)], id="too few"),
        pytest.param([good(j) if j % 10 else late(j) for j in range(500)], id="just as many as the target says"),
        pytest.param([late(j) for j in range(1, 500)], id="the first one has not ended"),
        pytest.param([row(j, at_s=j / 10, phase=Phase.WARM_UP) for j in range(500)], id="warming up"),
        pytest.param([row(j, at_s=j / 10, attempt=2) for j in range(500)], id="further attempts"),
        pytest.param([row(j, at_s=j / 10, flags=Flag.ABORTED_BY_PLAN) for j in range(500)], id="cut by plan"),
    ],
)
def test_nothing_is_certain(rows: list[Row]) -> None:
    assert looks(rows) is None


def test_rows_may_come_in_any_order() -> None:
    assert 100 == looks([late(j) for j in reversed(range(100))])


def test_it_begins_with_the_first_arrival_that_counts() -> None:
    warm = [row(j, at_s=j / 10, phase=Phase.WARM_UP) for j in range(50)]

    assert 50 + LOOK_FIRST == looks([*warm, *(late(j) for j in range(50, 150))], first_j=50)


def test_what_is_certain_stays_so() -> None:
    looker = Looker(0, LIMITS, TARGET)
    for j in range(LOOK_FIRST):
        looker.sees(late(j))

    assert all(looker.sees(good(j)) for j in range(LOOK_FIRST, 2000))
