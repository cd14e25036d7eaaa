"""Counts of objectives that are stored already, some of them revised."""

import pytest
from query_store import SINCE_MS, UNTIL_MS, Stored

from telemetry.clock import wall_ms
from telemetry.queries.counted import OBJECTIVES_MAX
from telemetry.queries.minutes import (
    LATE_BUCKETS_MAX,
    counted_buckets,
    counted_until,
    late_buckets,
    oldest_request,
    sums_by,
)

AT_S = SINCE_MS // 1000


def row(slo: str, bucket: int, eligible: int, good: int, revision: int = 0, **changes: object) -> dict[str, object]:
    return {
        "slo": slo,
        "group_key": "{}",
        "definition_hash": 7,
        "t": AT_S + 30 * bucket,
        "revision": revision,
        "eligible": eligible,
        "good": good,
        "excluded": {"auth": 2, "oom": 1},
        "censored_bad": 1,
        "computed_at": AT_S,
        **changes,
    }


@pytest.fixture(scope="module")
def counted(stored: Stored) -> Stored:
    stored.insert_rows("slo_minutes", [row("m-a", n, 10, 9) for n in (0, 1, 130)])
    stored.insert_rows("slo_minutes", [row("m-a", 1, 20, 15, revision=99)])
    stored.insert_rows("slo_minutes", [row("m-b", 3, 1, 0, definition_hash=8)])
    return stored


def test_each_objective_is_counted_up_to_its_last_bucket(counted: Stored) -> None:
    rows = counted.rows(counted_until(["m-a", "m-b", "m-none"], AT_S))

    assert [tuple(one.values()) for one in rows] == [
        ("m-a", 7, AT_S, AT_S + 131 * 30),
        ("m-b", 8, AT_S + 90, AT_S + 120),
    ]
    assert counted.rows(counted_until(["m-b"], AT_S + 120)) == []


def test_the_last_revision_of_a_bucket_holds(counted: Stored) -> None:
    rows = counted.rows(counted_buckets(["m-a"], AT_S, AT_S + 60))

    assert [(one["t_unix_s"], one["eligible"], one["good"], one["revision"]) for one in rows] == [
        (AT_S, 10, 9, 0), (AT_S + 30, 20, 15, 99),
    ]  # fmt: skip
    assert (rows[0]["excluded"], rows[0]["censored_bad"], rows[0]["definition_hash"]) == (3, 1, 7)


def test_sums_are_of_spans_from_the_start_asked_for(counted: Stored) -> None:
    rows = counted.rows(sums_by(["m-a"], AT_S - 30, AT_S + 7_200, 60))

    assert [(one["t_unix_s"], one["eligible"], one["good"]) for one in rows] == [
        (AT_S - 30, 10, 9), (AT_S + 30, 20, 15), (AT_S + 3_870, 10, 9),
    ]  # fmt: skip


@pytest.mark.parametrize("length_s", [0, -30, 31])
def test_a_span_is_made_of_buckets(length_s: int) -> None:
    with pytest.raises(ValueError, match="not made of buckets"):
        sums_by(["a"], 0, 60, length_s)


def test_rows_that_came_late_name_their_buckets(counted: Stored) -> None:
    rows = counted.rows(late_buckets(0, SINCE_MS, UNTIL_MS))
    starts = [int(str(one["t_unix_s"])) for one in rows]

    assert len(rows) == LATE_BUCKETS_MAX
    assert starts == sorted(starts, reverse=True)
    assert all(start % 30 == 0 for start in starts)
    assert counted.rows(late_buckets(wall_ms() + 60_000, SINCE_MS, UNTIL_MS)) == []


def test_the_oldest_request_is_where_counting_begins(counted: Stored) -> None:
    oldest_ms = min(record.ended_at for record in counted.records)

    assert counted.rows(oldest_request(SINCE_MS)) == [{"ended_unix_ms": oldest_ms}]
    assert counted.rows(oldest_request(wall_ms() + 60_000)) == [{"ended_unix_ms": 0}]


@pytest.mark.parametrize("n", [0, OBJECTIVES_MAX + 1])
def test_no_objective_and_too_many_are_refused(n: int) -> None:
    with pytest.raises(ValueError, match="allowed are"):
        counted_until(["a"] * n, 0)
