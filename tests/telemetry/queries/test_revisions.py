"""All that was known of an objective's buckets."""

import pytest
from query_store import SINCE_MS, Stored

from telemetry.queries.revisions import counted_span, revisions

AT_S = SINCE_MS // 1000


@pytest.fixture(scope="module")
def counted(stored: Stored) -> Stored:
    rows = [
        {"slo": slo, "group_key": group, "definition_hash": of, "t": AT_S + 30 * at, "revision": revision,
         "eligible": 10 + revision % 7, "good": good, "computed_at": AT_S}
        for slo, group, of, at, revision, good in (
            ("r-a", "{}", 2**64 - 5, 0, 0, 9),
            ("r-a", "{}", 2**64 - 5, 0, AT_S + 90, 9),
            ("r-a", '{"model":"x"}', 2**64 - 5, 1, 0, 10),
            ("r-a", "{}", 7, 3, 0, 12),
            ("r-b", "{}", 7, 3, 0, 12),
        )
    ]  # fmt: skip
    stored.insert_rows("slo_minutes", rows)
    return stored


def test_every_revision_is_there(counted: Stored) -> None:
    rows = counted.rows(revisions("r-a", 2**64 - 5, AT_S, AT_S + 60))

    assert [tuple(row.values()) for row in rows] == [
        ("{}", AT_S, 0, 10, 1),
        ("{}", AT_S, AT_S + 90, 10 + (AT_S + 90) % 7, 1 + (AT_S + 90) % 7),
        ('{"model":"x"}', AT_S + 30, 0, 10, 0),
    ]
    assert counted.rows(revisions("r-a", 2**64 - 5, AT_S + 60, AT_S + 90)) == []


def test_counts_that_cannot_be_stay_what_they_are(counted: Stored) -> None:
    [row] = counted.rows(revisions("r-a", 7, AT_S, AT_S + 900))

    assert (row["eligible"], row["bad"]) == (10, -2)


def test_each_definition_tells_what_it_counted_the_last_one_first(counted: Stored) -> None:
    rows = counted.rows(counted_span("r-a", AT_S, AT_S + 900))

    assert [tuple(row.values()) for row in rows] == [
        (7, 1, 1, AT_S + 90, AT_S + 90), (2**64 - 5, 3, 2, AT_S, AT_S + 30),
    ]  # fmt: skip
    assert counted.rows(counted_span("' OR 1=1", AT_S, AT_S + 900)) == []
