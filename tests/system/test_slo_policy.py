"""What is asked for when little of a budget is left, over a real engine and store: documents, tickets, the gate."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from api_rig import ApiRig

from inferometer.slo_files import written
from slo import low_budget
from slo.alert import Alert
from slo.alert_moves import AlertState
from slo.openslo import load
from slo.watch import Watch
from slo.watched import watched
from telemetry.clock import wall_ms
from telemetry.testing.store_process import StoreProcess

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]
AT_S = wall_ms() // 1000 // 30 * 30 - 7_200
SLO = """\
apiVersion: openslo/v1
kind: SLO
metadata: {{name: {name}}}
spec:
  service: chat
  budgetingMethod: Occurrences
  timeWindow: [{{duration: 1d, isRolling: true}}]
  objectives: [{{displayName: good, target: 0.99}}]
  indicator:
    metadata: {{name: {name}-sli}}
    spec:
      ratioMetric:
        counter: true
        good: {{metricSource: {{type: inferometer, spec: {{expr: ok}}}}}}
        total: {{metricSource: {{type: inferometer, spec: {{filter: "endpoint == '{of}'", group_by: [endpoint]}}}}}}
  alertPolicies:
    - kind: AlertPolicy
      metadata: {{name: {name}-policy}}
      spec:
        conditions:
          - kind: AlertCondition
            metadata: {{name: {name}-condition}}
            spec: {{severity: ticket, condition: {condition}}}
        notificationTargets: []
---
"""
CONDITIONS = {
    "remaining": "{kind: budget_remaining, op: lt, threshold: 0.5}",
    "drop": "{kind: budget_drop, op: gte, threshold: 0.5, lookbackWindow: 5m}",
    "end": "{kind: time_to_exhaustion, op: lt, threshold: 1}",
    "never": "{kind: budget_remaining, op: lt, threshold: 0.001}",
}


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    with StoreProcess(tmp_path_factory.mktemp("slo") / "data") as running:
        yield running


@pytest.fixture
def made(process: StoreProcess, tmp_path: Path) -> Iterator[Callable[[str], ApiRig]]:
    reader, writer = process.store("reader"), process.store("writer")
    yield lambda name: ApiRig(reader, writer, tmp_path, name, AT_S)
    reader.close()
    writer.close()


def firing(rig: ApiRig) -> set[tuple[str, str]]:
    alerts = rig.view.alerts.values()
    return {
        (alert.labels["alertname"], alert.labels["severity"])
        for alert in alerts
        if alert.record.state is AlertState.FIRING
    }


def test_conditions_on_budgets_fire_from_documents_and_stay_silent_while_all_is_well(
    made: Callable[[str], ApiRig],
) -> None:
    """1,000 requests at 99 % allow 10 bad; 8 leave a fifth, were lost in 5 min, and are gone within the day."""
    rig = made("policy-conditions")
    text = "".join(SLO.format(name=name, of="policy-conditions", condition=of) for name, of in CONDITIONS.items())
    rig.rig.watched = [watched(one) for one in load(written(text, "slo.yaml")).objectives]
    rig.restart()
    rig.live(248, 0, steps=2)
    rig.live(0, 0)
    well = firing(rig)
    rig.live(248, 4, steps=2)
    rig.live(0, 0)

    assert well == set()
    assert firing(rig) == {("remaining", "ticket"), ("drop", "ticket"), ("end", "ticket")}


async def test_each_threshold_is_told_and_an_approval_is_asked_for(made: Callable[[str], ApiRig]) -> None:
    rig = made("policy-tickets")

    def others(_at_s: int, before: Mapping[int, Alert]) -> Sequence[Watch]:
        return low_budget.of_budgets(rig.desk.low(), before)

    rig.rig.reach = replace(rig.rig.reach, others=others)
    rig.restart()
    rig.live(248, 0, steps=2)
    rig.live(248, 3, steps=2)
    rig.live(0, 0, steps=2)
    half = [said for said in rig.rig.said if said[0] == low_budget.NAME]
    rig.live(248, 4)
    rig.live(0, 0, steps=2)
    told = [said for said in rig.rig.said if said[0] == low_budget.NAME]
    gate = await rig.get("/v1/gate?min_remaining=0")
    rig.restart()
    rig.live(0, 0, steps=2)
    shown = (await rig.get("/v1/slos"))["slos"][0]

    assert half == [(low_budget.NAME, "ticket", "firing")], "6 of 998 leave 40 %"
    assert told == half * 2, "10 of 1,250 leave 20 %"
    assert shown["actions"] == ["notify", "require_approval"]
    assert [one["code"] for one in gate["reasons"]] == ["APPROVAL_REQUIRED"]
    assert [said for said in rig.rig.said if said[0] == low_budget.NAME] == told, "a restart says nothing twice"
