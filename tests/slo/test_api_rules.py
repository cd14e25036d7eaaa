"""The route about built-in rules, over a real engine and a real store."""

from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from api_rig import HOST, ApiRig

from slo.api import application
from slo.api_guard import hosts_of
from slo.rules.catalogue import rules
from slo.rules.rule import Mode, RuleId, Settings
from slo.rules.runner import Runner
from telemetry.clock import wall_ms
from telemetry.store import Store

NOW_S = wall_ms() // 1000 // 60 * 60 - 7_200


@pytest.fixture
def rig(reader: Store, writer: Store, tmp_path: Path) -> ApiRig:
    return ApiRig(reader, writer, tmp_path, "api-rules", NOW_S)


async def test_every_rule_is_told_with_what_it_found_last(rig: ApiRig) -> None:
    settings = {RuleId.OOM: Settings(enabled=False, threshold=4.0), RuleId.ERROR_RATE_5XX: Settings(mode=Mode.BOTH)}
    runner = Runner(rig.reader, rules(settings), lambda: 0.0)
    parts = replace(rig.parts, now_s=lambda: NOW_S, built_in=lambda: runner.last)
    app = application(parts, hosts_of("127.0.0.1", 8200), "0.0.0")
    rig.live(400, 0, steps=2)
    rig.live(0, 20, steps=2)
    runner.watches(int(rig.rig.now_s), {})
    transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 50_000))
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as asker:
        answer = await asker.get("/v1/rules")
        told = {one["name"]: one for one in answer.json()["rules"]}

    assert list(told) == [rule.id for rule in rules({})]
    assert (told["oom"]["enabled"], told["oom"]["threshold"], told["oom"]["as_of"]) == (False, 4.0, None)
    assert told["error_rate_5xx"]["mode"] == "both"
    jump = told["error_rate_jump"]
    (own,) = (one for one in jump["findings"] if one["labels"]["endpoint"] == "api-rules")
    assert (own["known"], own["bad"], jump["trouble"], jump["left_out"]) == (False, 40, "", 0), "no day before"
    assert own["words"]["summary"].startswith("api-rules Qwen/Qwen2.5-0.5B-Instruct: 40 of ")
    assert all(one["default"] and one["misleads"] for one in told.values())


async def test_without_rules_there_are_none(rig: ApiRig) -> None:
    assert await rig.get("/v1/rules") == {"rules": []}
