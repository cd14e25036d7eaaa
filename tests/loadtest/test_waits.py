import pytest

from loadtest.waits import ENDLESS, Deadlines, Patience, Waits
from telemetry.outcome import AbortBy

S = 1_000_000_000
LIMITS = Deadlines(first_token_s=10, stall_s=5, total_s=60)


@pytest.mark.parametrize(
    ("patience", "at_s", "has_output", "expected"),
    [
        pytest.param(ENDLESS, 1, False, (11, AbortBy.FIRST_TOKEN_DEADLINE), id="the first token, from the issue"),
        pytest.param(ENDLESS, 9, True, (14, AbortBy.STALL_DEADLINE), id="a stall, from the last read"),
        pytest.param(ENDLESS, 58, True, (61, AbortBy.TOTAL_DEADLINE), id="the whole, from the issue"),
        pytest.param(Patience(visible_s=3), 1, False, (3, AbortBy.CLIENT), id="patience, from the planned arrival"),
        pytest.param(Patience(visible_s=3), 2, True, (3, AbortBy.CLIENT), id="patience for a visible token"),
        pytest.param(Patience(visible_s=20), 1, False, (11, AbortBy.FIRST_TOKEN_DEADLINE), id="a patient user"),
        pytest.param(Patience(gap_s=2), 9, True, (11, AbortBy.CLIENT), id="patience for a gap"),
        pytest.param(Patience(gap_s=2), 1, False, (11, AbortBy.FIRST_TOKEN_DEADLINE), id="no gap before the first"),
    ],
)
def test_the_next_thing_to_give_up_for(
    patience: Patience, at_s: int, has_output: bool, expected: tuple[int, AbortBy]
) -> None:
    waits = Waits(1 * S, 0, LIMITS, patience)

    due_ns, by = waits.next(at_s * S, has_output=has_output)

    assert expected == (due_ns / S, by)


def test_a_visible_token_ends_that_patience() -> None:
    waits = Waits(0, 0, LIMITS, Patience(visible_s=3))
    assert waits.watches

    waits.seen()

    assert not waits.watches
    assert (7 * S, AbortBy.STALL_DEADLINE) == waits.next(2 * S, has_output=True)
