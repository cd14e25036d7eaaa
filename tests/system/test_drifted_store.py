"""A store whose schema has drifted refuses requests and takes heartbeats: the collector spools on, the rule pages."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from bare_store import bare_store, client

from collector.connection import Counts
from collector.heartbeats import Heartbeats, whereabouts
from collector.rows import Dimensions
from slo.jump import Verdict
from slo.rules.rule import Found, Settings
from slo.rules.telemetry_self import TelemetrySelfRule
from telemetry.accounting import Lane
from telemetry.clock import WallAnchor, sleep, wall_ms
from telemetry.delivery import Delivery
from telemetry.store import Store
from telemetry.testing.memory_store import sample_request

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

LAG_S, LAG_PAGE_S = 2, 3
"""Patience of the rule here; its own is half a minute and five minutes."""
DRIFTED = "ALTER TABLE inferometer.requests DROP COLUMN residual_us"
ROWS = 50
BEATS_N = 60


def paged(reader: Store, beat: Callable[[], object]) -> Found | None:
    """Return the page, once heartbeats that travel tell of enough; None if there is none."""
    for _ in range(BEATS_N):
        beat()
        sleep(0.5)
        for found in judged(reader):
            if found.sound is Verdict.PAGE:
                return found
    return None


def judged(reader: Store) -> list[Found]:
    rule = TelemetrySelfRule(settings=Settings(options={"lag_s": LAG_S, "lag_page_s": LAG_PAGE_S}))
    at_s = wall_ms() // 1_000 + 1
    rows = {name: reader.query(question) for name, question in rule.questions(at_s).items()}
    return [one for one in rule.judge(at_s, rows) if "collector" in one.labels]


def test_requests_that_a_store_refuses_wait_and_are_told_of(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with bare_store(data, DRIFTED) as (url, _), closing(client(url, data, "writer")) as writer:
        delivery = Delivery(tmp_path / "spool" / "n1", node="n1", sink=writer, lanes=(Lane.REQUESTS, Lane.HEARTBEATS))
        try:
            beats = Heartbeats(
                Dimensions(endpoint="chat"),
                Counts(),
                lambda: whereabouts(delivery.collector, delivery.lanes(), delivery.frontier()),
                WallAnchor.now(),
            )
            delivery.append([sample_request(n, wall_ms()) for n in range(ROWS)])
            with closing(client(url, data, "reader")) as reader:
                found = paged(reader, lambda: delivery.append_samples([beats.beat(WallAnchor.now(), ())]))
            lane = delivery.lanes()["requests"]
        finally:
            delivery.close(0)

    assert found is not None
    assert f"not its records; {ROWS} wait" in found.words["summary"]
    assert (ROWS, ROWS, 0, 0) == (lane.accepted, lane.spooled, lane.dlq, sum(lane.dropped.values()))
