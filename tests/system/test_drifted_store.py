"""A store whose schema has drifted refuses requests and takes heartbeats: the collector spools on, the rule pages."""

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

pytestmark = [pytest.mark.system, pytest.mark.timeout(60)]

LAG_S, LAG_PAGE_S = 2, 3
"""Patience of the rule here; its own is half a minute and five minutes."""
DRIFTED = "ALTER TABLE inferometer.requests DROP COLUMN residual_us"
ROWS = 50


def judged(reader: Store) -> Found:
    rule = TelemetrySelfRule(settings=Settings(options={"lag_s": LAG_S, "lag_page_s": LAG_PAGE_S}))
    at_s = wall_ms() // 1_000 + 1
    rows = {name: reader.query(question) for name, question in rule.questions(at_s).items()}
    [found] = [one for one in rule.judge(at_s, rows) if "collector" in one.labels]
    return found


def test_requests_that_a_store_refuses_wait_and_are_told_of(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with bare_store(data, DRIFTED) as (url, _), closing(client(url, data, "writer")) as writer:
        delivery = Delivery(tmp_path / "spool" / "n1", node="n1", sink=writer, lanes=(Lane.REQUESTS, Lane.HEARTBEATS))
        beats = Heartbeats(
            Dimensions(endpoint="chat"),
            Counts(),
            lambda: whereabouts(delivery.collector, delivery.lanes(), delivery.frontier()),
            WallAnchor.now(),
        )
        delivery.append([sample_request(n, wall_ms()) for n in range(ROWS)])
        for _ in range(2 * (LAG_PAGE_S + 3)):
            delivery.append_samples([beats.beat(WallAnchor.now(), ())])
            sleep(0.5)
        sleep(2)  # the last heartbeats travel
        with closing(client(url, data, "reader")) as reader:
            found = judged(reader)
        lane = delivery.lanes()["requests"]
        delivery.close(0)

    assert Verdict.PAGE is found.sound
    assert f"not its records; {ROWS} wait" in found.words["summary"]
    assert (ROWS, ROWS, 0, 0) == (lane.accepted, lane.spooled, lane.dlq, sum(lane.dropped.values()))
