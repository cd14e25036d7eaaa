"""Knows the question how alerts stood last; refuses to judge whether that is still so.

Source: spec/store.md 3 (`alert_events`); spec/slo.md 9 (what is remembered of an alert).
"""

from telemetry.queries.question import PAGE_S, Question, Select

STATES_MAX = 20_000
"""Alerts of one answer."""


def last_alert_states(since_ms: int) -> Question:
    """Ask for the last change of every alert that changed since a time.

    Rows: `fingerprint`, `definition_hash`, `at_unix_ms`, `to_state`, `occurrence`, `active_at_unix_ms`,
    `fired_at_unix_ms`, `clear_since_unix_ms`, `resolved_at_unix_ms` (these may be NULL), `labels`, `annotations`.

    Args:
        since_ms: Unix milliseconds.
    """
    return Question(sql=_LAST, parameters={"since": since_ms, "most": STATES_MAX}, seconds_max=PAGE_S)


_TIMES = ("at", "active_at", "fired_at", "clear_since", "resolved_at")
_LAST = Select(
    columns=[
        *("fingerprint", "definition_hash", "to_state", "occurrence", "labels", "annotations"),
        *(f"toUnixTimestamp64Milli(e.{name}) AS {name}_unix_ms" for name in _TIMES),
    ],
    source="inferometer.alert_events AS e",
    where=["e.at >= fromUnixTimestamp64Milli({since:Int64})"],
    order_by=["fingerprint", "e.at DESC", "occurrence DESC", "to_state"],
    tail="LIMIT 1 BY fingerprint\nLIMIT {most:UInt32}",
).text()
