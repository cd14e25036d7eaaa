"""What the policies of others look at."""

from scaling_rig import observed, replica

from slo.scaling.policies.signals import GPU, IN_FLIGHT, KV, RUNNING, WAITING
from telemetry.scaling import Observation


def holes() -> Observation:
    views = (replica(0, running=4, waiting=2), replica(1, running=None, waiting=3, kv_used_ratio=None))
    return observed(spec=2, replicas=views)


def test_a_sum_over_those_that_reported() -> None:
    assert (4, 5, 6) == (RUNNING.total(holes()), WAITING.total(holes()), IN_FLIGHT.total(holes()))
    assert (0.3, [0.3, None]) == (KV.mean(holes()), KV.each(holes()))
    assert "gpu" == GPU.name


def test_nobody_reported() -> None:
    nobody = observed(each={"running": None})

    assert RUNNING.total(nobody) is None
    assert RUNNING.mean(nobody) is None
    assert IN_FLIGHT.mean(nobody) is None
