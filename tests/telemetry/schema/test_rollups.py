"""The roll-ups on the real engine: what an insert into `requests` leaves in each of them."""

from itertools import pairwise
from uuid import UUID

from telemetry import histogram
from telemetry.clock import wall_ms
from telemetry.outcome import Eligibility, Outcome, Phase
from telemetry.queries import Question
from telemetry.record import RequestBatch, RequestRecord
from telemetry.schema import parts, rollups
from telemetry.store import Store

DAY_MS = 86_400_000
MIDNIGHT_MS = wall_ms() // DAY_MS * DAY_MS
ROLLUPS = ("r_1s", "r_1m", "r_1h")
SUMS = """\
SELECT
    sum(n), sum(good), sum(bad), sum(excluded), sum(censored), sum(in_stream), sum(tokens_in), sum(tokens_out),
    sum(tokens_failed), sum(n_tok_null), sum(n_ttft_null), sum(n_tpot_null), sum(stall_n), sum(tokens_by_event),
    sum(ttft_us_sum), sum(ttft_n), sum(e2e_us_sum), sum(e2e_n), sumMap(outcomes), sumMap(ttft_h), sumMap(ttft_nok_h),
    sumMap(abandon_h), sumMap(itl_h), max(ttft_worst), max(e2e_worst), max(stall_worst)
FROM {table:Identifier}
WHERE endpoint = {endpoint:String}"""


def record(endpoint: str, number: int, **changes: object) -> RequestRecord:
    values: dict[str, object] = {
        "ended_at": MIDNIGHT_MS - number,
        "elapsed_us": 5_000_000,
        "endpoint": endpoint,
        "model": "m",
        "record_id": UUID(int=number + 1),
        "outcome": Outcome.OK,
        "phase": Phase.DONE,
        "eligible": Eligibility.GOOD,
        "e2e_us": 5_000_000,
        "ttft_us": 1_000_000,
        "tpot_us": 100_000,
        "icl_max_us": 200_000,
        "itl_h": {-54: 34},
        "n_out_events": 35,
        "stall_n": 1,
        "tok_by_s": [10, 10, 10, 5],
        "tokens_in": 100,
        "tokens_out": 35,
    }
    return RequestRecord(**{**values, **changes})  # type: ignore[arg-type] # a case names any field


def batch(records: list[RequestRecord]) -> RequestBatch:
    return RequestBatch(collector="n/00000000", seqs=tuple(range(len(records))), records=tuple(records))


def sums(reader: Store, table: str, endpoint: str) -> list[object]:
    (row,) = reader.query(Question(sql=SUMS, parameters={"table": table, "endpoint": endpoint}))
    return list(row.values())


def test_the_bucket_of_a_duration_is_the_one_that_the_histogram_has(reader: Store) -> None:
    edges = sorted({histogram.upper_us(i) + step for i in range(-319, 194) for step in (0, 1)} | {0})
    of_edge = Question(
        sql=f"SELECT arrayMap(us -> {rollups.index_sql('us')}, {{edges:Array(UInt64)}}) AS found",
        parameters={"edges": edges},
    )
    at_random = Question(
        sql="SELECT bitShiftRight(intHash32(number), number % 32) AS us, INDEX AS found FROM numbers(100000)".replace(
            "INDEX", rollups.index_sql("us")
        )
    )

    assert [histogram.index(us) for us in edges] == reader.query(of_edge)[0]["found"]
    rows = reader.query(at_random)
    assert [(row["us"], histogram.index(int(str(row["us"])))) for row in rows] == [
        (row["us"], row["found"]) for row in rows
    ]


def test_a_batch_that_is_sent_again_changes_no_rollup_and_a_new_token_doubles_them(
    writer: Store, reader: Store
) -> None:
    sent = batch(
        [
            record(
                "again",
                number,
                outcome=Outcome.OK if number % 10 else Outcome.STREAM_ERROR,
                eligible=Eligibility.GOOD if number % 10 else Eligibility.BAD,
                in_stream=int(not number % 10),
                e2e_us=1_000 + number,
            )
            for number in range(10_000)
        ]
    )

    writer.insert_requests(sent, "again-1")
    once = {table: sums(reader, table, "again") for table in ROLLUPS}
    writer.insert_requests(sent, "again-1")
    resent = {table: sums(reader, table, "again") for table in ROLLUPS}
    writer.insert_requests(sent, "again-2")
    twice = {table: sums(reader, table, "again") for table in ROLLUPS}

    assert once["r_1s"] == once["r_1m"] == once["r_1h"]
    assert once["r_1s"][:8] == [10_000, 9_000, 1_000, 0, 0, 1_000, 1_000_000, 350_000]
    assert once["r_1s"][8:16] == [35_000, 0, 0, 0, 10_000, 350_000, 9_000 * 1_000_000, 9_000]
    assert once["r_1s"][18:23] == [
        {"ok": 9_000, "stream_error": 1_000},
        {histogram.index(1_000_000): 9_000},
        {histogram.index(1_000_000): 1_000},
        {},
        {-54: 9_000 * 34},
    ]
    assert resent == once
    for table in ROLLUPS:
        assert twice[table][:18] == [2 * int(str(value)) for value in once[table][:18]]
        assert twice[table][23:] == once[table][23:]


def test_a_row_past_its_retention_is_in_the_hours_alone(writer: Store, reader: Store) -> None:
    writer.insert_requests(batch([record("old", 0, ended_at=MIDNIGHT_MS - 15 * DAY_MS, tok_by_s=[])]), "old")
    stored = Question(sql="SELECT count() AS n FROM requests WHERE endpoint = 'old'")

    assert reader.query(stored) == [{"n": 0}]
    assert [0, 1, 1] == [sums(reader, table, "old")[0] for table in ROLLUPS]


def test_tokens_are_credited_to_the_second_they_came_in(writer: Store, reader: Store) -> None:
    whole: dict[str, object] = {"tok_by_s": [], "ttft_us": None, "tokens_out": 7}
    writer.insert_requests(batch([record("bins", 0), record("bins", 0, **whole)]), "bins")
    by_second = Question(
        sql="SELECT toUnixTimestamp(t) AS t, sum(tokens_by_event) AS n FROM r_1s WHERE endpoint = 'bins' "
        "GROUP BY t ORDER BY t"
    )
    first_stored = Question(sql="SELECT min(ingested_at_min) > now() - 3600 AS sound FROM r_1h")

    found = reader.query(by_second)

    midnight = MIDNIGHT_MS // 1000
    assert [(int(str(row["t"])) - midnight, row["n"]) for row in found] == [
        (-4, 10),
        (-3, 10),
        (-2, 10),
        (-1, 5),
        (0, 7),
    ]
    assert [{"sound": 1}] == reader.query(first_stored)


def test_an_exemplar_is_the_record_with_the_largest_value(writer: Store, reader: Store) -> None:
    records = [record("worst", number, e2e_us=us) for number, us in enumerate((7, 2**40, 9))]
    writer.insert_requests(batch([*records, record("worst", 3, e2e_us=None, icl_max_us=None)]), "worst")

    for table in ROLLUPS:
        assert sums(reader, table, "worst")[24] == (2**40, UUID(int=2))


def test_what_no_histogram_of_the_successful_holds_is_kept_beside_them(writer: Store, reader: Store) -> None:
    left = {"outcome": Outcome.CLIENT_CANCELLED, "eligible": Eligibility.CENSORED, "elapsed_us": 2**40}
    without: dict[str, object] = {
        "ttft_us": None,
        "tok_by_s": [],
        "tokens_out": None,
        "icl_max_us": None,
        "tpot_us": None,
    }
    records = [
        record("beside", 0, **left, **without, n_out_events=0),
        record("beside", 1, **left, ttft_us=500_000),
        record("beside", 2, **without),
    ]
    writer.insert_requests(batch(records), "beside")

    found = sums(reader, "r_1h", "beside")

    assert found[:5] == [3, 1, 0, 0, 2]
    assert found[8:14] == [35, 1, 1, 1, 3, 35]
    assert found[19:22] == [{}, {-17: 1}, {193: 1}]


def test_no_value_makes_a_view_fail(writer: Store, reader: Store) -> None:
    most, year_2299_ms = 2**64 - 1, 10_413_791_999_000
    largest: dict[str, object] = {
        "elapsed_us": most,
        "e2e_us": most,
        "tok_by_s": [2**32 - 1] * 7_200,
        "ttft_us": 2**32 - 1,
    }
    records = [
        record("any", 0, **largest),
        record("any", 1, **largest, ended_at=0),
        record("any", 2, **largest, ended_at=year_2299_ms),
        record("any", 3, elapsed_us=0, e2e_us=0, ttft_us=0, tpot_us=0, icl_max_us=0, tok_by_s=[0], itl_h={-32768: 1}),
        record("any", 4, tokens_in=None, tokens_out=None, tok_by_s=[5], outcome=Outcome.UNOBSERVED),
    ]

    writer.insert_requests(batch(records), "any")

    # The one of 1970 is older than any table keeps.
    assert [{"n": 4}] == reader.query(Question(sql="SELECT count() AS n FROM requests WHERE endpoint = 'any'"))
    assert 4 == sums(reader, "r_1h", "any")[0]


def test_no_view_uses_what_can_fail() -> None:
    risky = ("throwIf", "intDiv(", "OrThrow", "FixedString", "/ s.")

    assert [(view.name, word) for view in rollups.ROLLUP_VIEWS for word in risky if word in view.select] == []


def test_the_last_link_of_the_chain_is_made_first() -> None:
    order = [(view.source, view.target) for view in rollups.ROLLUP_VIEWS]

    assert order == [("r_1m", "r_1h"), ("r_1s", "r_1m"), ("requests", "r_1s"), ("requests", "r_1s")]
    assert {table.engine for table in rollups.ROLLUP_TABLES} == {parts.Engine.AGGREGATING}


def test_the_rollups_differ_in_their_time_only() -> None:
    for finer, coarser in pairwise(rollups.ROLLUP_TABLES):
        assert [c for c in finer.columns if c.name != "t"] == [c for c in coarser.columns if c.name != "t"]
        assert finer.order_by == coarser.order_by == "(endpoint, model, region, workload_class, variant, traffic, t)"
