"""What a target is told once."""

from scaling_rig import SETTINGS

from slo.scaling.settings import Settings, Target


def test_a_replica_costs_as_much_as_its_gpus() -> None:
    assert 8.0 == SETTINGS.usd_per_replica_hour
    assert Settings(target=Target(name="x")).usd_per_replica_hour is None
