"""A policy that knows the future."""

from hypothesis import given
from hypothesis import strategies as st
from scaling_rig import T0, as_policy, observed

from slo.scaling.policies.oracle import Oracle


def test_it_asks_a_lead_ahead_and_lets_go_at_once() -> None:
    policy = as_policy(Oracle([(T0, 5.0), (T0 + 600, 14.1), (T0 + 660, 5.0)], 2.6, lead_s=300))

    assert 15.0 == policy.tick_s
    # 285 s ahead at the latest: a replica asked for 15 s later would be ready at 600 s.
    assert [2, 2, 6, 6, 2] == [policy.decide(observed(T0 + at_s)) for at_s in (0, 284, 285, 645, 660)]
    assert 2 == policy.decide(observed(T0 - 100)), "the first rate is within the lead"
    assert 0 == policy.decide(observed(T0 - 1_000))


@given(st.lists(st.floats(0, 50), min_size=1, max_size=30), st.integers(0, 20))
def test_it_misses_nothing(rates: list[float], lead_ticks: int) -> None:
    oracle = Oracle([(T0 + 15.0 * n, rate) for n, rate in enumerate(rates)], 2.6, lead_s=15.0 * lead_ticks)
    asked = [oracle.decide(observed(T0 + 15 * n)) for n in range(len(rates))]

    for n, rate in enumerate(rates):
        ready = asked[max(0, n - lead_ticks)]  # before the first question as many as it then asks for were there

        assert ready * 2.6 >= rate - 1e-9
