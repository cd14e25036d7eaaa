"""A request that the tee saw and the engine told of is one request to every question that does not ask for more."""

from random import Random

import msgspec
import pytest
from query_store import UNTIL_MS, Stored, record

from telemetry import queries
from telemetry.ids import uuid7
from telemetry.outcome import Outcome, TtftSource
from telemetry.queries.asked import Asked, Metric, Pick, Source
from telemetry.queries.bounds import Figure
from telemetry.queries.counted import Clause, Counted, counts
from telemetry.record import RequestRecord

SINCE_MS = UNTIL_MS + 600_000
"""After what the other tests look at, in a minute of its own."""
END_MS = SINCE_MS + 60_000
ENDPOINT = "seen twice"


@pytest.fixture(scope="module")
def seen_twice(stored: Stored) -> Stored:
    random = Random(3)  # noqa: S311 -- seeded
    tee = next(one for one in (record(at, random) for at in range(100)) if one.outcome is Outcome.OK)
    stored.insert("n/twice", [told(tee, "user", "tee", 1), told(tee, "engine", "engine_log", 2)])
    return stored


def told(one: RequestRecord, traffic: str, point: str, number: int) -> RequestRecord:
    source = TtftSource.TEE if point == "tee" else TtftSource.ENGINE_SCHEDULED
    return msgspec.structs.replace(
        one,
        ended_at=SINCE_MS,
        record_id=uuid7(SINCE_MS, number),
        endpoint=ENDPOINT,
        traffic=traffic,
        point=point,
        ttft_source=source,
    )


@pytest.mark.parametrize("source", [Source.RAW, Source.R_1S, Source.R_1M])
@pytest.mark.parametrize("traffic", ["user", "engine"])
def test_a_question_about_one_kind_of_traffic_sees_it_once(seen_twice: Stored, source: Source, traffic: str) -> None:
    asked = Asked(since_ms=SINCE_MS, until_ms=END_MS, traffic=traffic)
    pick = Pick(source=source, exact=source is Source.RAW, since_ms=SINCE_MS, until_ms=END_MS)
    [outcomes] = seen_twice.rows(queries.outcome_shares(asked, pick))
    [ttft] = seen_twice.rows(queries.percentiles(asked, pick, Metric.TTFT))
    [tokens] = seen_twice.rows(queries.throughput(asked, pick))
    slowest = seen_twice.rows(queries.slowest(asked, pick, Metric.E2E))

    assert (outcomes["n"], ttft["n"], tokens["n"]) == (1, 1, 1)
    assert [row["traffic"] for row in slowest] == [traffic]


def test_reports_count_what_users_sent(seen_twice: Stored) -> None:
    [exact] = [row for row in seen_twice.rows(queries.report(SINCE_MS, END_MS)) if not row["is_global"]]
    [rolled] = seen_twice.rows(queries.row_count(SINCE_MS, END_MS))

    assert (exact["n"], exact["ttft_sources"], rolled["n"]) == (1, {"tee": 1}, 1)


@pytest.mark.parametrize("traffic", ["user", "engine"])
def test_an_objective_counts_one_kind_of_traffic(seen_twice: Stored, traffic: str) -> None:
    good = Clause(sql="if(ttft_s_hi <= $0, 2, 0)", values=(1e-6,))
    asked = [Counted(name="all", traffic=traffic, good=good, figures=(Figure.TTFT_S,), needed=(Figure.TTFT_S,))]
    rows = seen_twice.rows(counts(asked, SINCE_MS, END_MS))

    assert [(row["eligible"], row["good"], row["bad"]) for row in rows] == [(1, 0, {"ok": 1})]
