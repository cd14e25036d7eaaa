"""Policies over traffic, ranked: the same for any number of processes, and with the settings of a target."""

from dataclasses import replace

import pytest

from inferometer.hints_backtest_traffic import H100_TP4, Key, Recorded, ReplayError
from inferometer.hints_replay import Replay, replay
from loadtest.fleet.spec import FleetSpec
from loadtest.scaling_profile import Limits
from loadtest.trace_formats import TraceRow
from slo.scaling.schedule import schedule
from slo.scaling.settings import Settings, Target

ROWS = [TraceRow(t_ns=10**18 + at * 10**8, len_in=800, len_out=60) for at in range(3_000)]
TRAFFIC = Recorded(name="chat", rows=ROWS)
FLEET = FleetSpec(engine=H100_TP4, replicas=1, limits=Limits(ttft_s=1.0, tpot_s=0.05, target=0.99))
HOW = Replay(policies=("kpa", "oracle"), fleet=FLEET, gpus=4, cold_s=30.0, seeds=2)


def test_processes_change_no_number() -> None:
    found = replay(HOW, TRAFFIC)

    assert found == replay(replace(HOW, jobs=2), TRAFFIC)
    assert {"kpa", "oracle"} == {one.policy for one in found.among}
    assert found.best is not None
    assert ("kpa", found.best.attainment.mean >= 0.99) == (found.best.policy, found.keeps_objective)


def test_a_target_has_schedules_of_its_own() -> None:
    ours = replace(HOW, policies=("ours",), seeds=1)
    usual = Settings(target=Target(name="chat", gpus_per_replica=4))
    always = schedule("always", "0 * * * *", "UTC", 3_600, replicas_min=9.0)
    as_usual, scheduled = (
        replay(replace(ours, settings=one), TRAFFIC) for one in (usual, replace(usual, schedules=(always,)))
    )

    assert replay(ours, TRAFFIC) == as_usual
    assert as_usual.among[0].gpu_h.mean < scheduled.among[0].gpu_h.mean


@pytest.mark.parametrize(
    ("of", "key"),
    [
        pytest.param(replace(HOW, policies=("mine",)), Key.POLICY, id="nobody"),
        pytest.param(
            replace(HOW, fleet=replace(FLEET, limits=Limits(ttft_s=0.001, tpot_s=None, target=0.99))),
            Key.LIMITS,
            id="no rate",
        ),
    ],
)
def test_what_cannot_be_replayed_is_named(of: Replay, key: Key) -> None:
    with pytest.raises(ReplayError) as refused:
        replay(of, TRAFFIC)

    assert key is refused.value.key
    assert f"{key}: {refused.value.text}" == str(refused.value)
