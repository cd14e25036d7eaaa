"""Tests of slo.target."""

from random import Random

from slo.target import FAILING_S, RETRY_S, RETRY_S_MAX, Target, Tries


def tries() -> Tries:
    return Tries(Target(channel="c"), Random(7))  # noqa: S311 -- jitter of a test


def test_the_waits_are_full_jitter_from_a_second_to_a_minute() -> None:
    one = tries()
    waits: list[float] = []
    for _ in range(500):
        one.failed(0.0, "answered 500")
        waits.append(one.wait_s(0.0))

    assert waits[0] == RETRY_S
    assert min(waits) >= RETRY_S
    assert max(waits) <= RETRY_S_MAX
    late = sorted(waits[10:])
    assert late[0] < 2  # uniform from 1 to 60: the least of 490 is above 2 once in 4,000 seeds
    assert late[-1] > 59


def test_a_wait_that_was_asked_for_is_never_shortened() -> None:
    one = tries()
    one.failed(10.0, "answered 429", retry_after_s=30.0)

    assert (one.wait_s(10.0), one.wait_s(39.0), one.wait_s(40.0)) == (30.0, 1.0, 0.0)


def test_what_was_heard_ends_the_series() -> None:
    one = tries()
    one.failed(0.0, "answered 500", given_up_n=1)
    one.failed(5.0, "answered 500")
    assert one.target == Target(channel="c", failed_n=2, given_up_n=1, failing_since_s=0.0, why="answered 500")
    one.heard(3, 10.0, gap_s=1.0, given_up=["x", "y"])

    assert one.target == Target(channel="c", sent_n=3, failed_n=2, given_up_n=3, why="refused x, y")
    assert one.wait_s(10.0) == 1.0
    one.failed(20.0, "timeout")
    assert one.wait_s(20.0) == RETRY_S


def test_a_target_fails_after_five_minutes_without_a_success() -> None:
    one = tries()
    assert not one.target.is_failing(1e9)
    one.failed(100.0, "timeout")

    assert not one.target.is_failing(100.0 + FAILING_S)
    assert one.target.is_failing(100.0 + FAILING_S + 1)
