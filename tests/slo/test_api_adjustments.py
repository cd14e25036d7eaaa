"""Routes of times that count less; over a real engine and store: tests/system/test_slo_adjustments.py."""

import pytest
from views import NOW_S, Told, judged, seen

from slo.alertmanager_body import rfc3339


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return Told(tmp_path_factory.mktemp("adjust"), seen(judged()))


async def test_a_withdrawn_time_stays_listed(told: Told) -> None:
    body = {
        "selector": [{"name": "slo", "value": "chat"}], "start": rfc3339(NOW_S), "end": rfc3339(NOW_S + 60),
        "rrule": "FREQ=WEEKLY;BYDAY=SU,MO;TZID=Europe/Berlin", "reason": "r", "author": "a", "percent_excluded": 40,
    }  # fmt: skip
    made = await told.said("POST", "/v1/adjustments", body, status=201)
    gone = await told.said("DELETE", f"/v1/adjustments/{made['id']}?who=a&reason=b")
    twice = await told.said("DELETE", f"/v1/adjustments/{made['id']}?who=a&reason=b")
    listed = await told.said("GET", "/v1/adjustments")

    assert (made["rrule"], made["percent_excluded"], made["state"]) == (body["rrule"], 40, "active")
    assert (gone["percent_excluded"], gone["state"]) == (0, "withdrawn")
    assert twice == gone
    assert gone in listed["adjustments"]
    deeds = [one.action for one in told.desk.acts(NOW_S, NOW_S + 1) if one.object == made["id"]]
    assert deeds == ["adjustment.withdraw", "adjustment.create"]
