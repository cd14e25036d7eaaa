"""Steps of now and of past weeks, against the rows themselves."""

from collections import defaultdict

import msgspec
import pytest
from query_store import SINCE_MS, Stored

from telemetry.outcome import Eligibility
from telemetry.queries.question import Question
from telemetry.queries.usual import STEP_S, WEEKS, queue_steps, request_steps
from telemetry.record import RequestRecord
from telemetry.samples import EngineSample

WEEK_S = 604_800
AT_S = SINCE_MS // 1000 - 10 * 86_400
"""Apart from the rows that all tests share."""


def test_requests_of_the_present_and_of_the_same_hour_of_past_weeks_are_told_in_steps(stored: Stored) -> None:
    own = [
        msgspec.structs.replace(
            one, endpoint="weekly", ended_at=(AT_S - week * WEEK_S - 6_000) * 1000 + at * 12_000, tok_by_s=()
        )
        for week in (0, 1, WEEKS, WEEKS + 1)
        for at, one in enumerate(stored.records[:700])
        if week or at * 12 < 6_000
    ]
    stored.insert("n/weekly", own)
    expected = defaultdict[tuple[int, int], list[RequestRecord]](list)
    for one in own:
        t, week = one.ended_at // 1000, (AT_S + 1_199 - one.ended_at // 1000) // WEEK_S
        first, last = (AT_S - 4_500, AT_S) if not week else (AT_S - week * WEEK_S - 2_400, AT_S - week * WEEK_S + 1_200)
        if week <= WEEKS and first <= t < last:
            expected[week, t // STEP_S * STEP_S].append(one)

    rows = [row for row in stored.rows(request_steps(AT_S)) if row["endpoint"] == "weekly"]

    assert expected.keys() == {(row["weeks_ago"], row["t_unix_s"]) for row in rows}
    assert {0: 15, 1: 12, WEEKS: 12} == {week: sum(key[0] == week for key in expected) for week in (0, 1, WEEKS)}
    for row in rows:
        members = expected[int(str(row["weeks_ago"])), int(str(row["t_unix_s"]))]
        judged = [one.eligible for one in members if one.eligible in {Eligibility.GOOD, Eligibility.BAD}]
        assert (len(members), len(judged)) == (row["n"], row["eligible"])
        assert judged.count(Eligibility.BAD) / len(judged) == row["error_ratio"]
        assert sum(one.tokens_out or 0 for one in members) / STEP_S == row["tokens_per_s"]
        waits = sorted(one.ttft_us for one in members if one.ttft_us is not None and one.outcome == "ok")
        assert len(waits) == row["n_ttft"]
        assert row["ttft_p95_s"] == pytest.approx(waits[-(-len(waits) * 95 // 100) - 1] / 1e6, rel=0.0443)


def test_the_queue_of_a_replica_is_a_mean_of_its_samples(stored: Stored) -> None:
    def scrape(back_s: int, replica: str, queued: int | None) -> EngineSample:
        ts = (AT_S - back_s) * 1000
        return EngineSample(ts=ts, endpoint="weekly", replica=replica, up=1, scrape_us=1, queued=queued)

    samples = [scrape(100, "a", 2), scrape(90, "b", 6), scrape(80, "b", None), scrape(400, "a", None)]
    stored.writer.insert_samples([*samples, scrape(WEEK_S, "a", 7)], "weekly-queue")

    rows = [row for row in stored.rows(queue_steps(AT_S)) if row["endpoint"] == "weekly"]

    assert [(0, AT_S - 300, 4.0), (1, AT_S - WEEK_S, 7.0)] == [
        (row["weeks_ago"], row["t_unix_s"], row["queued"]) for row in rows
    ]


@pytest.mark.parametrize("asked", [request_steps(AT_S), queue_steps(AT_S)])
def test_the_days_between_are_not_read(stored: Stored, asked: Question) -> None:
    text = stored.rows(Question(sql="EXPLAIN indexes = 1 " + asked.sql, parameters=asked.parameters))
    [ranges] = [str(row["explain"]) for row in text if "Condition: or(and((toMonday(t) in" in str(row["explain"])]

    assert WEEKS + 1 == ranges.count("toMonday(t) in [")
