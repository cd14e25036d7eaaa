"""What a question is about beside its filters."""

from query_store import SINCE_MS

from telemetry.queries.about import About, last_day, scope_of
from telemetry.queries.asked import Asked, Dim
from telemetry.queries.bad_events import DAY_MS
from telemetry.queries.counted import Counted

ASKED = Asked(since_ms=SINCE_MS, until_ms=SINCE_MS + 60_000, where={Dim.MODEL: ("m", "n")}, traffic="probe")


def test_a_day_at_most_is_meant() -> None:
    longer = Asked(since_ms=SINCE_MS, until_ms=SINCE_MS + 3 * DAY_MS)

    assert (SINCE_MS + 2 * DAY_MS, SINCE_MS + 3 * DAY_MS) == (last_day(longer).since_ms, last_day(longer).until_ms)
    assert ASKED == last_day(ASKED)


def test_without_an_objective_the_class_of_an_outcome_says_what_is_bad() -> None:
    found = scope_of(ASKED)

    assert Counted(name="all", traffic="probe") == found.objective
    assert (ASKED.since_ms, ASKED.until_ms, ASKED.where) == (found.since_ms, found.until_ms, found.where)
    sql, values = found.rows(["record_id AS of_id"])
    assert "model IN {where_model:Array(String)}" in sql.text()
    assert ["m", "n"] == values["where_model"]


def test_an_objective_says_it_itself() -> None:
    own = Counted(name="late")

    assert own == scope_of(Asked(since_ms=0, until_ms=1, about=About(objective=own))).objective
