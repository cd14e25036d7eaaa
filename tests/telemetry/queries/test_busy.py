"""Requests of busy minutes, over stored requests and the roll-up that they go into."""

from collections.abc import Sequence
from random import Random
from typing import Any
from uuid import UUID

import msgspec
from query_store import SINCE_MS, Stored, record

from telemetry.outcome import Eligibility, Outcome
from telemetry.queries.asked import Dim
from telemetry.queries.busy import busy_counts
from telemetry.queries.counted import FALSE, TRUE, Clause, Counted
from telemetry.record import RequestRecord

HOUR_MS = 3_600_000
NOW_MS = SINCE_MS - 20 * HOUR_MS
"""A whole hour, away from the requests of the other tests."""


def objective(endpoint: str, *group_by: Dim) -> Counted:
    only = Clause(sql=f"if(toString(endpoint) = $0, {TRUE}, {FALSE})", values=(endpoint,))
    return Counted(name=endpoint, only=only, group_by=group_by)


def minutes(endpoint: str, loads: Sequence[tuple[int, int, int]], model: str = "m") -> list[RequestRecord]:
    """Return requests of minutes: minutes after the hour, how many, how many of them bad."""
    like = record(0, Random(1))  # noqa: S311 -- seeded
    return [
        msgspec.structs.replace(
            like,
            ended_at=NOW_MS + minute * 60_000 + 100 + n,
            endpoint=endpoint,
            model=model,
            region="eu",
            outcome=Outcome.SERVER_ERROR if n < bad else Outcome.OK,
            eligible=Eligibility.BAD if n < bad else Eligibility.GOOD,
            record_id=UUID(int=(minute % 100_000) * 1_000 + n + 1),
        )
        for minute, load, bad in loads
        for n in range(load)
    ]


def asked(stored: Stored, one: Counted, since_s: int, until_s: int) -> list[dict[str, Any]]:
    question = busy_counts(one, NOW_MS + since_s * 1000, NOW_MS + until_s * 1000)
    return [] if question is None else stored.rows(question)


def told(rows: Sequence[dict[str, Any]]) -> list[tuple[int, int, object]]:
    return [(int(row["t_unix_s"]) - NOW_MS // 1000, int(row["good"]), row["bad"]) for row in rows]


def test_only_minutes_as_busy_as_the_busiest_tenth_of_the_past_count(stored: Stored) -> None:
    # Ten minutes of the past had 1 to 10 requests: nine tenths of them had no more than 9.
    past = [(minute - 60, load, 0) for minute, load in enumerate(range(1, 11))]
    now = [(0, 9, 2), (1, 8, 5), (2, 10, 0), (3, 1, 1)]
    stored.insert("busy", minutes("busy", [*past, *now]))
    one = objective("busy")
    whole = asked(stored, one, 0, 240)

    assert told(whole) == [(30, 7, {"server_error": 2}), (150, 10, {})]
    assert [row for t in range(0, 240, 30) for row in asked(stored, one, t, t + 30)] == whole, "as it is counted live"


def test_a_minute_is_compared_with_the_week_before_its_own_hour(stored: Stored) -> None:
    week = 7 * 24 * 60
    loads = [
        *((-week - 30 + n, 20, 0) for n in range(5)),  # too old at the hour
        *((-60 + n, 3, 0) for n in range(5)),
        (10, 4, 0),  # busy: 3 are enough
        *((20 + n, 9, 0) for n in range(8)),  # busy too, and what the next hour is compared with
        (70, 4, 0),  # no longer busy
        (71, 9, 1),
    ]
    stored.insert("weeks", minutes("weeks", loads))
    rows = told(asked(stored, objective("weeks"), 0, 7_200))

    assert [t for t, _, _ in rows] == [600 + 30, *(1_200 + 60 * n + 30 for n in range(8)), 71 * 60 + 30]
    assert rows[-1][1:] == (8, {"server_error": 1})


def test_a_week_goes_on_with_the_hours(stored: Stored) -> None:
    old = [(-7 * 24 * 60 + 30 + n, 20, 0) for n in range(5)]
    stored.insert("going", minutes("going", [*old, *((-60 + n, 3, 0) for n in range(5)), (10, 9, 0), (71, 9, 0)]))

    assert told(asked(stored, objective("going"), 0, 7_200)) == [(71 * 60 + 30, 9, {})], "by then 20 are long ago"


def test_models_have_minutes_of_their_own_and_groups_stay_apart(stored: Stored) -> None:
    small = minutes("models", [(-60, 2, 0), (0, 2, 0)], "small")
    large = minutes("models", [(-60, 9, 0), (0, 5, 0)], "large")
    every = [msgspec.structs.replace(one, record_id=UUID(int=n + 1)) for n, one in enumerate([*small, *large])]
    stored.insert("models", every)
    rows = asked(stored, objective("models", Dim.MODEL, Dim.REGION), 0, 60)

    assert [(row["group_key"], row["good"]) for row in rows] == [('{"model":"small","region":"eu"}', 2)]


def test_without_a_past_no_minute_is_busy(stored: Stored) -> None:
    stored.insert("fresh", minutes("fresh", [(0, 50, 50)]))

    assert asked(stored, objective("fresh"), 0, 120) == []


def test_within_a_minute_nothing_is_asked() -> None:
    one = objective("x")

    assert [busy_counts(one, NOW_MS + t, NOW_MS + t + 30_000) is None for t in (0, 30_000)] == [True, False]
