"""Bad requests of one objective, by hand: what is late is bad, whatever its outcome says."""

from dataclasses import replace
from random import Random
from uuid import UUID

import msgspec
import pytest
from query_store import SINCE_MS, Stored, record

from telemetry.outcome import Eligibility, Outcome, Phase
from telemetry.queries import bad_events
from telemetry.queries.asked import Dim
from telemetry.queries.bad_events import DAY_MS, ENDINGS_MAX, EXEMPLARS_EACH, PHASES, REFERENCE_DAYS, Scope
from telemetry.queries.bounds import Figure
from telemetry.queries.counted import Clause, Counted
from telemetry.queries.excess import contributors_of
from telemetry.record import RequestRecord

MINUTE_MS = 60_000
FROM_MS = SINCE_MS - 10 * MINUTE_MS
"""Minutes that no other test fills."""
IN_A_SECOND = Counted(
    name="late",
    only=Clause(sql="if(toString(endpoint) = $0, 2, 0)", values=("bad-events",)),
    good=Clause(sql="multiIf(isNull(ttft_s_hi), 0, ttft_s_hi <= $0, 2, 0)", values=(1.0,)),
    figures=(Figure.TTFT_S,),
    needed=(Figure.TTFT_S,),
)


def scope(**group: str) -> Scope:
    of = {Dim(name): value for name, value in group.items()}
    return Scope(objective=IN_A_SECOND, since_ms=FROM_MS, until_ms=FROM_MS + MINUTE_MS, group=of)


def answered(n: int, first_us: int, replica: str, days_ago: int = 0, /, **changed: object) -> list[RequestRecord]:
    random = Random(n)  # noqa: S311 -- seeded
    plain = {
        "endpoint": "bad-events", "model": "m", "region": "eu", "replica": replica, "tokens_in": 100,
        "outcome": Outcome.OK, "phase": Phase.DONE, "eligible": Eligibility.GOOD, "in_stream": 0, "http_status": 200,
        "ttft_us": first_us, "elapsed_us": first_us + 500_000, "srv_queue_us": first_us // 2, "srv_prefill_us": None,
    }  # fmt: skip
    return [
        msgspec.structs.replace(
            record(0, random), **plain | {"ended_at": FROM_MS - days_ago * DAY_MS + 10 * at} | changed
        )
        for at in range(n)
    ]


@pytest.fixture(scope="module")
def minute(stored: Stored) -> Stored:
    failed = {"outcome": Outcome.OVERLOADED, "phase": Phase.QUEUED, "eligible": Eligibility.BAD, "http_status": 503}
    rows = [
        *answered(90, 400_000, "a", tenant="one"),
        *answered(6, 3_000_000, "b", tenant="two", trace_id=b"\1" * 16),
        *answered(3, 3_000_000, "b", ttft_us=None, elapsed_us=9_000_000, **failed),
        *answered(1, 0, "b", outcome=Outcome.AUTH, eligible=Eligibility.EXCLUDED, ttft_us=None),
    ]
    for day in range(1, REFERENCE_DAYS + 1):
        rows += answered(20, 200_000, "a", day)
    rows += answered(50, 9_000_000, "b", 1, ended_at=FROM_MS - DAY_MS - MINUTE_MS)  # another time of day
    stored.insert("n/bad-events", [msgspec.structs.replace(one, record_id=UUID(int=at)) for at, one in enumerate(rows)])
    return stored


def test_what_is_bad_is_what_the_objective_calls_bad(minute: Stored) -> None:
    (found,) = minute.rows(bad_events.impact(scope()))

    assert {"n": 99, "bad": 9, "bad_http": 3, "tenants": 2, "tenants_hit": 1} == found
    assert [("ok", "done", 0, 6), ("overloaded", "queued", 0, 3)] == [
        (one["outcome"], one["phase"], one["in_stream"], one["n"]) for one in minute.rows(bad_events.endings(scope()))
    ]
    (nothing,) = minute.rows(bad_events.impact(scope(replica="c", model="m")))
    assert {0} == set(nothing.values())
    assert [] == minute.rows(bad_events.endings(scope(replica="a")))
    assert f"LIMIT {ENDINGS_MAX}" in bad_events.endings(scope()).sql


def test_the_time_of_bad_requests_stands_beside_what_is_usual(minute: Stored) -> None:
    bad, usual = minute.rows(bad_events.phases(scope()))

    assert ("bad", 9, "usual", 20 * REFERENCE_DAYS) == (bad["who"], bad["n"], usual["who"], usual["n"])
    assert (3_000_000, 1_500_000, 500_000, 9_000_000) == tuple(
        bad[f"{name}_us"] for name in ("first_output", "queue", "decode", "no_output")
    )
    assert (200_000, 100_000, None, None) == tuple(
        usual[f"{name}_us"] for name in ("first_output", "queue", "prefill", "no_output")
    )
    assert {f"{name}_us" for name in PHASES} | {"who", "n"} == set(bad)


def test_three_kinds_of_exemplars(minute: Stored) -> None:
    rows = minute.rows(bad_events.exemplars(scope()))
    worst, typical, newest = (next(one for one in rows if one[kind] == 1) for kind in ("worst", "typical", "newest"))

    assert ("overloaded", 9_000_000, None) == (worst["outcome"], worst["elapsed_us"], worst["trace_id"])
    assert ("ok", 3_500_000, "01" * 16, "b") == tuple(
        typical[name] for name in ("outcome", "elapsed_us", "trace_id", "replica")
    )
    assert max(int(str(one["t_unix_ms"])) for one in rows) == newest["t_unix_ms"]
    assert 3 * EXEMPLARS_EACH >= len(rows) >= EXEMPLARS_EACH


def test_the_excess_of_an_objective_is_found_by_its_own_notion_of_bad(minute: Stored) -> None:
    found = {(one["dim"], one["value"]): one for one in minute.rows(contributors_of(scope()))}
    b = found["replica", "b"]

    assert (9, 9, None, 9.0, 1.0) == (b["n"], b["bad"], b["ratio_ref"], b["excess"], b["share"])
    assert 7 == found["endpoint", "bad-events"]["days"]
    assert 11.0 == pytest.approx(b["lift"])
    assert ("replica", "a") not in found


@pytest.mark.parametrize("length_ms", [0, -1, DAY_MS + 1])
def test_a_window_is_no_reference_of_its_own(length_ms: int) -> None:
    with pytest.raises(ValueError, match="a window lasts a day at most, and not nothing"):
        Scope(objective=IN_A_SECOND, since_ms=DAY_MS, until_ms=DAY_MS + length_ms)


def test_only_the_same_hours_of_other_days_are_read() -> None:
    week, now = bad_events.phases(scope()).sql, bad_events.endings(scope()).sql

    assert REFERENCE_DAYS + 1 == week.count("ended_at >=")
    assert 1 == now.count("ended_at >=")


def test_of_a_long_window_two_days_are_counted_and_then_what_is_before_is_looked_at() -> None:
    of_ms = (bad_events.WHOLE_MS_MAX, bad_events.WHOLE_MS_MAX + 1, DAY_MS)
    short, long, day = (bad_events.phases(replace(scope(), until_ms=FROM_MS + length_ms)) for length_ms in of_ms)

    assert [REFERENCE_DAYS + 1, REFERENCE_DAYS + 3, 2 + 2] == [
        one.sql.count("ended_at >=") for one in (short, long, day)
    ]
    assert [False, True, True] == ["reference_rows" in one.parameters for one in (short, long, day)]
