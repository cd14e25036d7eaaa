"""The telemetry's own numbers."""

from panel_answers import known, rows
from panel_rig import ENDPOINT, FULL, PanelRig


def test_everything_is_accounted_for(past: PanelRig) -> None:
    found = {row["collector"]: row for row in rows(past, "tel.conservation", ENDPOINT)}

    assert (359, 359, 0, "") == tuple(found["node/1"][name] for name in ("accepted", "stored", "residue", "why"))


def test_how_late_rows_came_and_what_waits(past: PanelRig) -> None:
    found = rows(past, "tel.lag", ENDPOINT)

    assert {0} == known(found, "spooled")
    assert min(known(found, "p50")) > 0


def test_what_measuring_costs(past: PanelRig) -> None:
    found = rows(past, "tel.overhead", FULL)

    assert ({0.0001}, {50 << 20}, {0.0}) == tuple(
        known(found, name) for name in ("loop_lag", "rss", "frames_dropped_per_s")
    )
    assert ({0.0001}, set()) == (known(found, "added_p50"), known(found, "added_p99")), "ten are too few for a p99"


def test_who_is_heard(past: PanelRig) -> None:
    found = rows(past, "tel.sources", FULL)

    assert {"collector", "engine", "GPU", "probe"} == {row["kind"] for row in found}
    assert found[0]["silent"] == max(row["silent"] for row in found)
    assert [1.0] == [row["up"] for row in found if row["kind"] == "engine"]
