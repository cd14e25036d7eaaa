"""Single requests: the slowest ones, and one by its id."""

from uuid import UUID

import pytest
from query_store import SINCE_MS, UNTIL_MS, Stored

from telemetry import schema
from telemetry.queries.asked import Asked, Dim, Metric, Pick, Source
from telemetry.queries.exemplars import SLOWEST_MAX, request, slowest
from telemetry.queries.question import Question

ASKED = Asked(since_ms=SINCE_MS, until_ms=UNTIL_MS, where={Dim.ENDPOINT: ("chat",)})


def of(source: Source) -> Pick:
    return Pick(source=source, exact=False, since_ms=SINCE_MS, until_ms=UNTIL_MS)


@pytest.mark.parametrize("metric", [Metric.TTFT, Metric.E2E, Metric.ICL_MAX])
def test_the_slowest_requests(stored: Stored, metric: Metric) -> None:
    known = [one for one in stored.records if one.endpoint == "chat" and getattr(one, f"{metric}_us") is not None]
    expected = sorted(known, key=lambda one: -int(getattr(one, f"{metric}_us")))[:5]
    rows = stored.rows(slowest(ASKED, of(Source.RAW), metric, 5))

    assert [getattr(one, f"{metric}_us") for one in expected] == [row["us"] for row in rows]
    assert (expected[0].record_id, expected[0].ended_at, str(expected[0].outcome), expected[0].replica, None, 1) == (
        *(rows[0][name] for name in ("record_id", "t_unix_ms", "outcome", "replica", "trace_id", "n")),
    )
    for source in (Source.R_1S, Source.R_1M, Source.R_1H):
        [worst] = stored.rows(slowest(ASKED, of(source), metric, 1))

        # spec/store.md 15, case 5: the exemplar is the slowest row, and its id opens it.
        assert (rows[0]["record_id"], rows[0]["us"]) == (worst["record_id"], worst["us"])
        assert (source.value, None) == (worst["table_used"], worst["outcome"])
        assert [rows[0]["record_id"]] == [row["record_id"] for row in stored.rows(request(expected[0].record_id))]


def test_a_request_has_all_its_columns(stored: Stored) -> None:
    one = stored.records[17]
    [row] = stored.rows(request(one.record_id))

    assert [column.name for column in schema.REQUESTS.columns] == list(row)
    assert (one.endpoint, one.elapsed_us, "n/queries", 18) == (
        row["endpoint"],
        row["elapsed_us"],
        row["collector"],
        row["seq"],
    )


def test_a_request_is_looked_for_in_its_days_only(stored: Stored) -> None:
    asked = request(stored.records[17].record_id)
    text = stored.rows(Question(sql="EXPLAIN indexes = 1 " + asked.sql, parameters=asked.parameters))
    plan = "\n".join(str(row["explain"]).strip() for row in text)

    assert "Partition\n" in plan
    assert "toDate(ended_at)" in plan
    assert [] == stored.rows(request(UUID(int=stored.records[17].record_id.int ^ 1)))
    with pytest.raises(ValueError, match="is no UUIDv7"):
        request(UUID(int=1))


def test_an_answer_of_exemplars_is_bounded() -> None:
    assert SLOWEST_MAX == slowest(ASKED, of(Source.RAW), Metric.TTFT, SLOWEST_MAX).parameters["limit"]
    for limit in (0, SLOWEST_MAX + 1):
        with pytest.raises(ValueError, match="requests; allowed are"):
            slowest(ASKED, of(Source.RAW), Metric.TTFT, limit)
    with pytest.raises(ValueError, match="no exemplars of tpot"):
        slowest(ASKED, of(Source.RAW), Metric.TPOT)
