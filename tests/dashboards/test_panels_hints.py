"""The panels of one page; what holds of every panel is in `test_panels`."""

from panel_answers import rows
from panel_rig import END_MS, FULL, PanelRig

from dashboards.panels_hints import HINTS, HINTS_SHOWN
from telemetry.panel import Page


def test_all_of_them_stand_on_their_page() -> None:
    assert {Page.HINTS} == {one.page for one in HINTS}


def test_hints_are_told_with_what_bound_them(past: PanelRig) -> None:
    (row,) = rows(past, "hint.history", FULL)

    assert ("full", "scale_up", 2, 3, "queue_long") == tuple(
        row[name] for name in ("target", "action", "ready", "desired", "reasons")
    )
    assert HINTS_SHOWN == 1_000


def test_what_was_expected_stands_beside_what_replicas_carry(past: PanelRig) -> None:
    (row,) = [one for one in rows(past, "hint.forecast", FULL) if one["demand"] is not None]

    assert (9.0, 10.0, 12.0, 8.0, 12.0, 240.0) == tuple(
        row[name] for name in ("demand", "expected_p50", "expected_p95", "capacity", "capacity_desired", "lead")
    )


def test_a_start_stands_below_what_the_lead_comes_from(past: PanelRig) -> None:
    p90, p50, one = rows(past, "hint.starts", FULL)

    assert ("P90 of the last 1", "P50 of the last 1", "10.0.0.1:8000") == (p90["start"], p50["start"], one["start"])
    for row in (p90, p50, one):
        assert (240.0, None, 90.0, 100.0) == tuple(row[name] for name in ("ready", "schedule", "image", "init"))
    assert (None, END_MS / 1000 - 120, FULL) == (p90["at"], one["at"], one["target"])


def test_what_came_of_a_hint_stands_beside_it(past: PanelRig) -> None:
    score = {"at": END_MS / 1000 - 5, "target": "scored", "hint_id": "h2"}
    hint = {"issued_at": END_MS / 1000 - 90, "instant": END_MS / 1000 - 90, "hint_id": "h2", "target": "scored"}
    past.stored.insert_rows("hints", [hint, hint | {"hint_id": "h3"}])
    past.stored.insert_rows(
        "hint_scores", [score | {"applied": 3, "demand_per_s": 13.0, "held": 0, "missed_minutes": 2}]
    )
    found = {row["target"] + str(row["applied"]): row for row in rows(past, "hint.history", "scored")}

    assert {"scored3", "scoredNone"} == set(found)
    assert ("exceeded", 13.0, 120.0) == tuple(found["scored3"][name] for name in ("forecast", "came_per_s", "missed"))
    assert None is found["scoredNone"]["forecast"]
