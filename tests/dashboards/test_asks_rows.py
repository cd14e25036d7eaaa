"""Requests one by one, and what the bad ones have in common."""

import pytest
from panel_answers import rows
from panel_rig import ENDPOINT, FULL, PanelRig

from dashboards.asks_latency import PHASES
from telemetry.queries.request_rows import FACETS, FACETS_MAX, REQUEST_ROWS_MAX


def test_the_newest_come_first_and_only_so_many(past: PanelRig) -> None:
    found = rows(past, "req.rows", ENDPOINT)

    assert REQUEST_ROWS_MAX == len(found) == 1_000
    assert sorted((row["t"] for row in found), reverse=True) == [row["t"] for row in found]
    assert {"ok", "stream_error"} == {row["outcome"] for row in found}


def test_the_parts_of_a_request_add_up(past: PanelRig) -> None:
    found = [row for row in rows(past, "req.detail", FULL) if row["queue"] is not None and row["e2e"] is not None]

    assert found
    for row in found:
        parts = sum(row[name] or 0 for name in (*PHASES, "rest"))
        assert row["e2e"] == pytest.approx(parts)


def test_what_bad_requests_share_stands_first(past: PanelRig) -> None:
    found = rows(past, "req.facets", ENDPOINT)

    assert {"outcome", "phase"} == {row["facet"] for row in found[:2]}
    assert (1.0, 0.02) == (found[0]["share_of_bad"], found[0]["share_of_all"])
    assert len(found) <= FACETS_MAX
    assert {row["facet"] for row in found} <= set(FACETS)


def test_without_bad_requests_nothing_stands_out(past: PanelRig) -> None:
    found = rows(past, "req.facets", FULL, traffic="probe")

    assert {None} == {row["lift"] for row in found}
