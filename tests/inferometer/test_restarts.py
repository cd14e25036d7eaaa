"""The back-off of spec/reliability.md 4.1: at once, then 50 ms doubling to 1 s; too many is more than 5 in 60 s."""

import pytest

from inferometer.restarts import CRASHES_MAX, WAIT_S_MAX, WINDOW_S, Restarts


def test_waits_double_from_50_ms_to_the_limit() -> None:
    restarts = Restarts()

    waits = [restarts.crashed(at_s) for at_s in range(8)]

    assert waits == pytest.approx([0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0])
    assert max(waits) <= WAIT_S_MAX
    assert restarts.crashes == 8


@pytest.mark.parametrize(("crashes", "expected"), [(CRASHES_MAX, False), (CRASHES_MAX + 1, True)])
def test_too_many_is_one_more_than_the_limit(crashes: int, expected: bool) -> None:
    restarts = Restarts()
    for _ in range(crashes):
        restarts.crashed(0.0)

    assert expected is restarts.too_many


def test_old_crashes_are_forgiven() -> None:
    restarts = Restarts()
    for _ in range(CRASHES_MAX + 1):
        restarts.crashed(0.0)

    assert restarts.crashed(WINDOW_S + 0.1) == 0.0
    assert not restarts.too_many
