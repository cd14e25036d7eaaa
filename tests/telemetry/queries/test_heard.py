"""Who was heard before each instant."""

from query_store import SINCE_MS, Stored

from telemetry.queries.heard import heard

AT_MS = SINCE_MS - 7_200_000
"""Before the requests of the shared store, where no other test writes heartbeats."""


def beat(after_ms: int, collector: str = "n/heard", ages: dict[int, int] | None = None) -> dict[str, object]:
    return {
        "ts": (AT_MS + after_ms) / 1000,
        "collector": collector,
        "endpoint": "heard",
        "model": "m",
        "waiting_age_h": ages or {},
    }


def test_the_last_heartbeat_before_each_instant_is_there(stored: Stored) -> None:
    stored.insert_rows("heartbeats", [beat(0), beat(1), beat(29_000), beat(30_000, ages={5: 7}), beat(30_001, "other")])
    rows = [row for row in stored.rows(heard(AT_MS // 1000, AT_MS // 1000 + 60)) if row["endpoint"] == "heard"]
    at_s = AT_MS // 1000

    assert [(row["instant_unix_s"], row["collector"], row["heard_unix_ms"], row["waiting_age_h"]) for row in rows] == [
        (at_s + 30, "n/heard", AT_MS + 30_000, {5: 7}),
        (at_s + 60, "other", AT_MS + 30_001, {}),
    ]
    assert rows[0]["model"] == "m"
