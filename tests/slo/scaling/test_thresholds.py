"""Thresholds in requests and per cent, said in seconds (spec/scaling.md 6.4)."""

import pytest

from slo.scaling.thresholds import (
    LOAD_DAYS,
    QUEUE_DEPTH_SAFE,
    LoadDay,
    QueueLimits,
    load_at_gpu,
    noted,
    queue_limits,
    queue_slack_s,
    requests_that_fit,
    wait_s,
)


@pytest.mark.parametrize(
    ("waiting", "goodput", "seconds"),
    [(75, 3.243, "23.1"), (75, 2.6, "28.8"), (75, 10, "7.5"), (50, 3.243, "15.4"), (100, 3.243, "30.8")],
)
def test_a_queue_is_a_time(waiting: float, goodput: float, seconds: str) -> None:
    assert seconds == f"{wait_s(waiting, goodput):.3g}"


def test_the_safe_range_of_the_seed_is_15_to_31_seconds() -> None:
    assert [15, 31] == [round(wait_s(waiting, 3.243)) for waiting in QUEUE_DEPTH_SAFE]


def test_what_a_time_to_first_token_leaves_for_the_queue() -> None:
    slack_s = queue_slack_s(2.0, 1_020, 9_000)
    limits = queue_limits(3.243, slack_s)

    assert ("1.887", "6.1", "23.1") == (f"{slack_s:.4g}", f"{limits.derived:.2g}", f"{limits.seed_wait_s:.3g}")
    assert (75, slack_s) == (limits.seed, limits.derived_wait_s)


def test_without_a_speed_only_the_seed_s_threshold_is_known() -> None:
    expected = QueueLimits(seed=50, seed_wait_s=25.0, derived=None, derived_wait_s=None)

    assert expected == queue_limits(2.0, None, seed=50)
    assert (None, None, 1.9) == (
        queue_limits(None, 1.9).seed_wait_s,
        queue_limits(None, 1.9).derived,
        queue_limits(None, 1.9).derived_wait_s,
    )


def test_a_prompt_that_takes_all_the_time_leaves_no_queue() -> None:
    assert 0.0 == queue_limits(2.0, queue_slack_s(1.0, 20_000, 9_000)).derived


def test_what_still_fits_into_a_cache() -> None:
    assert 22 == requests_that_fit(0.8, 120_000, 1_084.5)
    assert 0 == requests_that_fit(1.01, 120_000, 1_084.5)


def test_the_load_behind_a_utilisation_is_a_range_of_seven_days() -> None:
    day, days = 86_400, tuple[LoadDay, ...]()
    looks = ((0, 0.75, 0.41), (15, 0.77, 0.6), (day, 0.73, 0.93), (day + 15, 0.78, 0.1), (day + 30, None, 0.1))
    for at_s, gpu_ratio, rho in looks:
        days = noted(days, at_s, gpu_ratio, rho)
    days = noted(days, day + 45, 0.75, None)

    assert (0.41, 0.93, 3) == load_at_gpu(days)
    assert 2 == len(days)
    assert (0.41, 0.93, 3) == load_at_gpu(noted(days, LOAD_DAYS * day - 1, None, None))
    assert (0.93, 0.93, 1) == load_at_gpu(noted(days, LOAD_DAYS * day, None, None)), "the first day is over"
    assert load_at_gpu(()) is None
