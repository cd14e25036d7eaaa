"""The busiest minutes, beside the rows themselves."""

from collections import Counter

from query_store import SINCE_MS, UNTIL_MS, Stored

from telemetry.outcome import Eligibility
from telemetry.percentile import P90, rank
from telemetry.queries.peaks import least_busy, peaks
from telemetry.queries.question import Question, Select

MINUTE_MS = 60_000
AT_S = -(-UNTIL_MS // MINUTE_MS) * 60
LENGTHS = [*range(1, 202), 10_080, 43_200, 99_990]
"""Numbers of minutes: of a week, and of thirty days."""


def test_the_least_load_of_a_busy_minute_is_the_nearest_rank(stored: Stored) -> None:
    loads = Select(
        columns=["arrayJoin({lengths:Array(UInt32)}) AS n", "arrayJoin(range(1, n + 1)) AS load"], source="system.one"
    )
    asked = Select(columns=["n", f"{least_busy('load')} AS least"], source=loads, group_by=["n"])
    rows = stored.rows(Question(sql=asked.text(), parameters={"lengths": LENGTHS}))

    assert {n: rank(P90, n) for n in LENGTHS} == {row["n"]: row["least"] for row in rows}


def test_the_busy_minutes_are_those_of_the_rows(stored: Stored) -> None:
    window_s = (AT_S - SINCE_MS // 1000) // 2 // 60 * 60
    users = [one for one in stored.records if one.traffic == "user"]
    # Other tests store rows of endpoints of their own.
    rows = [row for row in stored.rows(peaks(AT_S, window_s)) if row["endpoint"] in {"chat", "code"}]

    assert rows, "else nothing was shown"
    for row in rows:
        own = [one for one in users if (one.endpoint, one.model) == (row["endpoint"], row["model"])]
        load = Counter(one.ended_at // MINUTE_MS for one in own)
        now = [one for one in own if one.ended_at >= (AT_S - window_s) * 1000]
        peak = [one for one in now if load[one.ended_at // MINUTE_MS] >= int(str(row["busy"]))]
        assert row["busy"] == sorted(load.values())[-(-len(load) * 9 // 10) - 1]
        assert row["minutes"] == len({one.ended_at // MINUTE_MS for one in peak})
        assert row["eligible"] == sum(one.eligible in {Eligibility.GOOD, Eligibility.BAD} for one in peak)
        assert row["bad"] == sum(one.eligible is Eligibility.BAD for one in peak)
        before = [one for one in own if one not in now and one.eligible is Eligibility.BAD]
        of = Counter(one.ended_at // MINUTE_MS for one in before)
        assert (row["day_bad"], row["day_squares"]) == (len(before), sum(n * n for n in of.values()))
        assert row["minutes_known"] == len(load)
