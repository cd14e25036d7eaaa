"""WVA's two saturation analyzers, by hand-worked cases."""

from dataclasses import replace

import pytest
from scaling_rig import ENGINE, T0, as_policy, observed

from slo.scaling.policies.wva import REMEMBERED_MAX, Held, WvaV1, WvaV2, change, k2, spares_one, wants_more


def held(*pairs: tuple[float, int]) -> list[Held]:
    return [Held(kv_used_ratio=used, waiting=waiting) for used, waiting in pairs]


@pytest.mark.parametrize(
    ("replicas", "more", "less"),
    [
        pytest.param(held((0.75, 0), (0.78, 0)), True, False, id="scaling.md 7: .05 and .02 of the cache are spare"),
        pytest.param(held((0.3, 3), (0.3, 2)), True, False, id="2 and 3 places are spare, 3 are wanted on average"),
        pytest.param(held((0.3, 0), (0.3, 0)), False, True, id=".6 on one leaves .2"),
        pytest.param(held((0.4, 0), (0.4, 0)), False, False, id=".8 on one leaves nothing"),
        pytest.param(held((0.1, 0), (0.1, 9)), False, False, id="one that is saturated spares none"),
        pytest.param(held((0.9, 0)), True, False, id="all are saturated"),
    ],
)
def test_what_is_spare(replicas: list[Held], more: bool, less: bool) -> None:
    assert (more, less) == (wants_more(replicas), spares_one(replicas))


def test_v1_steps_by_one_and_waits_for_those_that_load() -> None:
    policy = as_policy(WvaV1(1, 5))

    assert 60.0 == policy.tick_s
    assert 5 == policy.decide(observed(T0, spec=4, each={"kv_used_ratio": 0.75}))
    assert 5 == policy.decide(observed(T0, spec=5, each={"kv_used_ratio": 0.75}))
    assert 4 == policy.decide(observed(T0, spec=4, warming=1, each={"kv_used_ratio": 0.75}))
    assert 3 == policy.decide(observed(T0, spec=4, each={"kv_used_ratio": 0.1}))
    assert 4 == policy.decide(observed(T0, spec=4, each={"kv_used_ratio": None}))


def test_tokens_of_a_steady_state() -> None:
    # scaling.md 7: B 8192, I 1020, O 129, S 256 -> N 256, k2 277,632
    assert 277_632 == k2(1020, 129, 8192, 256)
    assert 0.0 == k2(1020, 0, 8192, 256)


@pytest.mark.parametrize(
    ("demand", "ready", "warming", "expected"),
    [
        pytest.param(340.0, 3, 0, 1, id="400 of 300"),
        pytest.param(340.0, 3, 1, 0, id="those that load count"),
        pytest.param(70.0, 3, 0, -2, id="100 are needed"),
        pytest.param(0.0, 3, 0, -2, id="one stays"),
        pytest.param(150.0, 3, 0, 0, id="86 are spare, no whole one"),
    ],
)
def test_tokens_give_a_change(demand: float, ready: int, warming: int, expected: int) -> None:
    assert expected == change(demand, 100.0, ready, warming)


def test_v2_counts_what_is_held_and_what_waits() -> None:
    busy = {"kv_used_ratio": 0.6, "waiting": 5}  # 72,000 tokens and 5,100 that wait, of a capacity of 72,000
    v2 = WvaV2(1, 20, ENGINE)

    assert 6 == v2.decide(observed(T0, spec=4, each=busy))  # 4 * 77,100 / .85 / 72,000 = 5.04
    calm = observed(T0 + 60, spec=4, each={"kv_used_ratio": 0.1, "waiting": 0})
    assert 1 == v2.decide(calm), "48,000 / .7 leave three of four spare"
    assert 4 == v2.decide(replace(calm, tokens_in_mean=None))
    low = observed(T0 + 120, spec=4, each={"kv_used_ratio": 0.2, "waiting": 5})
    for _ in range(REMEMBERED_MAX):
        v2.decide(low)
    calm_again = observed(T0 + 180, spec=4, each={"kv_used_ratio": 0.1, "waiting": 0})
    assert 3 == v2.decide(calm_again), "one holds 24,000 by the last ten figures: 96,000 less 68,571 spare one"
    with pytest.raises(ValueError, match="how many tokens a cache holds"):
        WvaV2(1, 20, replace(ENGINE, kv_tokens=None))
