"""Excess bad events, by hand: one replica fails on long prompts, and everything fails a little all week."""

from random import Random

import msgspec
import pytest
from query_store import SINCE_MS, Stored, record

from telemetry.outcome import Eligibility, Outcome
from telemetry.queries.asked import Asked, Dim
from telemetry.queries.excess import CONTRIBUTORS_MAX, contributors
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


def asked(**changed: object) -> Asked:
    where = {Dim.ENDPOINT: ("contributors",)}
    return Asked(since_ms=FROM_MS, until_ms=FROM_MS + HOUR_MS, where=where, **changed)  # type: ignore[arg-type]  # by name


def test_excess_is_counted_against_the_same_hour_of_the_days_before(week: Stored) -> None:
    rows = week.rows(contributors(asked()))
    found = {(row["dim"], row["value"]): row for row in rows}

    # 54 bad of 200 now, 2 % of them expected: an excess of 50, all of it on replica b and on long prompts.
    for key in (("replica", "b"), ("prompt_length", "8192"), ("endpoint", "contributors"), ("region", "eu")):
        assert (50.0, 1.0) == pytest.approx((found[key]["excess"], found[key]["share"]))
    b = found["replica", "b"]
    assert (100, 52, 7, "requests") == (b["n"], b["bad"], b["days"], b["table_used"])
    assert (0.02, 0.52 / 0.27) == pytest.approx((b["ratio_ref"], b["lift"]))
    assert ("replica", "a") not in found
    assert rows == sorted(rows, key=lambda row: (-float(str(row["excess"])), str(row["dim"])))


def test_without_an_excess_nothing_is_named(week: Stored) -> None:
    before = Asked(
        since_ms=FROM_MS - DAY_MS, until_ms=FROM_MS - DAY_MS + HOUR_MS, where={Dim.ENDPOINT: ("contributors",)}
    )

    assert [] == week.rows(contributors(before))


def test_what_was_never_seen_before_is_compared_with_what_was(week: Stored) -> None:
    week.insert("n/contributors-new", events(0, "new", 100, 10, 10))
    found = {row["value"]: row for row in week.rows(contributors(asked())) if row["dim"] == "replica"}

    assert (None, 0) == (found["new"]["ratio_ref"], found["new"]["days"])
    assert 9.8 == pytest.approx(found["new"]["excess"])


def test_the_first_day_of_all_has_no_reference(stored: Stored) -> None:
    stored.insert(
        "n/contributors-first", [msgspec.structs.replace(one, endpoint="first") for one in events(0, "r", 5, 10, 5)]
    )
    rows = stored.rows(
        contributors(Asked(since_ms=FROM_MS, until_ms=FROM_MS + HOUR_MS, where={Dim.ENDPOINT: ("first",)}))
    )

    assert {(None, 5.0, 1.0, 1.0)} == {(row["ratio_ref"], row["excess"], row["share"], row["lift"]) for row in rows}


def test_a_window_is_no_reference_of_its_own() -> None:
    whole = Asked(since_ms=0, until_ms=DAY_MS)

    assert DAY_MS == contributors(whole).parameters["span_ms"]
    with pytest.raises(ValueError, match="a day at most"):
        contributors(Asked(since_ms=0, until_ms=DAY_MS + 1))
    assert f"LIMIT {CONTRIBUTORS_MAX}" in contributors(whole).sql
