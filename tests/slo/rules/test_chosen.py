"""What rules use of their settings."""

import pytest

from slo.rules.chosen import DAY_S, HOUR_S, least_events, window_s
from slo.rules.rule import Settings


@pytest.mark.parametrize(("configured", "expected"), [(None, 100), (0, 1), (1, 1), (7, 7)])
def test_nothing_follows_from_no_request(configured: int | None, expected: int) -> None:
    assert expected == least_events(Settings(min_events=configured), 100)


@pytest.mark.parametrize(
    ("configured_s", "step_s", "expected_s"),
    [
        (None, 1, 6 * HOUR_S),
        (5_400, 1, 5_400),
        (5_400, HOUR_S, 2 * HOUR_S),
        (HOUR_S, HOUR_S, HOUR_S),
        (DAY_S, HOUR_S, DAY_S),
        (DAY_S + 1, 1, DAY_S),
        (7 * DAY_S, HOUR_S, DAY_S),
    ],
)
def test_a_window_is_whole_steps_of_a_day_at_most(configured_s: int | None, step_s: int, expected_s: int) -> None:
    assert expected_s == window_s(Settings(window_s=configured_s), 6 * HOUR_S, step_s)
