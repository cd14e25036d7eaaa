"""Our own algorithm among the others."""

from dataclasses import replace

from scaling_rig import KNOWN, SETTINGS, T0, as_policy, observed

from slo.scaling.policies.ours import Ours


def test_it_asks_for_what_its_hints_say() -> None:
    ours = Ours(replace(SETTINGS, replicas_min=1), KNOWN)
    policy = as_policy(ours)

    assert (15.0, None) == (policy.tick_s, ours.hint)
    assert [4, 6] == [policy.decide(observed(T0)), policy.decide(observed(T0 + 15, arrivals_rps=11.5))]
    assert 6 == (0 if ours.hint is None else ours.hint.replicas.desired)
