"""Requests judged anew, and a backtest over what an engine counted, through the API over a real store."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from api_rig import ApiRig

from inferometer.trials import beyond
from slo.alertmanager_body import rfc3339
from telemetry.clock import wall_ms
from telemetry.testing.store_process import StoreProcess

pytestmark = [pytest.mark.system, pytest.mark.timeout(180)]
AT_S = wall_ms() // 1000 // 30 * 30 - 3_600


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[ApiRig]:
    with StoreProcess(tmp_path / "data") as process:
        reader, writer = process.store("reader"), process.store("writer")
        yield ApiRig(reader, writer, tmp_path, "trials", AT_S, beyond=beyond(reader, ""))
        reader.close()
        writer.close()


async def test_another_threshold_and_the_past_are_told_from_the_same_requests(rig: ApiRig) -> None:
    """40 good and 40 bad: a limit that no request keeps makes all bad; a target of a half is attained."""
    rig.live(20, 0, steps=2)
    rig.live(0, 20, steps=2)
    rig.live(0, 0)
    span = {"from": rfc3339(AT_S), "to": rfc3339(int(rig.rig.now_s))}
    strict = await rig.post("/v1/slos/trials/whatif", {**span, "good": "ok and ttft_s <= 0.000001"}, 200)
    loose = await rig.post("/v1/slos/trials/whatif", {**span, "target": 0.5}, 200)
    stored = await rig.get("/v1/slos/trials")
    past = await rig.post("/v1/backtest", span, 200)
    page = next(one for one in (await rig.get("/v1/alerts"))["alerts"] if one["severity"] == "page")

    assert (strict["as_is"]["n"], strict["as_is"]["bad"]) == (stored["n"], stored["bad"]) == (80, 40)
    assert (strict["what_if"]["bad"], strict["what_if"]["sli"], strict["label"]) == (80, 0.0, "what-if")
    assert strict["as_is"]["definition_hash"] == stored["definition_hash"] != strict["what_if"]["definition_hash"]
    assert (loose["as_is"]["attained"], loose["what_if"]["attained"]) == (False, True)
    assert strict["as_is"]["pages"] >= 1
    assert [one["start"] for one in past["alarms"] if one["severity"] == "page"] == [page["fired_at"]]
