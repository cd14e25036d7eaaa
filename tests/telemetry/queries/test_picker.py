"""Which table answers: retention, alignment, dimensions, rows."""

from dataclasses import replace

import pytest

from telemetry import schema
from telemetry.queries.asked import ROLLED_DIMS, Asked, Dim, Source
from telemetry.queries.picker import EXACT_ROWS_MAX, STEPS_MIN, NoTableError, pick

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
NOW_MS = 1_800_000_000_000 // DAY_MS * DAY_MS + 12 * HOUR_MS + 34 * 60_000 + 56_789
TODAY_MS = NOW_MS // DAY_MS * DAY_MS


def back(span_ms: int, **changed: object) -> Asked:
    """A window that ends now, at no round time."""
    return replace(Asked(since_ms=NOW_MS - span_ms, until_ms=NOW_MS), **changed)  # type: ignore[arg-type]  # by name


def aligned(days_ago: int, hours: int) -> Asked:
    since_ms = TODAY_MS - days_ago * DAY_MS
    return Asked(since_ms=since_ms, until_ms=since_ms + hours * HOUR_MS)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(back(900_000), Source.R_1S, id="fifteen minutes until now: seconds"),
        pytest.param(back(DAY_MS), Source.R_1M, id="a day until now: minutes, one is 1/1440 of it"),
        pytest.param(back(30 * DAY_MS), Source.R_1H, id="a month until now: hours, one is 1/720 of it"),
        pytest.param(aligned(1, 1), Source.R_1H, id="one whole hour of yesterday"),
        pytest.param(replace(aligned(1, 1), step_s=60), Source.R_1M, id="the same in minutes"),
        pytest.param(replace(aligned(1, 1), step_s=90), Source.R_1S, id="the same in steps that no minute divides"),
        pytest.param(replace(aligned(1, 2), step_s=3600), Source.R_1H, id="the same in hours"),
        pytest.param(replace(back(60_000), by=(Dim.REPLICA,)), Source.RAW, id="roll-ups know no replica"),
        pytest.param(replace(back(60_000), where={Dim.TENANT: ("t",)}), Source.RAW, id="nor a tenant"),
        pytest.param(
            replace(aligned(10, 1), since_ms=TODAY_MS - 10 * DAY_MS + 7), Source.RAW, id="no step fits: raw rows"
        ),
        pytest.param(aligned(200, 5), Source.R_1H, id="half a year ago"),
    ],
)
def test_the_coarsest_table_that_fits(asked: Asked, expected: Source) -> None:
    assert expected is pick(asked, now_ms=NOW_MS).source


def test_few_raw_rows_are_taken_exactly_and_many_are_not() -> None:
    asked = back(30 * 60_000)

    few, many = (pick(asked, now_ms=NOW_MS, rows=rows) for rows in (EXACT_ROWS_MAX, EXACT_ROWS_MAX + 1))
    assert (Source.RAW, True, asked.since_ms, asked.until_ms) == (few.source, few.exact, few.since_ms, few.until_ms)
    assert (Source.R_1S, False) == (many.source, many.exact)


def test_many_rows_that_only_raw_rows_know_are_bucketed() -> None:
    found = pick(back(HOUR_MS, by=(Dim.REPLICA,)), now_ms=NOW_MS, rows=EXACT_ROWS_MAX + 1)

    assert (Source.RAW, False) == (found.source, found.exact)


def test_a_window_is_widened_to_whole_steps_by_at_most_two() -> None:
    found = pick(back(DAY_MS), now_ms=NOW_MS)

    assert 0 == found.since_ms % 60_000 == found.until_ms % 60_000
    assert 0 <= NOW_MS - DAY_MS - found.since_ms < 60_000
    assert 0 <= found.until_ms - NOW_MS < 60_000
    assert 1 / STEPS_MIN == 0.002


def test_what_is_past_its_retention_comes_from_what_is_left() -> None:
    old = Asked(since_ms=TODAY_MS - 20 * DAY_MS + 7, until_ms=TODAY_MS - 20 * DAY_MS + 3_000_007)

    found = pick(old, now_ms=NOW_MS, rows=5)
    assert (Source.R_1M, TODAY_MS - 20 * DAY_MS, 51 * 60_000) == (
        found.source,
        found.since_ms,
        found.until_ms - found.since_ms,
    )


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        pytest.param(replace(aligned(20, 1), by=(Dim.REPLICA,)), "only raw rows know replica", id="raw rows are gone"),
        pytest.param(aligned(900, 1), "begins before anything that is kept", id="older than everything"),
    ],
)
def test_what_no_table_holds_is_refused(asked: Asked, message: str) -> None:
    with pytest.raises(NoTableError, match=message):
        pick(asked, now_ms=NOW_MS)


def test_dimensions_are_those_of_the_schema() -> None:
    for table in (schema.R_1S, schema.R_1M, schema.R_1H):
        names = {column.name for column in table.columns}

        assert {dim for dim in Dim if dim.value in names} == ROLLED_DIMS
