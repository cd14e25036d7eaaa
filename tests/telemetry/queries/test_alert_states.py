"""Tests of telemetry.queries.alert_states over a real store."""

from query_store import SINCE_MS, Stored

from telemetry.queries.alert_states import STATES_MAX, last_alert_states


def event(fingerprint: int, at_s: int, to_state: str, **changes: object) -> dict[str, object]:
    return {
        "at": SINCE_MS / 1_000 + at_s,
        "instant": SINCE_MS / 1_000 + at_s,
        "fingerprint": fingerprint,
        "alertname": "good",
        "to_state": to_state,
        "occurrence": 1,
        "definition_hash": 7,
        "labels": {"alertname": "good"},
        **changes,
    }


def test_of_every_alert_the_last_change_holds(stored: Stored) -> None:
    stored.insert_rows("alert_events", [event(1, 0, "firing", fired_at=SINCE_MS / 1_000), event(2, 0, "firing")])
    stored.insert_rows("alert_events", [event(1, 60, "resolved", resolved_at=SINCE_MS / 1_000 + 60)])
    rows = [row for row in stored.rows(last_alert_states(SINCE_MS)) if row["fingerprint"] in {1, 2}]

    assert [(row["fingerprint"], row["to_state"]) for row in rows] == [(1, "resolved"), (2, "firing")]
    assert (rows[0]["at_unix_ms"], rows[0]["resolved_at_unix_ms"]) == (SINCE_MS + 60_000, SINCE_MS + 60_000)
    assert rows[0]["fired_at_unix_ms"] is None
    assert (rows[0]["labels"], rows[0]["definition_hash"], rows[0]["occurrence"]) == ({"alertname": "good"}, 7, 1)
    later = stored.rows(last_alert_states(SINCE_MS + 60_001))
    assert not {1, 2} & {row["fingerprint"] for row in later}
    assert last_alert_states(0).parameters["most"] == STATES_MAX
