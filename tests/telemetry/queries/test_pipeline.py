"""What became of records, by hand: two boots of one collector, and requests whose ending nobody saw."""

from query_store import HOUR_MS, SINCE_MS, UNTIL_MS, Stored
from test_health import beat

from telemetry.queries.pipeline import LOOK_BACK_MS, collectors, unobserved


def test_totals_count_within_a_boot_and_the_window(stored: Stored) -> None:
    at_ms = SINCE_MS - 70 * HOUR_MS  # long before what the other tests look at
    totals: list[dict[str, object]] = [
        {"ts": 40, "boot": 7, "accepted_total": 50, "dropped_total": {"quota": 9}, "clock_offset_us": 0},
        {"ts": 30, "boot": 7, "accepted_total": 60, "dropped_total": {"quota": 9}, "clock_offset_us": 9_000_000},
        {"ts": 20, "boot": 7, "accepted_total": 90, "dropped_total": {"quota": 10, "enospc": 2}, "dlq_total": 1},
        {"ts": 10, "boot": 8, "accepted_total": 5, "spooled": 3, "clock_offset_us": 100},
        {"ts": 5, "boot": 8, "accepted_total": 9, "spooled": 4, "tee_frames_dropped_total": 6, "clock_offset_us": 40},
    ]
    totals[2]["clock_offset_us"] = 8_000_000
    rows = [beat("boots", at_ms - 1_000 * int(str(one.pop("ts"))), **one) for one in totals]
    stored.insert_rows("heartbeats", [*rows, beat("long ago", at_ms - LOOK_BACK_MS - 1)])
    found = stored.rows(collectors(at_ms - 30_000, at_ms))

    assert [
        {
            "collector": "boots", "heard_unix_ms": at_ms - 5_000, "lag_ms": 1_500, "spooled": 4,
            "accepted": 34, "dropped": 3, "frames_dropped": 6, "dlq": 1, "step_us": 9_000_000,
        }
    ] == found  # fmt: skip


def test_unobserved_is_of_the_roll_up(stored: Stored) -> None:
    n = {endpoint: sum(one.endpoint == endpoint for one in stored.records) for endpoint in ("chat", "code")}
    rows = [row for row in stored.rows(unobserved(SINCE_MS, UNTIL_MS)) if row["endpoint"] in n]

    assert [{"endpoint": name, "n": n[name], "unobserved": 0} for name in ("chat", "code")] == rows
