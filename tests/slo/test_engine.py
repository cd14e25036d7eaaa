"""The engine over a real store: what it counts, judges, keeps and says."""

from collections.abc import Callable
from pathlib import Path

import pytest
from engine_rig import Rig

from slo.alarms import Judged
from slo.alert import Alert
from slo.engine import Reach
from telemetry.clock import wall_ms
from telemetry.store import Store

NOW_S = wall_ms() // 1000 // 30 * 30 - 7_200

Made = Callable[..., Rig]


@pytest.fixture
def rig(reader: Store, writer: Store, tmp_path: Path, request: pytest.FixtureRequest) -> Made:
    name = request.node.name.replace("_", "-")[:60]

    def made(**changes: str | float) -> Rig:
        return Rig(reader, writer, tmp_path / "slo.sqlite", name, NOW_S, **changes)

    return made


def test_a_service_that_fails_pages_and_says_why(rig: Made) -> None:
    """The other tests of the engine take longer: tests/system/test_slo_engine.py."""
    one = rig()
    asked: list[str] = []

    def explain(_judged: Judged, alert: Alert) -> dict[str, str]:
        asked.append(alert.labels["severity"])
        return {"top_contributors": "replica a"}

    one.reach = Reach(channels=one.hear, explain=explain)
    one.restart()
    one.live(20, 0)
    one.live(0, 20, steps=3)

    assert one.said == [(one.name, "page", "firing")]
    assert sorted(asked) == ["page", "ticket"]
    own = [alert for alert in one.engine.view.alerts.values() if alert.labels["alertname"] == one.name]
    (page,) = (alert for alert in own if alert.labels["severity"] == "page")
    assert page.notice().annotations["top_contributors"] == "replica a"
    assert [item.notice.key for item in one.ledger.waiting("channel", 10)] == [page.notice().key]
