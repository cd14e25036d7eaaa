"""AIBrix's application-specific autoscaler, by hand-worked cases."""

import pytest
from scaling_rig import T0, as_policy, observed

from slo.scaling.policies.apa import Apa, by_ratio
from telemetry.scaling import Observation


@pytest.mark.parametrize(
    ("replicas", "ratio", "expected"),
    [
        pytest.param(4, 1.5, 6, id="scaling.md 7"),
        pytest.param(4, 1.1, 4, id="a tenth above stays"),
        pytest.param(4, 0.9, 4, id="a tenth below stays"),
        pytest.param(4, 0.6, 3, id="ceil(2.4)"),
        pytest.param(4, 5.0, 8, id="twice as many at most"),
        pytest.param(8, 0.1, 4, id="half as many at least"),
    ],
)
def test_a_ratio_gives_replicas(replicas: int, ratio: float, expected: int) -> None:
    assert expected == by_ratio(replicas, ratio)


def kv(at_s: float, used: float | None, spec: int = 4) -> Observation:
    return observed(T0 + at_s, spec=spec, each={"kv_used_ratio": used})


def test_up_at_once_and_within_bounds() -> None:
    policy = as_policy(Apa(1, 20))

    assert (10.0, 6) == (policy.tick_s, policy.decide(kv(0, 0.75)))
    assert 5 == Apa(1, 5).decide(kv(0, 0.9))
    assert 4 == Apa(1, 5).decide(kv(0, None))
    assert 4 == Apa(1, 5).decide(kv(0, 0.5))


def test_down_to_the_smallest_of_five_minutes_as_coded() -> None:
    apa = Apa(1, 20)

    assert 2 == apa.decide(kv(0, 0.1)), "a lone dip is followed at once"
    assert 2 == apa.decide(kv(290, 0.3)), "and is remembered: 0.6 alone would be 3"
    assert 3 == apa.decide(kv(300, 0.3))
