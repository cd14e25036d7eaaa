"""llm-d's token-aware autoscaling, by hand-worked cases."""

import math

import pytest
from scaling_rig import T0, as_policy, observed

from slo.scaling.policies.llmd_token import LlmdToken, budget_s
from telemetry.scaling import Observation


@pytest.mark.parametrize(("tokens_per_s", "expected"), [(2_696, 10), (15_928, 2)])
def test_a_backlog_of_40_000_tokens_at_two_seconds(tokens_per_s: float, expected: int) -> None:
    # scaling.md 7: 40,000 / V_P / (2 - 1,020 / V_P)
    assert expected == math.ceil(40_000 / tokens_per_s / budget_s(2.0, 1_020, tokens_per_s))


def backlog(at_s: float, each: int | None, spec: int = 2, kv: float | None = 0.3) -> Observation:
    return observed(T0 + at_s, spec=spec, each={"waiting_prompt_tokens": each, "kv_used_ratio": kv})


def test_one_more_in_three_minutes() -> None:
    policy = as_policy(LlmdToken(1, 10))
    found = [
        policy.decide(backlog(0, 60_000)),
        policy.decide(backlog(165, 60_000, 3)),
        policy.decide(backlog(180, 60_000, 3)),
    ]

    assert (15.0, [3, 3, 4]) == (policy.tick_s, found), "120,000 tokens are 7.5 s: five of 1.5 s"


def test_the_fuller_phase_decides() -> None:
    assert 3 == LlmdToken(1, 10).decide(backlog(0, 0, kv=0.95)), "1.9 caches of 0.8"
    assert 2 == LlmdToken(1, 10).decide(backlog(0, 0, kv=0.8))


def test_no_data_is_0() -> None:
    policy = LlmdToken(1, 10)

    assert [2, 2] == [policy.decide(backlog(at_s, None, kv=None)) for at_s in (0, 285)]
    assert 1 == policy.decide(backlog(300, None, kv=None)), "after its window, one by one"
    assert 0 == LlmdToken(1, 10).decide(backlog(0, 0, spec=0))
