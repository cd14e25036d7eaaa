"""Requests one by one: bounds, where a list goes on, what the bad ones share."""

from typing import Any, cast
from uuid import UUID

import pytest
from query_store import SINCE_MS, UNTIL_MS, Stored

from telemetry.queries.asked import Asked, Dim, Metric
from telemetry.queries.request_rows import (
    COLUMNS,
    FACETS,
    FACETS_MAX,
    NEWEST_FIRST,
    REQUEST_ROWS_MAX,
    Box,
    request_facets,
    request_rows,
)

ASKED = Asked(since_ms=SINCE_MS, until_ms=UNTIL_MS, where={Dim.ENDPOINT: ("chat",)})


def mine(stored: Stored) -> list[Any]:
    return [one for one in stored.records if one.endpoint == "chat"]


def test_the_newest_come_first(stored: Stored) -> None:
    rows = stored.rows(request_rows(ASKED, Box(), 10))
    newest = sorted(mine(stored), key=lambda one: (one.ended_at, one.record_id), reverse=True)[:10]

    assert [str(one.record_id) for one in newest] == [row["id"] for row in rows]
    assert len(NEWEST_FIRST) == 2
    first = newest[0]
    assert (first.outcome, first.replica, first.tokens_in) == tuple(
        rows[0][name] for name in ("outcome", "replica", "tokens_in")
    )


def test_a_list_goes_on_without_a_gap(stored: Stored) -> None:
    ended = "toUnixTimestamp64Milli(s.ended_at) AS ended_ms"
    before: tuple[int, UUID] | None = None
    seen: list[object] = []
    while rows := stored.rows(request_rows(ASKED, Box(before=before), 300, [*COLUMNS, ended])):
        seen += [row["id"] for row in rows]
        before = (cast("int", rows[-1]["ended_ms"]), UUID(str(rows[-1]["id"])))

    assert {str(one.record_id) for one in mine(stored)} == set(seen)
    assert len(seen) == len(set(seen))


@pytest.mark.parametrize("limit", [1, 5, 20, REQUEST_ROWS_MAX])
def test_hours_that_are_left_out_hold_none_of_the_newest(stored: Stored, limit: int) -> None:
    # Ends within an hour, so that the newest rows lie in hours that are not whole.
    asked = Asked(since_ms=SINCE_MS + 1_234_567, until_ms=UNTIL_MS - 1_234_567, where={Dim.ENDPOINT: ("chat",)})
    question = request_rows(asked, Box(), limit)
    newest = sorted(
        ((one.ended_at, one.record_id) for one in mine(stored) if asked.since_ms <= one.ended_at < asked.until_ms),
        reverse=True,
    )

    assert "r_1h" in question.sql
    assert [str(record_id) for _, record_id in newest[:limit]] == [row["id"] for row in stored.rows(question)] != []


def test_a_box_has_bounds(stored: Stored) -> None:
    box = Box(outcomes=("ok",), metric=Metric.TTFT, low_s=0.2, high_s=0.4)
    rows = stored.rows(request_rows(ASKED, box))
    inside = [one for one in mine(stored) if one.outcome == "ok" and 200_000 <= (one.ttft_us or 0) < 400_000]

    assert len(inside) == len(rows) > 0
    assert len(rows) <= REQUEST_ROWS_MAX


@pytest.mark.parametrize("limit", [0, REQUEST_ROWS_MAX + 1])
def test_what_is_no_limit_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match="allowed are 1 to 1000"):
        request_rows(ASKED, Box(), limit)


def test_shares_are_of_all_and_of_the_bad(stored: Stored) -> None:
    rows = {(row["facet"], row["value"]): row for row in stored.rows(request_facets(ASKED, Box()))}
    all_mine = mine(stored)
    bad = [one for one in all_mine if one.eligible == "bad"]
    overloaded = sum(one.outcome == "overloaded" for one in all_mine)
    row = rows["outcome", "overloaded"]

    assert overloaded / len(all_mine) == pytest.approx(row["share_of_all"])
    assert overloaded / len(bad) == pytest.approx(row["share_of_bad"])
    assert {facet for facet, _ in rows} <= set(FACETS)
    assert len(rows) <= FACETS_MAX
