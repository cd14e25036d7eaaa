"""The routes about objectives, over a real engine and a real store."""

from pathlib import Path

import pytest
from api_rig import ApiRig

from slo.shown import hexadecimal
from telemetry.clock import wall_ms
from telemetry.store import Store

NOW_S = wall_ms() // 1000 // 60 * 60 - 7_200


@pytest.fixture
def rig(reader: Store, writer: Store, tmp_path: Path) -> ApiRig:
    return ApiRig(reader, writer, tmp_path, "api-slos", NOW_S)


async def test_an_objective_is_told_from_its_counts(rig: ApiRig) -> None:
    """40 good and 20 bad of a target of 99 %: 1 - (20/60)/0.01 of the budget is left."""
    before = await rig.get("/v1/slos")
    rig.live(20, 0, steps=2)
    rig.live(0, 20, steps=2)
    one = await rig.get("/v1/slos/api-slos")
    listed = await rig.get("/v1/slos")
    rules = await rig.get("/v1/slos/api-slos/rules")
    series = await rig.get("/v1/slos/api-slos/series?step_s=30")

    assert (before["as_of"], before["slos"][0]["state"]) == (None, "unknown")
    assert (one["n"], one["good"], one["bad"], one["state"]) == (60, 40, 20, "exhausted")
    assert one["remaining"] == pytest.approx(1 - (20 / 60) / 0.01)
    assert (one["censored_bad"], one["bad_by_outcome"], one["excluded"]) == (0, {"server_error": 20}, {})
    assert one["groups"] == [{"endpoint": "api-slos"}]
    assert one["definition_hash"] == hexadecimal(rig.view.watched[0].definition_hash)
    assert {name: one[name] for name in listed["slos"][0]} == listed["slos"][0]
    assert [rule["name"] for rule in rules["rules"]] == [rule.name for rule in rig.view.watched[0].rules]
    assert [(point["n"], point["good"], point["bad"]) for point in series["points"]] == [
        (20, 20, 0), (20, 20, 0), (20, 0, 20),
    ]  # fmt: skip
    assert (series["until"], series["step_s"]) == (one["as_of"], 30)
    answer = await rig.ask("GET", f"/v1/slos/api-slos/series?to={series['points'][1]['t']}")
    assert [point["n"] for point in answer.json()["points"]] == [20]
