"""The routes about alerts and what people decide of them; over a real store: tests/system/test_slo_api.py."""

from pathlib import Path
from typing import Any

import pytest
from views import NOW_S, Told, judged, seen

from slo.shown import instant


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(tmp_path, seen(judged(bad=1_000)))


async def test_a_silence_is_made_shown_and_ended(told: Told) -> None:
    body: dict[str, Any] = {
        "matchers": [{"name": "endpoint", "op": "=~", "value": "chat.*"}], "starts_at": instant(NOW_S + 60),
        "ends_at": instant(NOW_S + 3_600), "author": "ann", "comment": "repair",
    }  # fmt: skip
    made = await told.said("POST", "/v1/silences", body, status=201)
    sooner = await told.said("POST", "/v1/silences", {**body, "ends_at": instant(NOW_S + 600)}, status=201)
    listed = (await told.said("GET", "/v1/silences"))["silences"]
    told.now_s += 30
    ended = await told.said("DELETE", f"/v1/silences/{made['id']}")
    told.now_s += 30
    again = await told.said("DELETE", f"/v1/silences/{made['id']}")

    assert (made["state"], made["matchers"][0]["op"], made["holds"]) == ("pending", "=~", [])
    assert [one["id"] for one in listed] == [made["id"], sooner["id"]]
    assert (ended["state"], ended["ends_at"]) == ("expired", instant(NOW_S + 30))
    assert again == ended, "an end does not move"
    assert {one.id for one in told.desk.quiet(NOW_S).silences} == {made["id"], sooner["id"]}


async def test_alerts_are_chosen_and_shown_one_by_one(told: Told) -> None:
    pages = (await told.said("GET", "/v1/alerts?severity=page&service=chat"))["alerts"]
    none = (await told.said("GET", "/v1/alerts?state=resolved"))["alerts"]

    assert [one["alertname"] for one in pages] == ["chat"]
    assert none == []
    assert await told.said("GET", f"/v1/alerts/{pages[0]['fingerprint']}") == pages[0]


async def test_a_marker_begins_now_unless_it_says_when(told: Told) -> None:
    made = await told.said("POST", "/v1/markers", {"kind": "price", "actor": "ann"}, status=201)

    assert (made["at"], made["end"], made["automated"]) == (instant(NOW_S), None, False)
    assert [one.at_s for one in told.desk.waiting_markers()] == [NOW_S]
