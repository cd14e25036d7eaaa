"""Scaling by the clock alone."""

from scaling_rig import T0, as_policy, observed

from slo.scaling.policies.cron import CronPolicy
from slo.scaling.schedule import schedule

# T0 is 10:10Z.
MORNING = schedule("morning", "0 10 * * *", "UTC", 1_200, replicas_min=6)
LONG = schedule("long", "0 8 * * *", "UTC", 4 * 3_600, replicas_min=3)
RATE = schedule("rate", "0 8 * * *", "UTC", 4 * 3_600, expected_rps=99.0)


def test_the_most_of_those_that_last() -> None:
    policy = as_policy(CronPolicy([MORNING, LONG, RATE], 1))

    assert 15.0 == policy.tick_s
    assert [6, 6, 3, 3, 1] == [policy.decide(observed(T0 + at_s)) for at_s in (-600, 599, 600, -601, 2 * 3_600)]
