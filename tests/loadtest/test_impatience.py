"""Retries and their cost: spec/loadtest.md 9 and the arithmetic of case 21.11."""

import pytest

from loadtest.impatience import RETRY_AFTER_S_MAX, Effort, retry_wait_s
from loadtest.plan_spec import Retries
from loadtest.random_streams import Stream, stream
from telemetry.outcome import Outcome

TRIED_AGAIN = {  # spec/loadtest.md 9
    *("rate_limited", "overloaded", "unavailable", "connect_error", "server_error"),
    *("timeout_first_token", "timeout_stream"),
}


def half() -> float:
    return 0.5


@pytest.mark.parametrize(
    ("attempt", "wait_s"), [(1, 0.25), (2, 0.5), (3, 1.0), (7, 15.0), (90, 15.0), (100, 15.0), (101, None)]
)
def test_waits_double_up_to_the_cap_and_end(attempt: int, wait_s: float | None) -> None:
    assert wait_s == retry_wait_s(Retries(retries=100), attempt, Outcome.OVERLOADED, half)


@pytest.mark.parametrize("outcome", Outcome)
def test_which_endings_are_tried_again(outcome: Outcome) -> None:
    expected = 0.25 if outcome.value in TRIED_AGAIN else None

    assert expected == retry_wait_s(Retries(), 1, outcome, half)


def test_after_an_own_abandonment_only_if_asked() -> None:
    assert retry_wait_s(Retries(), 1, Outcome.CLIENT_CANCELLED, half) is None
    assert 0.25 == retry_wait_s(Retries(after_abandon=True), 1, Outcome.CLIENT_CANCELLED, half)


@pytest.mark.parametrize(
    ("retry_after_s", "wait_s"),
    [
        pytest.param(2.0, 2.0, id="longer than the jitter"),
        pytest.param(0.1, 0.25, id="shorter"),
        pytest.param(RETRY_AFTER_S_MAX, RETRY_AFTER_S_MAX, id="the longest"),
        pytest.param(RETRY_AFTER_S_MAX + 1, RETRY_AFTER_S_MAX, id="longer than that"),
    ],
)
def test_retry_after_is_honoured(retry_after_s: float, wait_s: float) -> None:
    assert wait_s == retry_wait_s(Retries(), 1, Outcome.RATE_LIMITED, half, retry_after_s=retry_after_s)


def test_full_jitter_spreads_over_the_whole_ceiling() -> None:
    uniform = stream(1, Stream.RETRY)
    waits = [retry_wait_s(Retries(base_s=4), 1, Outcome.OVERLOADED, uniform) or 0 for _ in range(4000)]

    assert min(waits) < 0.01
    assert abs(sum(waits) / len(waits) - 2) < 0.1


def test_case_11_patience_1_s_and_a_first_token_after_3_s() -> None:
    policy, attempts = Retries(retries=2, after_abandon=True), 1
    while retry_wait_s(policy, attempts, Outcome.CLIENT_CANCELLED, half) is not None:
        attempts += 1
    effort = Effort(arrivals=10, attempts=10 * attempts, tokens_lost=0, tokens_delivered=0, tokens_generated=480)

    assert 3.0 == effort.amplification
    assert 480 == effort.tokens_wasted


def test_what_is_not_known() -> None:
    nothing = Effort(arrivals=0, attempts=0, tokens_lost=0, tokens_delivered=0)

    assert (None, None) == (nothing.amplification, nothing.tokens_wasted)


def test_tokens_of_failed_attempts_and_those_made_for_nobody() -> None:
    effort = Effort(arrivals=5, attempts=6, tokens_lost=7, tokens_delivered=100, tokens_generated=120)

    assert 27 == effort.tokens_wasted
