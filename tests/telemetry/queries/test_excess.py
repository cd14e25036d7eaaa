"""Excess bad events, by hand: one replica fails on long prompts, and everything fails a little all week."""

from dataclasses import replace
from random import Random

import msgspec
import pytest
from query_store import SINCE_MS, Stored, record

from telemetry.outcome import Eligibility, Outcome
from telemetry.queries.asked import Dim
from telemetry.queries.bad_events import REFERENCE_ROWS_MAX, WHOLE_MS_MAX, Scope, phases
from telemetry.queries.counted import Counted
from telemetry.queries.excess import CONTRIBUTORS_MAX, contributors_of
from telemetry.record import RequestRecord

DAY_MS, HOUR_MS = 86_400_000, 3_600_000
FROM_MS = SINCE_MS - HOUR_MS
"""An hour that no other test fills."""


def events(days_ago: int, replica: str, tokens_in: int, n: int, n_bad: int) -> list[RequestRecord]:
    random = Random(days_ago)  # noqa: S311 -- seeded
    return [
        msgspec.structs.replace(
            record(0, random),
            ended_at=FROM_MS - days_ago * DAY_MS + at * 100,
            endpoint="contributors",
            model="m",
            region="eu",
            replica=replica,
            tokens_in=tokens_in,
            outcome=Outcome.OOM if at < n_bad else Outcome.OK,
            eligible=Eligibility.BAD if at < n_bad else Eligibility.GOOD,
        )
        for at in range(n)
    ]


@pytest.fixture(scope="module")
def week(stored: Stored) -> Stored:
    rows = [*events(0, "a", 100, 100, 2), *events(0, "b", 9_000, 100, 52)]
    for day in range(1, 8):
        rows += [*events(day, "a", 100, 100, 2), *events(day, "b", 9_000, 100, 2)]
        # The hour before is another time of day: it must not count.
        rows += [msgspec.structs.replace(one, ended_at=one.ended_at - HOUR_MS, eligible="bad") for one in rows[-20:]]
    stored.insert("n/contributors", rows)
    return stored


def scope(endpoint: str = "contributors", days_ago: int = 0, length_ms: int = HOUR_MS) -> Scope:
    since_ms, of = FROM_MS - days_ago * DAY_MS, {Dim.ENDPOINT: (endpoint,)}
    return Scope(objective=Counted(name="all"), since_ms=since_ms, until_ms=since_ms + length_ms, where=of)


def test_excess_is_counted_against_the_same_hour_of_the_days_before(week: Stored) -> None:
    rows = week.rows(contributors_of(scope()))
    found = {(row["dim"], row["value"]): row for row in rows}

    # 54 bad of 200 now, 2 % of them expected: an excess of 50, all of it on replica b and on long prompts.
    for key in (("replica", "b"), ("prompt_length", "8192"), ("endpoint", "contributors"), ("region", "eu")):
        assert (50.0, 1.0) == pytest.approx((found[key]["excess"], found[key]["share"]))
    b = found["replica", "b"]
    assert (100, 52, 7, 1) == (b["n"], b["bad"], b["days"], b["one_in"])
    assert (0.02, 0.52 / 0.27) == pytest.approx((b["ratio_ref"], b["lift"]))
    assert ("replica", "a") not in found
    assert rows == sorted(rows, key=lambda row: (-float(str(row["excess"])), str(row["dim"])))


def test_without_an_excess_nothing_is_named(week: Stored) -> None:
    assert [] == week.rows(contributors_of(scope(days_ago=1)))


def test_what_was_never_seen_before_is_compared_with_what_was(week: Stored) -> None:
    week.insert("n/contributors-new", events(0, "new", 100, 10, 10))
    found = {row["value"]: row for row in week.rows(contributors_of(scope())) if row["dim"] == "replica"}

    assert (None, 0) == (found["new"]["ratio_ref"], found["new"]["days"])
    assert 9.8 == pytest.approx(found["new"]["excess"])


def test_the_first_day_of_all_has_no_reference(stored: Stored) -> None:
    stored.insert(
        "n/contributors-first", [msgspec.structs.replace(one, endpoint="first") for one in events(0, "r", 5, 10, 5)]
    )
    rows = stored.rows(contributors_of(scope("first")))

    assert {(None, 5.0, 1.0, 1.0)} == {(row["ratio_ref"], row["excess"], row["share"], row["lift"]) for row in rows}


@pytest.fixture(scope="module")
def busy(stored: Stored) -> Stored:
    """Each second has five requests and, before, one bad one, so whichever are drawn say the same."""
    for day in range(8):
        rows = events(day, "r", 5, 300, 0)
        bad = {"outcome": Outcome.OOM, "eligible": Eligibility.BAD}
        rows = [
            msgspec.structs.replace(
                one,
                endpoint="busy",
                ended_at=FROM_MS - day * DAY_MS + at // 5 * 1_000,
                **(bad if at % 5 < (1 if day else 3) else {}),
            )
            for at, one in enumerate(rows)
        ]
        stored.insert(f"n/busy-{day}", rows)
    return stored


@pytest.mark.parametrize("length_ms", [WHOLE_MS_MAX + 1, DAY_MS])
def test_of_very_many_requests_before_some_seconds_are_looked_at_and_of_now_all(busy: Stored, length_ms: int) -> None:
    window = scope("busy", length_ms=length_ms)
    whole, usual = contributors_of(window), phases(window)
    part = replace(whole, parameters={**whole.parameters, "reference_rows": 7 * 300 // 4})
    (all_of_it, some) = ({row["dim"]: row for row in busy.rows(one)} for one in (whole, part))

    assert REFERENCE_ROWS_MAX == whole.parameters["reference_rows"]
    assert [1, 4] == [one["endpoint"]["one_in"] for one in (all_of_it, some)]
    assert {**all_of_it["replica"], "one_in": 4} == pytest.approx(some["replica"])
    assert (300, 180, 0.2, 120.0, 7) == tuple(
        some["replica"][name] for name in ("n", "bad", "ratio_ref", "excess", "days")
    )
    n = [
        int(str(row["n"]))
        for rows in (2_100, 525)
        for row in busy.rows(replace(usual, parameters={**usual.parameters, "reference_rows": rows}))
        if row["who"] == "usual"
    ]
    assert n[0] == 2_100
    assert 0.5 < n[1] / 525 < 1.5, "a quarter, give or take what sixty seconds of each day allow"
    assert f"LIMIT {CONTRIBUTORS_MAX}" in whole.sql
