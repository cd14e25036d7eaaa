"""The routes that pipelines and reviews ask; over a real store: tests/system/test_slo_api.py."""

from pathlib import Path

import pytest
from views import NOW_S, Told, judged, seen

from slo.alert import Alert
from slo.alert_moves import AlertState
from slo.alert_states import Record
from slo.shown import instant
from slo.view import EngineView


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path, seen(judged("well"), judged("ill", bad=1_000)))


async def test_the_gate_is_asked_for_all_or_one(told: Told) -> None:
    every = await told.said("GET", "/v1/gate")
    well = await told.said("GET", "/v1/gate?slo=well&service=chat&version=v7")

    assert (every["verdict"], every["exit_code"]) == ("fail", 3)
    assert (well["verdict"], well["exit_code"], well["version"]) == ("pass", 0, "v7")
    assert [one["name"] for one in well["slos"]] == ["well"]


@pytest.mark.parametrize(
    ("service", "severity", "asked", "verdict"),
    [
        pytest.param("chat", "page", "?slo=well", "fail", id="a page of the objective's service"),
        pytest.param("chat", "page", "?service=chat", "fail", id="a page of the service"),
        pytest.param("chat", "page", "", "fail", id="a page of a service of all"),
        pytest.param("chat", "ticket", "?slo=well", "pass", id="a ticket"),
        pytest.param("bot", "page", "?slo=well", "pass", id="a page of another service"),
    ],
)
async def test_a_page_of_a_built_in_rule_fails_the_gate_of_its_service(
    tmp_path: Path, service: str, severity: str, asked: str, verdict: str
) -> None:
    labels = {"alertname": "stalled_engine", "service": service, "severity": severity, "replica": "r"}
    record = Record(fingerprint=1, definition_hash=0, state=AlertState.FIRING, at_s=NOW_S)
    alert = Alert(record=record, labels=labels, annotations={"summary": "r gives out nothing"})
    told = Told(tmp_path, seen(judged("well"), alerts={1: alert}))
    found = await told.said("GET", f"/v1/gate{asked}")

    assert (found["verdict"], [one["code"] for one in found["reasons"]]) == (
        verdict,
        ["PAGE_FIRING"] if verdict == "fail" else [],
    )


async def test_a_page_of_another_objective_of_the_service_fails_no_gate_but_its_own(told: Told) -> None:
    assert (await told.said("GET", "/v1/gate?slo=well"))["verdict"] == "pass"


async def test_the_parts_of_an_slo_are_asked_for_by_its_name(told: Told) -> None:
    told.view = seen(judged("chat/a"), judged("chat/b"), judged("other"))
    found = await told.said("GET", "/v1/gate?slo=chat")

    assert [one["name"] for one in found["slos"]] == ["chat/a", "chat/b"]
    assert [one["name"] for one in (await told.said("GET", "/v1/gate?slo=chat/b"))["slos"]] == ["chat/b"]


async def test_a_freeze_fails_the_gate_until_the_budget_has_recovered(told: Told) -> None:
    told.desk.refresh(told.view, NOW_S)
    told.view = seen(judged("well"), judged("ill"))
    frozen = await told.said("GET", "/v1/gate?slo=ill")
    told.desk.refresh(told.view, NOW_S)

    assert ([one["code"] for one in frozen["reasons"]], frozen["freeze"]["why"]) == (["FREEZE"], "ill")
    assert (await told.said("GET", "/v1/gate?slo=ill"))["verdict"] == "pass"


async def test_little_budget_needs_an_approval_which_an_override_is(told: Told) -> None:
    """20 of 2,020 bad at 99 % leave 1 %: the policy wants an approval, however little the asker is content with."""
    told.view = seen(judged("ill", good=2_000, bad=20))
    told.desk.refresh(told.view, NOW_S)
    path = "/v1/gate?slo=ill&min_remaining=0"
    held = await told.said("GET", path)
    (shown,) = (await told.said("GET", "/v1/slos"))["slos"]
    whole = await told.said("GET", "/v1/slos/ill")
    body = {"who": "ann", "reason": "reviewed", "until": instant(NOW_S + 60), "slo": "ill"}
    await told.said("POST", "/v1/gate/overrides", body, status=201)
    let = await told.said("GET", path)

    assert (held["verdict"], [one["code"] for one in held["reasons"]]) == ("fail", ["APPROVAL_REQUIRED"])
    assert shown["actions"] == whole["actions"] == ["notify", "require_approval"]
    assert (let["verdict"], let["exit_code"], let["override"]["reason"]) == ("pass", 0, "reviewed")


async def test_an_override_covers_what_it_names(told: Told) -> None:
    body = {"who": "ann", "reason": "a fix", "until": instant(NOW_S + 60), "slo": "ill"}
    made = await told.said("POST", "/v1/gate/overrides", body, status=201)
    let = await told.said("GET", "/v1/gate?slo=ill")
    every = await told.said("GET", "/v1/gate")
    held = await told.said("GET", "/v1/gate/overrides")
    told.now_s += 60

    assert (let["verdict"], let["reasons"][0]["code"], let["override"]) == ("pass", "OVERRIDDEN", made)
    assert every["verdict"] == "fail"
    assert held == {"overrides": [made]}
    assert (await told.said("GET", "/v1/gate?slo=ill"))["verdict"] == "fail"
    assert (await told.said("GET", "/v1/gate/overrides")) == {"overrides": []}


async def test_without_objectives_nobody_can_tell(told: Told) -> None:
    told.view = EngineView(watched=[])
    found = await told.said("GET", "/v1/gate")

    assert (found["verdict"], found["as_of"], found["expires_at"]) == ("inconclusive", None, None)
