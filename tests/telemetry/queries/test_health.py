"""Coverage and the accounting identity, from heartbeats."""

import pytest
from query_store import SINCE_MS, Stored

from telemetry.queries.health import EXPECTED_MS, FRESH_MS, coverage, in_flight, telemetry_health

AT_MS = SINCE_MS


def beat(collector: str, at_ms: int, **changed: object) -> dict[str, object]:
    fixed: dict[str, object] = {
        "ts": at_ms / 1000,
        "collector": collector,
        "endpoint": "health",
        "model": "m",
        "boot": 1,
        "watermark": (at_ms - 1_500) / 1000,
        "accepted_total": 0,
        "stored_total": 0,
        "spooled": 0,
        "dlq_total": 0,
        "dropped_total": {},
        "tee_frames_dropped_total": 0,
        "rss_bytes": 1,
    }
    return fixed | changed


@pytest.fixture(scope="module")
def beating(stored: Stored) -> Stored:
    stored.insert_rows(
        "heartbeats",
        [
            beat("n1", AT_MS - 2_000, accepted_total=10, stored_total=4, spooled=6),
            beat("n1", AT_MS - 1_000, accepted_total=30, stored_total=20, spooled=5, dropped_total={"quota": 4}),
            beat("n1", AT_MS, boot=2, accepted_total=0),
            beat("n1", AT_MS, boot=2, accepted_total=8, stored_total=7, dlq_total=1, tee_frames_dropped_total=3),
            beat("n2", AT_MS - FRESH_MS, accepted_total=5, stored_total=3, spooled=1),
            beat("n3", AT_MS - EXPECTED_MS),
        ],
    )
    return stored


def test_coverage_counts_who_is_heard_and_names_who_is_not(beating: Stored) -> None:
    [row] = beating.rows(coverage(AT_MS))

    assert (2, 1, 0.5, ["n2"]) == (row["n"], row["n_fresh"], row["coverage"], row["silent"])
    assert (AT_MS - 1_500, 1_500, AT_MS) == (row["watermark_unix_ms"], row["lag_ms"], row["heard_unix_ms"])


@pytest.mark.parametrize("after_ms", [0, 1, 999, 17_000, 59_999, 60_000, 61_500, EXPECTED_MS - 30_500])
def test_coverage_is_that_of_every_heartbeat_of_the_day(beating: Stored, after_ms: int) -> None:
    at_ms = AT_MS + after_ms
    beats = (("n1", AT_MS), ("n2", AT_MS - FRESH_MS), ("n3", AT_MS - EXPECTED_MS))
    last = {collector: heard_ms for collector, heard_ms in beats if at_ms - EXPECTED_MS < heard_ms <= at_ms}
    fresh = [name for name, heard_ms in last.items() if heard_ms > at_ms - FRESH_MS]
    rows = beating.rows(coverage(at_ms))

    assert [(len(last), len(fresh), sorted(last.keys() - set(fresh)), max(last.values()))] == [
        (row["n"], row["n_fresh"], row["silent"], row["heard_unix_ms"]) for row in rows if row["endpoint"] == "health"
    ]


def test_what_comes_after_the_instant_is_not_heard_yet(beating: Stored) -> None:
    at_ms = SINCE_MS + 40 * 60_000
    beating.insert_rows(
        "heartbeats", [beat("n9", at_ms + of_ms, endpoint="later") for of_ms in (-61_000, -500, 500, 59_000)]
    )
    rows = {
        (of_ms, row["heard_unix_ms"], row["watermark_unix_ms"])
        for of_ms in (-1_000, 0, 499, 500)
        for row in beating.rows(coverage(at_ms + of_ms))
        if row["endpoint"] == "later"
    }

    expected = {(-1_000, -61_000, -62_500), (0, -500, -2_000), (499, -500, -2_000), (500, 500, -1_000)}
    assert {(of_ms, at_ms + heard_ms, at_ms + mark_ms) for of_ms, heard_ms, mark_ms in expected} == rows


def test_when_nobody_is_fresh_there_is_no_watermark(beating: Stored) -> None:
    [row] = beating.rows(coverage(AT_MS + FRESH_MS))

    assert (0.0, None, None) == (row["coverage"], row["watermark_unix_ms"], row["lag_ms"])
    assert [] == beating.rows(coverage(AT_MS + 2 * EXPECTED_MS))


def test_totals_of_a_window_survive_a_boot(beating: Stored) -> None:
    one, two = beating.rows(telemetry_health(AT_MS - FRESH_MS, AT_MS + 1))

    assert ("n1", 28, 23, 1, 3) == (
        *(one[name] for name in ("collector", "accepted", "stored", "dlq", "frames_dropped")),
    )
    assert {"quota": 4} == one["dropped"]
    assert (0, 2, 0) == (one["spooled"], one["last_boot"], one["residue"])
    assert ("n2", 0, 1, 1) == (two["collector"], two["accepted"], two["spooled"], two["residue"])


def test_what_is_in_flight_is_the_last_word_of_each_collector(stored: Stored) -> None:
    at_ms = SINCE_MS + 1_000_000
    beats = [
        ("n/1", at_ms - 2_000, 5, {3: 5}),
        ("n/1", at_ms - 1_000, 2, {3: 1, 4: 1}),
        ("n/2", at_ms - 9_000, 1, {4: 1}),
        ("n/3", at_ms - 11_000, 9, {4: 9}),  # silent for too long to say what is in flight now
    ]
    stored.insert_rows(
        "heartbeats",
        [
            {
                "ts": ts / 1000, "collector": collector, "endpoint": "flying", "in_flight": n, "waiting_first": n,
                "waiting_age_h": ages, "in_flight_age_h": ages,
            }
            for collector, ts, n, ages in beats
        ],
    )  # fmt: skip
    rows = {row["endpoint"]: row for row in stored.rows(in_flight(at_ms))}

    assert rows["flying"] == {
        "endpoint": "flying", "in_flight": 3, "waiting_first": 3, "waiting_age_h": {3: 1, 4: 2},
        "in_flight_age_h": {3: 1, 4: 2},
    }  # fmt: skip
