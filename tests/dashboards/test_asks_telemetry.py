"""The telemetry's own numbers."""

import pytest
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


@pytest.mark.parametrize("step", [60, 300])
def test_minutes_say_the_same_as_seconds_of_what_measuring_costs(past: PanelRig, step: int) -> None:
    fine, rolled = (rows(past, "tel.overhead", FULL, step=each) for each in (30, step))
    spent: dict[int, float] = {}
    for row in fine:
        t = row["t"] // step * step
        spent[t] = spent.get(t, 0.0) + (row["cpu"] or 0) * 30

    assert "r_heartbeats_1m" in past.ask("tel.overhead", step=step, **{"from": "now-1h"}).sql
    assert {row["t"]: pytest.approx(spent.get(row["t"], 0.0)) for row in rolled} == {
        row["t"]: (row["cpu"] or 0) * step for row in rolled
    }
    assert ({0.0001}, {50 << 20}) == (known(rolled, "loop_lag"), known(rolled, "rss"))
    assert {0} == known(rows(past, "tel.lag", FULL, step=step), "spooled")


def test_who_is_heard(past: PanelRig) -> None:
    found = rows(past, "tel.sources", FULL)

    assert {"collector", "engine", "GPU", "probe"} == {row["kind"] for row in found}
    assert found[0]["silent"] == max(row["silent"] for row in found)
    assert [1.0] == [row["up"] for row in found if row["kind"] == "engine"]
