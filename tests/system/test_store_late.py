"""Shows what becomes of rows that come too late for the raw table, and of rows whose clock ran ahead.

Source: spec/store.md 4.1 (roll-ups accept what raw does not), 11.6 (future_ts), 15 (case 4, first half).
"""

import json
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest

from telemetry.accounting import LaneCounters
from telemetry.backoff import Backoff
from telemetry.clock import wall_ms
from telemetry.outcome import Flag
from telemetry.shipper import Cut, Shipper
from telemetry.shipping import RAW_KEPT_MS
from telemetry.spool import Spool
from telemetry.spool_record import FUTURE_MS_MAX
from telemetry.store import Store
from telemetry.testing.memory_store import sample_request
from telemetry.testing.store_process import StoreProcess

pytestmark = [pytest.mark.system, pytest.mark.timeout(60)]

RAW = "SELECT toUnixTimestamp64Milli(ended_at) AS at, flags FROM requests ORDER BY seq"
ROLLED = "SELECT sum(n) AS n FROM r_1h"


def rows(reader: Store, sql: str) -> list[dict[str, Any]]:
    lines = reader.raw(sql, output="JSONEachRow").splitlines()
    return [{name: int(value) for name, value in json.loads(line).items()} for line in lines]


def test_late_rows_reach_the_rollups_and_rows_from_the_future_are_moved_to_now(tmp_path: Path) -> None:
    now_ms = wall_ms()
    ended = [now_ms, now_ms - RAW_KEPT_MS - 86_400_000, now_ms + FUTURE_MS_MAX - 60_000, now_ms + 2 * FUTURE_MS_MAX]
    spool = Spool(tmp_path / "spool", node="n1")
    spool.append_requests([sample_request(n, at) for n, at in enumerate(ended)])
    with StoreProcess(tmp_path / "data") as process, closing(process.store("writer")) as writer:
        shipper = Shipper(spool, writer, backoff=Backoff(Random(1)), cut=Cut(cut_s=0.01))  # noqa: S311  # seeded on purpose
        shipper.start()

        assert shipper.stop(30) == 0
        assert spool.counters()["requests"] == LaneCounters(accepted=4, stored=4)
        assert shipper.status().counts["rows_past_retention"] == 1
        with closing(process.store("reader")) as reader:
            raw, rolled = rows(reader, RAW), rows(reader, ROLLED)
    spool.close()

    assert [0, 0, Flag.FUTURE_TS] == [row["flags"] for row in raw]
    assert [ended[0], ended[2]] == [row["at"] for row in raw[:2]]
    assert now_ms <= raw[2]["at"] < now_ms + 60_000
    assert rolled == [{"n": 4}]
