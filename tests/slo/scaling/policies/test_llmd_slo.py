"""llm-d's SLO-aware law, by hand-worked cases."""

import pytest
from scaling_rig import T0, as_policy, observed

from slo.scaling.policies.llmd_slo import LlmdSlo, law
from telemetry.scaling import Observation


@pytest.mark.parametrize(
    ("s", "n", "r", "expected"),
    [
        pytest.param(0.8, 4, 4, 6, id="scaling.md 7: all ready"),
        pytest.param(0.8, 4, 3, 5, id="scaling.md 7: one warming up"),
        pytest.param(0.2, 4, 4, 2, id="scaling.md 7: half of the lower bound"),
        pytest.param(0.5, 4, 4, 4, id="between both"),
        pytest.param(0.6, 4, 1, 2, id="as written: much credit takes some away"),
        pytest.param(0.8, 4, 0, 6, id="nobody ready: no credit"),
    ],
)
def test_the_law(s: float, n: int, r: int, expected: int) -> None:
    assert expected == law(s, n, r)


def late(at_s: float, ttft_s: float | None, spec: int = 4) -> Observation:
    return observed(T0 + at_s, spec=spec, ttft_p90_s=ttft_s, tpot_p90_s=None)


def test_up_to_the_lowest_of_30_seconds() -> None:
    policy = as_policy(LlmdSlo(1, 8))

    assert 15.0 == policy.tick_s
    assert [4, 4, 6] == [policy.decide(late(at_s, 2.4)) for at_s in (0, 15, 30)], "0.8 of 3 s"


def test_one_spike_is_clamped_and_averaged() -> None:
    policy = LlmdSlo(1, 8)
    for at_s in (0, 15):
        policy.decide(late(at_s, 1.2))

    assert 4 == policy.decide(late(30, 90.0)), "mean of 0.4, 0.4 and 2: 0.93, but not for 30 s yet"


def test_down_one_in_two_minutes_after_three() -> None:
    policy, spec, found = LlmdSlo(1, 8), 4, list[int]()
    for at_s in range(0, 330, 15):
        spec = policy.decide(late(at_s, 0.3, spec))
        found.append(spec)

    assert [4] * 12 == found[:12]
    assert [3] * 8 == found[12:20]
    assert 2 == found[20]


def test_no_traffic_reads_0_and_the_bounds_hold() -> None:
    policy = LlmdSlo(2, 8)

    assert [4] * 2 == [policy.decide(late(at_s, None)) for at_s in (0, 15)]
    assert 3 == policy.decide(late(180, None))
    assert 0 == LlmdSlo(1, 8).decide(late(0, 2.4, spec=0))
