"""The HTTP API over a real engine and a real store: silences, markers, the gate, incidents, and the store's absence."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from api_rig import ApiRig

from slo.alertmanager_body import rfc3339
from telemetry.clock import wall_ms
from telemetry.store import Store
from telemetry.testing.store_process import StoreProcess

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]
NOW_S = wall_ms() // 1000 // 60 * 60 - 7_200

Made = Callable[[str], ApiRig]


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreProcess]:
    with StoreProcess(tmp_path_factory.mktemp("slo") / "data") as running:
        yield running


@pytest.fixture
def reader(process: StoreProcess) -> Iterator[Store]:
    client = process.store("reader")
    yield client
    client.close()


@pytest.fixture
def rig_of(process: StoreProcess, reader: Store, tmp_path: Path) -> Iterator[Made]:
    client = process.store("writer")
    yield lambda name: ApiRig(reader, client, tmp_path, name, NOW_S)
    client.close()


def silence(rig: ApiRig, **more: object) -> dict[str, Any]:
    return {
        "matchers": [{"name": "slo", "value": rig.rig.name}], "ends_at": rfc3339(int(rig.rig.now_s) + 3_600),
        "author": "ann", "comment": "repair", **more,
    }  # fmt: skip


async def test_while_the_store_is_gone_what_was_not_seen_is_not_claimed(rig_of: Made) -> None:
    rig, name = rig_of("api-slos"), "api-slos"
    rig.live(20, 0, steps=2)
    rig.restart(Store("http://127.0.0.1:1", request_s=1))
    rig.rig.go(60)
    one = await rig.get(f"/v1/slos/{name}")

    assert (one["state"], one["sli"], one["n"], one["remaining"], one["excluded"]) == ("blind", None, None, None, None)
    assert (await rig.ask("GET", f"/v1/slos/{name}/series")).status_code == 503
    assert (await rig.ask("GET", "/v1/gate")).status_code == 503


async def test_an_alert_lives_before_the_eyes_of_the_api(rig_of: Made) -> None:
    """Silenced it is not told but stands; the silence outlives a restart; ended, the page is told at last."""
    rig, name = rig_of("api-alerts"), "api-alerts"
    rig.live(20, 0, steps=2)
    made = await rig.post("/v1/silences", silence(rig))
    rig.live(0, 20, steps=2)
    (page, _) = (await rig.get("/v1/alerts"))["alerts"]

    assert (page["state"], page["held_back_by"], rig.rig.said) == ("firing", f"silenced by {made['id']}", [])
    assert page["fingerprint"] in (await rig.get("/v1/silences"))["silences"][0]["holds"]
    assert (await rig.get("/v1/gate"))["verdict"] == "fail"

    rig.restart()
    rig.live(0, 20)
    assert rig.rig.said == []

    ended = await rig.ask("DELETE", f"/v1/silences/{made['id']}")
    again = await rig.ask("DELETE", f"/v1/silences/{made['id']}")
    rig.live(0, 20)
    (alert, history) = (
        await rig.get(f"/v1/alerts/{page['fingerprint']}"),
        await rig.get(f"/v1/alerts/history?fingerprint={page['fingerprint']}"),
    )

    assert (ended.json()["state"], again.json()) == ("expired", ended.json())
    assert rig.rig.said == [(name, "page", "firing")]
    assert (alert["held_back_by"], alert["labels"]["endpoint"]) == (None, name)
    assert [(one["before"], one["after"]) for one in history["changes"]] == [("unknown", "firing")]
    assert history["changes"][0]["annotations"]["summary"].startswith(name)


async def test_markers_are_there_at_once_and_in_the_store_later(rig_of: Made, reader: Store) -> None:
    rig, name = rig_of("api-markers"), "api-markers"
    body = {
        "kind": "deploy", "service": name, "version": "v7", "actor": "ci", "automated": True,
        "at": rfc3339(NOW_S - 60), "end": rfc3339(NOW_S), "text": "canary",
    }  # fmt: skip
    made = await rig.post("/v1/markers", body)
    rig.live(1, 0)

    def of(told: dict[str, Any]) -> list[Any]:
        return [one for one in told["markers"] if one["service"] == name]

    assert of(await rig.get("/v1/markers")) == [made]
    assert rig.desk.waiting_markers() == ()
    rig.restart(reader)
    assert of(await rig.get(f"/v1/markers?from={rfc3339(NOW_S - 60)}")) == [made]
    assert of(await rig.get(f"/v1/markers?from={rfc3339(NOW_S - 59)}")) == []
    for status in (200, 404):
        gone = await rig.ask("DELETE", f"/v1/markers/{made['id']}?who=ann&reason=a+typo")
        assert gone.status_code == status
        assert of(await rig.get("/v1/markers")) == []
        rig.live(1, 0)


async def test_a_release_passes_fails_and_is_let_pass(rig_of: Made) -> None:
    rig, name = rig_of("api-gate"), "api-gate"
    unknown = await rig.get("/v1/gate")
    rig.live(20, 0, steps=2)
    well = await rig.get("/v1/gate?service=chat")
    rig.live(0, 20, steps=2)
    ill = await rig.get(f"/v1/gate?slo={name}&version=v7")
    until = rfc3339(int(rig.rig.now_s) + 60)
    await rig.post("/v1/gate/overrides", {"who": "ann", "reason": "a fix", "until": until, "slo": name})
    let = await rig.get(f"/v1/gate?slo={name}")
    others = await rig.get("/v1/gate")
    held = await rig.get("/v1/gate/overrides")
    rig.live(0, 20, steps=2)

    assert (unknown["verdict"], unknown["exit_code"], unknown["as_of"]) == ("inconclusive", 4, None)
    assert (well["verdict"], well["exit_code"], well["reasons"]) == ("pass", 0, [])
    assert (ill["verdict"], ill["exit_code"], ill["version"]) == ("fail", 3, "v7")
    assert [one["code"] for one in ill["reasons"]] == ["PAGE_FIRING", "FREEZE", "BUDGET_LOW"]
    assert ill["freeze"] == {"active": True, "until": None, "why": name}
    assert (let["verdict"], let["reasons"][0]["code"]) == ("pass", "OVERRIDDEN")
    assert others["verdict"] == "fail", "an override of one objective is none of all"
    assert [one["who"] for one in held["overrides"]] == ["ann"]
    assert (await rig.get(f"/v1/gate?slo={name}"))["verdict"] == "fail", "it is over"


async def test_incidents_begin_with_their_first_bad_minute(rig_of: Made) -> None:
    """Bad from 60 s on; the page fires at 90 s; taken on at 150 s, so MTTA is counted."""
    rig, name = rig_of("api-incidents"), "api-incidents"
    rig.live(20, 0, steps=2)
    rig.live(0, 20, steps=2)
    page = next(one for one in (await rig.get("/v1/alerts"))["alerts"] if one["severity"] == "page")
    rig.rig.now_s += 30
    await rig.post(f"/v1/alerts/{page['fingerprint']}/ack", {"who": "ann"})
    rig.desk.refresh(rig.view, int(rig.rig.now_s))
    told = await rig.get("/v1/incidents")
    level = await rig.get("/v1/maturity")

    (incident,) = [one for one in told["incidents"] if one["endpoint"] == name]
    (figures,) = [one for one in told["endpoints"] if one["endpoint"] == name]
    assert (incident["detected_at"], incident["ended_at"]) == (page["fired_at"], None)
    assert incident["began_at"] < incident["detected_at"]
    assert incident["acknowledged_at"] == rfc3339(int(rig.rig.now_s))
    assert (figures["mtta"]["n"], figures["mttr"]["n"], figures["mttd"]["is_sufficient"]) == (1, 1, False)
    assert (level["level"], level["tokens_per_month"] > 0) == (None, True)
