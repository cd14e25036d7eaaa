import msgspec
import pytest
from load_reports import ending

from inferometer.load_calibrate import COLUMNS, FIRST_CHUNKS_PER_S, STEPS_MAX, asked, climbed, is_fit
from loadtest.conductor import Ending, Halt


def test_each_step_asks_for_twice_the_chunks() -> None:
    assert [FIRST_CHUNKS_PER_S, 2000.0, 4000.0] == [asked(step) for step in range(3)]


@pytest.mark.parametrize(
    ("fit_steps", "n"), [(0, 1), (3, 4), (STEPS_MAX, STEPS_MAX)], ids=["none", "some", "as many as there are"]
)
def test_the_climb_ends_at_the_first_step_that_is_not_kept_up_with(fit_steps: int, n: int) -> None:
    def carried(step: int) -> Ending:
        return ending(lag_us=100.0 if step < fit_steps else 50_000.0)

    steps = climbed(carried)

    assert (n, list(range(n))) == (len(steps), [step for step, _ in steps])
    assert fit_steps == sum(is_fit(one) for _, one in steps)


def test_that_no_ceiling_is_known_yet_does_not_count() -> None:
    fast = ending(reads_per_s=30_000.0)

    assert fast.fitness is not None
    assert ["ceiling"] == [check.name for check in fast.fitness.checks if check.state == "unknown"]
    assert is_fit(fast)


def test_a_step_that_ended_early_is_none() -> None:
    assert not is_fit(msgspec.structs.replace(ending(), halt=Halt.INTERRUPTED))
    assert not is_fit(ending(sent=0))
    assert 7 == len(COLUMNS)
