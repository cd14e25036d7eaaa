import gc
import threading
from pathlib import Path
from typing import cast
from uuid import UUID

import msgspec
import pytest
from clickhouse_connect.driver import httputil

from telemetry import queries, schema, store
from telemetry.clock import wall_ms
from telemetry.errors import (
    StoreAmbiguousError,
    StoreBusyError,
    StoreDeniedError,
    StoreDriftError,
    StoreError,
    StorePoisonError,
    StoreUnreachableError,
)
from telemetry.outcome import Eligibility, Outcome, Phase, TokSource
from telemetry.record import RequestBatch, RequestRecord
from telemetry.store import Store
from telemetry.testing.endpoint import Endpoint
from telemetry.testing.steps import AwaitToken, HalfClose, Reset, Send
from telemetry.testing.store_process import StoreProcess
from telemetry.testing.wire import Step

NOW_MS = wall_ms() // 60_000 * 60_000 - 600_000


def record(number: int = 0, **changes: object) -> RequestRecord:
    fixed = RequestRecord(
        ended_at=NOW_MS + number,
        elapsed_us=5_000_000,
        endpoint="e",
        model="m",
        record_id=UUID(int=number + 1),
        outcome=Outcome.OK,
        phase=Phase.DONE,
        eligible=Eligibility.GOOD,
        ttft_us=1_000_000,
        tokens_out=35,
        tok_by_s=(10, 10, 10, 5),
        tok_source=TokSource.USAGE,
    )
    return msgspec.structs.replace(fixed, **changes)


def batch(collector: str, *records: RequestRecord, first: int = 1) -> RequestBatch:
    return RequestBatch(collector=collector, seqs=tuple(range(first, first + len(records))), records=records)


_FROM_COLLECTOR = " FROM inferometer.requests WHERE collector = {c:String} ORDER BY seq"
NOBODYS = "x"


def stored(reader: Store, collector: str, columns: str) -> list[dict[str, object]]:
    sql = "SELECT " + columns + _FROM_COLLECTOR
    return reader.query(queries.Question(sql=sql, parameters={"c": collector}))


def test_every_column_comes_back_as_it_was_written(writer: Store, reader: Store) -> None:
    extremes = msgspec.structs.replace(
        record(1, itl_h={-319: 1, 193: 4_294_967_295}, trace_id=bytes(range(16)), flow_id=2**64 - 1, tok_by_s=()),
        **{column.name: 4_294_967_295 for column in schema.REQUESTS.columns if column.type == "Nullable(UInt32)"},
    )
    unknown = RequestRecord(
        ended_at=NOW_MS, elapsed_us=0, endpoint="'ä", model="\\", record_id=UUID(int=2**128 - 1),
        outcome=Outcome.UNOBSERVED, phase=Phase.QUEUED, eligible=Eligibility.EXCLUDED,
    )  # fmt: skip
    records = (extremes, unknown, record(2))
    writer.insert_requests(batch("n/all", *records), "all")

    names = [column.name for column in schema.REQUESTS.insert_columns if column.name not in {"collector", "seq"}]
    columns = ", ".join(["toUnixTimestamp64Milli(ended_at) AS ended_at", *names[1:]]).replace("ended_at, ended_at", "")

    for expected, row in zip(records, stored(reader, "n/all", columns), strict=True):
        assert [_plain(getattr(expected, name)) for name in names] == [_plain(row[name]) for name in names]


def _plain(value: object) -> object:
    if isinstance(value, tuple):
        return list(cast("tuple[object, ...]", value))
    return str(value) if isinstance(value, UUID | str) else value


def test_a_resend_with_the_same_token_changes_nothing(writer: Store, reader: Store) -> None:
    sent = batch("n/twice", *map(record, range(500)))
    for _ in range(3):
        writer.insert_requests(sent, "twice")

    assert writer.count_requests(sent) == 500
    writer.insert_requests(sent, "twice, another token")
    assert writer.count_requests(sent) == 1000
    [counts] = reader.query(queries.duplicates())
    assert counts["n"] == 500 + int(str(counts["n_seq"]))


def test_asking_counts_the_rows_of_that_batch_only(writer: Store) -> None:
    sent = batch("n/ask", *map(record, range(10)), first=100)
    writer.insert_requests(sent, "ask")
    every_second = RequestBatch(collector="n/ask", seqs=sent.seqs[::2], records=sent.records[::2])

    assert writer.count_requests(every_second) == 5
    assert writer.count_requests(batch("n/other", *sent.records, first=100)) == 0
    assert writer.count_requests(batch("n/ask", *sent.records, first=1000)) == 0


def test_inserts_are_counted_from_that_of_a_batch_on(writer: Store) -> None:
    for n in range(3):
        writer.insert_requests(batch("n/since", record(n), record(n), first=10 * n), f"since {n}")
        writer.insert_requests(batch("n/since", record(n), record(n), first=10 * n), f"since {n}")

    counted = [writer.inserts_since(batch("n/since", record(n), record(n), first=10 * n)) for n in range(3)]
    assert counted == [3, 2, 1]
    assert writer.inserts_since(batch("n/since", record(0), first=999)) == 0


def test_asking_in_many_runs_takes_several_questions(writer: Store) -> None:
    n_runs = queries.RUNS_MAX + 1
    records = tuple(map(record, range(n_runs)))
    sparse = RequestBatch(collector="n/runs", seqs=tuple(range(0, 2 * n_runs, 2)), records=records)
    writer.insert_requests(sparse, "runs")

    assert writer.count_requests(sparse) == n_runs


def test_a_report_over_stored_rows(writer: Store, reader: Store) -> None:
    good = [record(at, model="report", ttft_us=(at + 1) * 1000, endpoint="r") for at in range(100)]
    bad = record(100, model="report", endpoint="r", outcome=Outcome.ENGINE_DEAD, eligible=Eligibility.BAD, in_stream=1)
    late = record(40_000, model="report", endpoint="r", traffic="loadtest")
    writer.insert_requests(batch("n/report", *good, bad, late), "report")

    rows = reader.query(queries.report(NOW_MS - 60_000, NOW_MS + 60_000))
    [row] = [row for row in rows if row["model"] == "report"]

    assert [100, 101, 101] == [row["n_ok"], row["n"], row["n_eligible"]]
    # Nearest rank over 1..100 ms: 50, 95, 99; with one failure of 101 the ranks move to 51, 96, 100.
    assert [50_000, 95_000, 99_000] == row["ttft_us"]
    assert [51_000.0, 96_000.0, 100_000.0] == row["ttft_all_us"]
    assert (100, 101, 100_000) == (row["ttft_n"], row["ttft_all_n"], row["ttft_us_max"])
    assert {"ok": 100, "engine_dead": 1} == row["outcomes"]
    assert {"tee": 101} == row["ttft_sources"]
    assert (1, 100, 0) == (row["n_in_stream"], row["n_tpot_null"], row["n_tok_null"])
    assert 101 * 35 == row["tokens_out"] == row["tokens_in_window"]
    assert rows[-1]["endpoint"] == ""
    assert rows[-1]["n"] == sum(int(str(row["n"])) for row in rows[:-1])


NEAREST_RANK = """\
SELECT
    n,
    quantilesExact(LEVELS)(v) AS found,
    arrayMap(p -> intDiv(p * n + 999999, 1000000), [500000, 950000, 990000]) AS rank
FROM (SELECT n, arrayJoin(range(1, n + 1)) AS v FROM (SELECT number + 1 AS n FROM numbers(1000)))
GROUP BY n
HAVING found != rank"""


def test_percentiles_are_nearest_rank_for_every_n(reader: Store) -> None:
    levels = queries.report(0, 1).sql.partition("quantilesExactIf(")[2].partition(")")[0]
    sql = NEAREST_RANK.replace("LEVELS", levels)

    assert b"" == reader.raw(sql, output="TSV")


def test_tokens_count_in_the_second_in_which_they_came(writer: Store, reader: Store) -> None:
    # spec/store.md 15, case 4: ended at 0 s, 5 s long, first token after 1 s: ten tokens in each second from -4 s on.
    writer.insert_requests(batch("n/tok", record(model="tok", ended_at=NOW_MS - 300_000)), "tok")

    def tokens(since_ms: int, until_ms: int) -> object:
        rows = reader.query(queries.report(NOW_MS - 300_000 + since_ms, NOW_MS - 300_000 + until_ms))
        return [row["tokens_in_window"] for row in rows if row["is_global"] == 1]

    assert [10] == tokens(-4000, -3000)
    assert [35] == tokens(-10_000, 10_000)
    assert [5] == tokens(-1000, 1000)


def test_a_report_of_nothing_has_one_global_row_of_zero(reader: Store) -> None:
    [row] = reader.query(queries.report(0, 1000))

    assert (1, 0, {}) == (row["is_global"], row["n"], row["outcomes"])


def test_parameters_travel_as_data(reader: Store) -> None:
    hostile = ["' OR 1=1", "\\", "{y:String}", "a\tb\nc", "\u202e", ""]
    for text in hostile:
        question = queries.Question(sql="SELECT {x:String} AS x", parameters={"x": text})

        assert [{"x": text}] == reader.query(question)
    long = queries.Question(sql="SELECT length({x:String}) AS n", parameters={"x": "x" * 100_000})
    assert [{"n": 100_000}] == reader.query(long)


def test_threads_share_a_store(reader: Store) -> None:
    seen: list[bytes] = []
    threads = [threading.Thread(target=lambda: seen.append(reader.raw("SELECT 1", output="CSV"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [b"1\n"] * 4 == seen


def open_sockets() -> int:
    return sum(
        path.readlink().name.startswith("socket:") for path in Path("/proc/self/fd").iterdir() if path.is_symlink()
    )


def test_a_thread_that_ends_leaves_no_connection(reader: Store) -> None:
    reader.ping()
    gc.disable()  # none of it waits for a collection
    try:
        before = open_sockets(), len(httputil.all_managers)
        for _ in range(20):
            thread = threading.Thread(target=reader.ping)
            thread.start()
            thread.join()
        after = open_sockets(), len(httputil.all_managers)
    finally:
        gc.enable()

    assert before == after


def test_a_connection_that_fails_is_not_kept() -> None:
    with Endpoint() as endpoint:
        client = Store(f"http://127.0.0.1:{endpoint.address[1]}", user="reader", password=NOBODYS)
    before = len(httputil.all_managers)
    for _ in range(3):
        with pytest.raises(StoreUnreachableError):
            client.ping()

    assert before == len(httputil.all_managers)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"model": "\ud800"}, "column model", id="a lone surrogate"),
        pytest.param({"ttft_us": 2**32}, "column ttft_us", id="a duration beyond its column"),
        pytest.param({"trace_id": b"short"}, "column trace_id", id="a short trace id"),
    ],
)
def test_a_record_that_no_column_holds_is_poison(writer: Store, changes: dict[str, object], message: str) -> None:
    with pytest.raises(StorePoisonError, match=message):
        writer.insert_requests(batch("n/poison", msgspec.structs.replace(record(), **changes)), "poison")


def test_a_batch_is_bounded() -> None:
    many = (record(),) * (store.BATCH_ROWS_MAX + 1)

    assert store.encode_requests(batch("n/e", *many[:-1]))
    for refused in (batch("n/e", *many), RequestBatch(collector="n/e", seqs=(), records=(record(),))):
        with pytest.raises(StorePoisonError, match="a batch of"):
            store.encode_requests(refused)


@pytest.mark.parametrize("url", ["", "127.0.0.1:8300", "ftp://host", "http://"])
def test_a_url_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is not http://HOST:PORT"):
        Store(url)


def test_what_the_embedded_store_refuses(process: StoreProcess, writer: Store, reader: Store) -> None:
    stranger = Store(process.url, user="reader", password=NOBODYS)
    cases: list[tuple[Store, str, type[StoreError], int]] = [
        (reader, "SELEC 1", StoreError, 62),
        (reader, "SELECT * FROM nowhere", StoreDriftError, 60),
        (reader, "SELECT nothing FROM inferometer.requests", StoreDriftError, 47),
        (reader, "DROP TABLE inferometer.requests", StoreDeniedError, 497),
        (writer, "SELECT 2", StoreDeniedError, 497),
        (stranger, "SELECT 1", StoreDeniedError, 516),
    ]
    for client, sql, expected, code in cases:
        with pytest.raises(StoreError) as caught:
            client.raw(sql)

        assert (expected, code) == (type(caught.value), caught.value.code)
    with pytest.raises(StoreDeniedError):
        reader.insert_requests(batch("n/e", record()), "no")


def answer(status: str, body: bytes = b"", code: int | None = None) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n"
    return (head + (f"X-ClickHouse-Exception-Code: {code}\r\n" if code else "") + "\r\n").encode() + body


HANDSHAKE: list[Step] = [
    AwaitToken(), Send(answer("200 OK", b"26.9.2.1\tUTC\n")),
    AwaitToken(), Send(answer("200 OK")),
    AwaitToken(), Send(answer("200 OK")),
]  # fmt: skip
INSERTED = AwaitToken(b"bytes_out\x06UInt64")


def insert_against(*steps: Step) -> StoreError:
    """What an insert raises when the server shakes hands and then does this, once."""
    with Endpoint([*HANDSHAKE, *steps]) as endpoint:
        client = Store("http://127.0.0.1:" + str(endpoint.address[1]), user="writer", password=NOBODYS)
        with pytest.raises(StoreError) as caught:
            client.insert_requests(batch("n/e", record()), "token")
        client.close()

        assert len(endpoint.transcripts(1)) == 1  # never resent by the library
    return caught.value


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param([INSERTED, Reset()], StoreAmbiguousError, id="reset after the whole insert"),
        pytest.param([INSERTED, HalfClose()], StoreAmbiguousError, id="closed after the whole insert"),
        pytest.param([AwaitToken(), Reset()], StoreAmbiguousError, id="reset within the insert"),
        pytest.param([INSERTED, Send(answer("503 Busy")), HalfClose()], StoreBusyError, id="503 without a code"),
        pytest.param([INSERTED, Send(answer("500 No")), HalfClose()], StoreAmbiguousError, id="500 without a code"),
        pytest.param(
            [INSERTED, Send(answer("200 OK", code=319)), HalfClose()], StoreAmbiguousError, id="200 with a code"
        ),
    ],
)
def test_what_a_broken_answer_lets_us_conclude(steps: list[Step], expected: type[StoreError]) -> None:
    assert expected is type(insert_against(*steps))


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        *[(code, StoreDriftError) for code in (16, 47, 53, 60, 81)],
        *[(code, StoreDeniedError) for code in (164, 192, 497, 516)],
        *[(code, StorePoisonError) for code in (6, 27, 33, 41, 69, 70, 72, 117, 349)],
        *[(code, StoreAmbiguousError) for code in (159, 209, 210, 241, 242, 243, 252, 285, 319, 999)],
        (202, StoreBusyError),
    ],
)
def test_what_a_code_lets_an_inserter_conclude(code: int, expected: type[StoreError]) -> None:
    error = insert_against(INSERTED, Send(answer("500 Error", f"Code: {code}.".encode(), code)), HalfClose())

    assert (expected, code) == (type(error), error.code)


def test_nobody_there_means_nothing_was_stored() -> None:
    with Endpoint() as endpoint:
        port = endpoint.address[1]
    client = Store("http://127.0.0.1:" + str(port), user="writer", password=NOBODYS)

    with pytest.raises(StoreUnreachableError, match="refused"):
        client.insert_requests(batch("n/e", record()), "token")
    with pytest.raises(StoreUnreachableError):
        client.ping()
    client.close()
