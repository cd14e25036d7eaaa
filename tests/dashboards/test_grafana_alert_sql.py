"""What Grafana asks the store: fires when both windows burn, names what fires, and has a row where all is well."""

from typing import Any

from panel_rig import END_MS, FULL, PanelRig

from dashboards.grafana_alert_sql import burn, firing, silence_s, uncounted_s
from dashboards.macros import expanded
from telemetry.queries.question import Question

HOUR_S, SHORT_S = 3_600, 300
ALLOWED = 0.001
"""One of fifty fails, so this burns 20 times too fast."""


def rows(past: PanelRig, sql: str, until_ms: int, window_s: int = HOUR_S) -> list[dict[str, Any]]:
    return past.reader.query(Question(sql=expanded(sql, until_ms - window_s * 1000, until_ms, 60, {})))


def burning(past: PanelRig, until_ms: int, long_s: int = HOUR_S, short_s: int = SHORT_S) -> dict[str, float]:
    return {row["endpoint"]: row["burn"] for row in rows(past, burn(ALLOWED, long_s, short_s), until_ms, long_s)}


def test_both_windows_burn(past: PanelRig) -> None:
    found = burning(past, END_MS)

    assert round(found["chat"], 6) == 20
    assert {"chat", FULL} <= set(found)


def test_one_window_alone_is_no_burn(past: PanelRig) -> None:
    # The requests are over for ten minutes: an hour of them is left, and no five minutes.
    ended = burning(past, END_MS + 600_000)

    assert 0 == ended["chat"]
    assert round(burning(past, END_MS + 600_000, short_s=HOUR_S)["chat"], 6) == 20


def test_few_requests_are_no_burn(past: PanelRig) -> None:
    # Of the last minute two are bad, one in thirty, and three are needed.
    late = burning(past, END_MS + (HOUR_S - 60) * 1000, short_s=HOUR_S)

    assert 0 == late["chat"]


def test_who_was_not_heard_for_a_day_is_not_asked_about(past: PanelRig) -> None:
    assert {} == burning(past, END_MS + 2 * 86_400_000)
    assert [] == rows(past, silence_s(), END_MS + 2 * 86_400_000)


def test_silence_grows_from_the_last_heartbeat(past: PanelRig) -> None:
    now, later = (
        {row["endpoint"]: row["silence_s"] for row in rows(past, silence_s(), END_MS + wait_ms)}
        for wait_ms in (0, 200_000)
    )

    assert (0, 200) == (now["chat"], later["chat"])


def test_what_fires_is_named_and_what_has_ended_is_not(past: PanelRig) -> None:
    none = {"alert": "none", "slo": "", "fingerprint": "", "firing": 0}
    assert [none] == rows(past, firing("page"), END_MS)
    at_s = END_MS / 1000 - 60
    of_chat = {"instant": at_s, "alertname": "SLOBurn", "slo": "chat"}

    def event(fingerprint: int, severity: str, to_state: str, later_s: int = 0) -> dict[str, Any]:
        labels = {"alertname": "SLOBurn", "slo": "chat", "severity": severity}
        states = {"from_state": "inactive", "to_state": to_state, "severity": severity, "labels": labels}
        return of_chat | states | {"at": at_s + later_s, "fingerprint": fingerprint}

    past.stored.insert_rows(
        "alert_events",
        [
            *(event(0xAB, "page", "firing"), event(2, "ticket", "firing")),
            *(event(3, "page", "firing"), event(3, "page", "inactive", later_s=30)),
        ],
    )
    fires = {"alert": "SLOBurn", "slo": "chat", "fingerprint": f"{0xAB:016x}", "firing": 1}

    assert [none, fires] == sorted(rows(past, firing("page"), END_MS, 86_400), key=lambda row: row["firing"])
    assert f"{2:016x}" in {row["fingerprint"] for row in rows(past, firing("ticket"), END_MS, 86_400)}


def test_counts_that_stop_are_behind_requests(past: PanelRig) -> None:
    assert [{"behind_s": 0}] == rows(past, uncounted_s(), END_MS)
    counted = {"t": END_MS // 1000 - HOUR_S, "slo": "chat", "group_key": "{}", "eligible": 1, "good": 1}
    past.stored.insert_rows("slo_minutes", [counted])

    (found,) = rows(past, uncounted_s(), END_MS)
    assert HOUR_S - 60 <= found["behind_s"] <= HOUR_S  # requests are known by the minute
    assert [{"behind_s": 0}] == rows(past, uncounted_s(), END_MS + 2 * 86_400_000)
