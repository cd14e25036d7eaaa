"""A fleet that never changes."""

from scaling_rig import as_policy, observed

from slo.scaling.policies.static import StaticPeak


def test_it_is_as_large_as_its_peak_needs() -> None:
    policy = as_policy(StaticPeak(14.1, 2.6))

    assert (15.0, 6, 6) == (policy.tick_s, policy.decide(observed()), policy.decide(observed(arrivals_rps=99.0)))
