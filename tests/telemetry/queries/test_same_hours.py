"""The same hours of days before, on a real engine."""

import pytest
from query_store import HOUR_MS, UNTIL_MS, Stored

from telemetry.queries import same_hours
from telemetry.queries.question import Question, Select

WINDOW_MS = UNTIL_MS - 2 * HOUR_MS


def picked(stored: Stored, column: str, kind: str, condition: str) -> dict[int, int]:
    """Return the whole half hours that a condition picks of nine days, by how many days ago they are."""
    time = f"{kind}(fromUnixTimestamp64Milli({{until:Int64}} - number * 1800000)) AS {column}"
    listed = Select(columns=[time], source="numbers(432)")
    counted = Select(
        columns=[f"{same_hours.days_ago(column)} AS day", "count() AS n"],
        source=listed,
        where=[condition],
        group_by=["day"],
    )
    rows = stored.rows(Question(sql=counted.text(), parameters=same_hours.values(WINDOW_MS, UNTIL_MS)))
    return {int(str(row["day"])): int(str(row["n"])) for row in rows}


@pytest.mark.parametrize(
    ("column", "kind", "condition"),
    [
        ("ended_at", "identity", same_hours.of_requests()),
        ("t", "toDateTime", same_hours.of_rollup()),
    ],
)
def test_four_half_hours_of_eight_days_are_picked(stored: Stored, column: str, kind: str, condition: str) -> None:
    assert dict.fromkeys(range(same_hours.DAYS + 1), 4) == picked(stored, column, kind, condition)


@pytest.mark.parametrize("length_ms", [0, -1, same_hours.DAY_MS + 1])
def test_a_window_that_has_no_same_hours_is_refused(length_ms: int) -> None:
    same_hours.values(0, same_hours.DAY_MS)
    with pytest.raises(ValueError, match="not within a day"):
        same_hours.values(0, length_ms)
