"""Times that count less, and the trail of changes, over a real engine and a real store."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from api_rig import ApiRig

from slo.alertmanager_body import rfc3339
from slo.audit import broken_at
from telemetry.clock import wall_ms
from telemetry.store import Store
from telemetry.testing.store_process import StoreProcess

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]
AT_S = wall_ms() // 1000 // 30 * 30 - 3_600


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
def writer(process: StoreProcess) -> Iterator[Store]:
    client = process.store("writer")
    yield client
    client.close()


@pytest.fixture
def rig(reader: Store, writer: Store, tmp_path: Path, request: pytest.FixtureRequest) -> ApiRig:
    return ApiRig(reader, writer, tmp_path, request.node.name[:40].replace("_", "-"), AT_S)


async def test_what_is_taken_out_afterwards_mends_the_budget_and_ends_no_alert(rig: ApiRig) -> None:
    """slo.md 4: of 80 requests 40 were bad; their minute is taken out, 40 good ones remain, and the page fires on."""
    name = rig.rig.name
    rig.live(20, 0, steps=2)
    bad_since_s = int(rig.rig.now_s)
    rig.live(0, 20, steps=2)
    rig.live(0, 0)
    before = await rig.get(f"/v1/slos/{name}")
    (page, *_) = (await rig.get("/v1/alerts?severity=page"))["alerts"]
    body = {
        "selector": [{"name": "slo", "value": name}], "start": rfc3339(bad_since_s),
        "end": rfc3339(bad_since_s + 60), "reason": "a test of ours", "author": "ann",
    }  # fmt: skip
    made = await rig.post("/v1/adjustments", body)
    rig.live(0, 0)
    after, gate = await rig.get(f"/v1/slos/{name}"), await rig.get(f"/v1/gate?slo={name}")
    still = await rig.get(f"/v1/alerts/{page['fingerprint']}")

    assert (before["n"], before["bad"], before["unadjusted"], before["state"]) == (80, 40, None, "exhausted")
    assert (after["n"], after["bad"], after["sli"], after["remaining"]) == (40, 0, 1.0, 1.0)
    assert (after["unadjusted"]["n"], after["unadjusted"]["bad"]) == (80, 40)
    assert after["unadjusted"]["remaining"] < 0
    assert (await rig.get("/v1/adjustments"))["adjustments"] == [made]
    assert (made["retroactive"], made["state"]) == (True, "past")
    assert (still["state"], still["held_back_by"]) == ("firing", None), "a retroactive one resolves and mutes nothing"
    assert [one["code"] for one in gate["reasons"]] == ["PAGE_FIRING"], "the budget counts without it, the page with it"


async def test_what_is_withdrawn_counts_again_and_the_trail_says_so(rig: ApiRig) -> None:
    name = rig.rig.name
    rig.live(0, 20)
    body = {
        "selector": [{"name": "slo", "value": name}], "start": rfc3339(AT_S), "duration_s": 30,
        "reason": "a test of ours", "author": "ann",
    }  # fmt: skip
    made = await rig.post("/v1/adjustments", body)
    rig.live(0, 0)
    without = await rig.get(f"/v1/slos/{name}")
    await rig.ask("DELETE", f"/v1/adjustments/{made['id']}?who=bob&reason=no+test+of+ours")
    rig.live(0, 0)
    again = await rig.get(f"/v1/slos/{name}")
    acts = [one for one in (await rig.get("/v1/audit"))["acts"] if one["object"] == made["id"]]

    assert (without["n"], without["sli"], without["remaining"], without["unadjusted"]["bad"]) == (0, None, None, 20)
    assert (again["bad"], again["unadjusted"], again["state"]) == (20, None, "exhausted")
    assert [(one["actor"], one["action"], one["reason"], one["source_ip"]) for one in acts] == [
        ("bob", "adjustment.withdraw", "no test of ours", "127.0.0.1"),
        ("ann", "adjustment.create", "a test of ours", "127.0.0.1"),
    ]


async def test_a_planned_time_holds_notices_back_while_it_lasts(rig: ApiRig) -> None:
    rig.live(20, 0, steps=2)
    now_s = int(rig.rig.now_s)
    body = {
        "selector": [{"name": "service", "value": "chat"}, {"name": "endpoint", "value": rig.rig.name}],
        "start": rfc3339(now_s + 1), "duration_s": 89, "reason": "repair", "author": "ann",
    }  # fmt: skip
    made = await rig.post("/v1/adjustments", body)
    rig.live(0, 20, steps=2)
    (page, _) = (await rig.get("/v1/alerts"))["alerts"]
    told = list(rig.rig.said)
    rig.live(0, 20, steps=2)

    assert (made["state"], made["retroactive"]) == ("planned", False)
    assert (page["state"], page["held_back_by"], told) == ("firing", f"silenced by {made['id']}", [])
    assert (rig.rig.name, "page", "firing") in rig.rig.said, "it is over, and the page still fires"


async def test_every_change_is_in_the_trail_whether_the_store_has_it_or_not(rig: ApiRig) -> None:
    rig.live(20, 0)
    silence = {
        "matchers": [{"name": "slo", "value": "trail"}], "ends_at": rfc3339(int(rig.rig.now_s) + 60),
        "author": "ann", "comment": "c",
    }  # fmt: skip
    made = await rig.post("/v1/silences", silence)
    rig.desk.refresh(rig.view, int(rig.rig.now_s))
    await rig.ask("DELETE", f"/v1/silences/{made['id']}?who=bob")
    await rig.post("/v1/markers", {"kind": "deploy", "actor": "ci", "text": "v7"})
    until = rfc3339(int(rig.rig.now_s) + 60)
    await rig.post("/v1/gate/overrides", {"who": "ann", "reason": "a fix", "until": until})
    acts = (await rig.get(f"/v1/audit?from={rfc3339(int(rig.rig.now_s))}"))["acts"]
    whole = rig.desk.acts(0, 1 << 40)[::-1]

    assert {(one["actor"], one["action"], one["reason"]) for one in acts} >= {
        ("ann", "silence.create", "c"), ("bob", "silence.end", "c"), ("ci", "marker.create", "v7"),
        ("ann", "gate.override", "a fix"),
    }  # fmt: skip
    assert len(whole) == 4
    assert broken_at(whole) is None
