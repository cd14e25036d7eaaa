"""What the load test lets one expect, and where the endpoint stands; the load test is that of `panel_past`."""

import pytest
from panel_answers import known, rows
from panel_past import PROFILE
from panel_rig import END_MS, ENDPOINT, FULL, PanelRig

from slo.panel_shown import PanelState


def test_the_curve_and_the_point_of_now(past: PanelRig) -> None:
    found = rows(past, "ep.load_point", FULL)
    tested, now = found[:-1], found[-1]

    assert [(0.5, 0.2), (4.0, 0.4), (6.0, 2.0)] == [(row["rate_per_s"], row["tested_p95"]) for row in tested]
    assert [None, (0.35, 0.45), None] == [
        row["tested_p95_low"] and (row["tested_p95_low"], row["tested_p95_high"]) for row in tested
    ]
    assert ("now", 1.0) == (now["point"], now["replicas"])
    assert 1.0 == pytest.approx(now["rate_per_s"], rel=0.01), "one a second, and one replica was scraped"
    assert now["tested_p95"] == pytest.approx(0.2 + 0.2 * (now["rate_per_s"] - 0.5) / 3.5)
    (row,) = rows(past, "ep.stats", FULL)
    assert now["p95"] == pytest.approx(row["ttft_p95"])
    assert (1.0, 2.0) == pytest.approx((now["prompt_ratio"], now["output_ratio"]), rel=0.05)


def test_an_endpoint_that_nobody_tested_is_locked(past: PanelRig) -> None:
    answer = past.ask("ep.load_point", **{"from": "now-1h", "endpoint": [ENDPOINT]})

    assert (PanelState.LOCKED, []) == (answer.state, answer.rows)


def test_the_range_of_the_load_test_stands_beside_every_step(past: PanelRig) -> None:
    found = rows(past, "fleet.ttft", FULL)

    assert ({0.4}, {0.2}, {0.4}) == tuple(known(found, f"tested_p95{end}") for end in ("", "_low", "_high"))
    assert set() == known(rows(past, "fleet.ttft", ENDPOINT), "tested_p95")
    assert 6.0 == PROFILE["curve"][-1]["rate_rps"], "the rate that was rejected is no part of it"


def test_a_load_test_that_came_later_says_nothing_of_before(past: PanelRig) -> None:
    until_s = END_MS // 1000 - 2_400
    span = {"from": str(until_s - 900), "to": str(until_s)}

    assert set() == known(rows(past, "fleet.ttft", FULL, **span), "tested_p95")
