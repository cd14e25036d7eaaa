from collections.abc import Sequence
from itertools import pairwise
from random import Random
from typing import Any, cast

import brotli
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.connection import PIPELINED_MAX, SILENCE_NS_MIN, Connection, Endpoint, State
from collector.labels import Labels
from collector.rows import Dimensions, Rows
from telemetry.clock import WallAnchor
from telemetry.outcome import Flag, Outcome, Phase
from telemetry.record import RequestRecord

MS_NS = 1_000_000
SILENCE_MS = SILENCE_NS_MIN // MS_NS

GET = b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
ASKED = b'{"model":"m","stream":true}'
CHAT = b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(ASKED), ASKED)
STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
OLD_STREAM = b"HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
TOKEN = b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'
STOP = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
ERROR = b'data: {"error":{"message":"x","type":"InternalServerError","code":500}}\n\ndata: [DONE]\n\n'
LAST = b"0\r\n\r\n"
UPGRADE = b"GET /ws HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"

Step = tuple[int, str, bytes]
"""Milliseconds, name of a method of `Connection`, bytes if it takes some."""


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def endpoint() -> Endpoint:
    anchor = WallAnchor(unix_ms=0, at_ns=0)
    return Endpoint(Rows(Dimensions(endpoint="e"), Labels(["m"]), random=Random(1), anchor=anchor))  # noqa: S311 -- seeded


def play(steps: Sequence[Step], *, is_known: bool = True) -> tuple[Endpoint, list[RequestRecord], Connection]:
    """Play steps on a new connection whose upstream is usable after 1 ms, unless the steps say otherwise."""
    made = endpoint()
    connection = Connection(made, 0, is_known=is_known)
    if is_known and all(name != "connect_failed" for _, name, _ in steps):
        connection.connected("10.0.0.1:8000", MS_NS)
    for at_ms, name, data in steps:
        if data:
            getattr(connection, name)(data, at_ms * MS_NS)
        else:
            getattr(connection, name)(at_ms * MS_NS)
    records = made.take()
    assert made.counts.begun == len(records) + made.counts.in_flight + made.counts.unparsed
    assert made.counts.recorded == len(records)
    return made, records, connection


def bytewise(steps: Sequence[Step]) -> list[Step]:
    return [(ms, name, data[at : at + 1]) for ms, name, data in steps for at in range(max(1, len(data)))]


def ask(ms: int, data: bytes) -> Step:
    return (ms, "request_bytes", data)


def tell(ms: int, data: bytes) -> Step:
    return (ms, "response_bytes", data)


def event(ms: int, name: str) -> Step:
    return (ms, name, b"")


CUT_STREAM = [ask(10, CHAT), tell(20, STREAM), tell(30, chunk(TOKEN))]
WHOLE_STREAM = [*CUT_STREAM, tell(40, chunk(STOP) + LAST)]
BROTLI_STREAM = STREAM.replace(b"200 OK\r\n", b"200 OK\r\nContent-Encoding: br\r\n")
PACKED = bytes(cast("Any", brotli).compress(TOKEN + STOP))

CASES = [
    pytest.param([ask(10, GET), tell(30, OK)], [("ok", 200, "done", 20_000)], id="a plain request"),
    pytest.param(WHOLE_STREAM, [("ok", 200, "done", 30_000)], id="a streamed chat"),
    pytest.param(
        [ask(10, GET), tell(20, OK), ask(50, GET), tell(90, OK)],
        [("ok", 200, "done", 10_000), ("ok", 200, "done", 40_000)], id="two requests on one kept connection"),
    pytest.param(
        [ask(10, GET + CHAT + GET), tell(20, OK), tell(30, STREAM + chunk(TOKEN + STOP) + LAST), tell(40, OK)],
        [("ok", 200, "done", 10_000), ("ok", 200, "done", 20_000), ("ok", 200, "done", 30_000)],
        id="pipelined requests are answered in order",
    ),
    pytest.param(
        [ask(10, GET.replace(b"GET", b"HEAD") + GET), tell(20, OK[:-2]), tell(30, OK)],
        [("ok", 200, "done", 10_000), ("ok", 200, "done", 20_000)], id="an answer to HEAD has no body"),
    pytest.param(
        [ask(10, CHAT[:60]), tell(20, b"HTTP/1.1 100 Continue\r\n\r\n"), ask(30, CHAT[60:]), *WHOLE_STREAM[1:]],
        [("ok", 200, "done", 30_000)], id="the body is sent after 100-continue"),
    pytest.param(
        [ask(10, CHAT), tell(20, b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")],
        [("unavailable", 503, "queued", 10_000)], id="the engine is not available"),
    pytest.param(
        [ask(10, CHAT), tell(20, STREAM), tell(30, chunk(TOKEN)), tell(40, chunk(ERROR) + LAST)],
        [("stream_error", 200, "streaming", 30_000)], id="an error inside a 200"),
    pytest.param(
        [ask(10, CHAT), tell(20, OLD_STREAM), tell(30, TOKEN), tell(40, STOP), event(50, "upstream_eof")],
        [("ok", 200, "done", 40_000)], id="a stream that ends with the connection"),
    pytest.param(
        [*CUT_STREAM, event(50, "client_eof"), event(60, "upstream_eof"), event(70, "closed")],
        [("client_cancelled", 200, "streaming", 40_000)], id="the client hangs up in the middle of a stream"),
    pytest.param(
        [*CUT_STREAM, event(50, "client_eof"), tell(60, chunk(TOKEN)), event(70, "client_reset"), event(80, "closed")],
        [("client_cancelled", 200, "streaming", 50_000)], id="the client has closed and refuses further bytes"),
    pytest.param(
        [ask(10, CHAT), tell(20, OLD_STREAM), tell(30, TOKEN), event(40, "client_eof"), event(50, "upstream_eof")],
        [("client_cancelled", 200, "streaming", 30_000)],
        id="the client hangs up in a stream that ends with the connection",
    ),
    pytest.param(
        [ask(10, CHAT), event(11, "client_eof"), *WHOLE_STREAM[1:], event(50, "upstream_eof"), event(51, "closed")],
        [("ok", 200, "done", 30_000)], id="a client that only reads on gets its whole answer (C5)"),
    pytest.param(
        [ask(10, GET), event(11, "client_eof"), tell(20, OK.replace(b"Content-Length: 2", b"A: b")),
         event(30, "upstream_eof")],
        [("ok", 200, "done", 20_000)], id="a client that only reads on gets an answer that ends with the connection"),
    pytest.param(
        [ask(10, CHAT), event(5_010, "client_reset"), event(5_011, "closed")],
        [("client_cancelled", 0, "queued", 5_000_000)], id="the client gives up before any answer"),
    pytest.param(
        [*CUT_STREAM, event(50, "upstream_reset"), event(51, "closed")],
        [("stream_truncated", 200, "streaming", 40_000)], id="the upstream resets in the middle of a stream"),
    pytest.param(
        [*CUT_STREAM, event(50, "upstream_eof"), event(51, "client_eof"), event(52, "closed")],
        [("stream_truncated", 200, "streaming", 40_000)], id="the upstream ends in the middle of a chunked stream"),
    pytest.param(
        [*CUT_STREAM, event(50, "closed")],
        [("stream_truncated", 200, "streaming", 40_000)], id="the tee gives up a connection"),
    pytest.param(
        [ask(10, CHAT), event(30, "upstream_eof"), event(31, "closed")],
        [("connect_error", 0, "queued", 20_000)], id="the upstream closes without an answer"),
    pytest.param(
        [ask(10, CHAT), event(15, "connect_failed"), event(16, "closed")],
        [("connect_error", 0, "connect", 5_000)], id="the upstream cannot be reached"),
    pytest.param(
        [event(15, "connect_failed"), event(16, "closed")],
        [("connect_error", 0, "connect", 15_000)], id="the upstream cannot be reached and the request was not read"),
    pytest.param([event(15, "closed")], [], id="a connection without a request"),
    pytest.param(
        [*CUT_STREAM, event(50, "lose"), tell(60, chunk(STOP) + LAST), event(70, "closed")],
        [("unobserved", 200, "streaming", 40_000)], id="frames are lost in the middle of a stream"),
    pytest.param(
        [ask(10, CHAT), tell(20, STREAM), tell(30, chunk(TOKEN + STOP)), event(50, "lose")],
        [("ok", 200, "done", 40_000)], id="frames are lost after the finish event"),
    pytest.param(
        [ask(10, CHAT), tell(20, BROTLI_STREAM), tell(30, chunk(PACKED) + LAST)],
        [("ok", 200, "done", 20_000)], id="an answer in brotli"),
    pytest.param(
        [ask(10, CHAT[:-5]), tell(20, b"HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n"), ask(30, CHAT[-5:])],
        [("invalid_request", 413, "queued", 10_000)], id="a refusal before the request is complete"),
    pytest.param(
        [ask(10, UPGRADE), tell(20, OK), ask(30, GET), tell(40, OK)],
        [("ok", 200, "done", 10_000), ("ok", 200, "done", 10_000)], id="an upgrade that is not granted"),
]  # fmt: skip


@pytest.mark.parametrize(("steps", "expected"), CASES)
def test_exchanges_end_as_they_did(steps: list[Step], expected: list[tuple[str, int, str, int]]) -> None:
    _, whole, _ = play(steps)
    _, cut, _ = play(bytewise(steps))

    told = [(str(r.outcome), r.http_status, str(r.phase), r.elapsed_us) for r in whole]
    assert [(outcome, status, phase) for outcome, status, phase, _ in expected] == [one[:3] for one in told]
    assert [elapsed_us for *_, elapsed_us in expected] == [one[3] for one in told]
    assert comparable(whole) == comparable(cut)


def comparable(records: Sequence[RequestRecord]) -> list[dict[str, object]]:
    """Return the rows without what must differ between two runs."""
    return [{**msgspec.structs.asdict(record), "record_id": None} for record in records]


def test_every_measure_of_a_stream_is_taken_from_its_stamps() -> None:
    _, (record,), _ = play(WHOLE_STREAM)

    assert (record.api, record.model, record.stream, record.replica) == ("openai_chat", "m", 1, "10.0.0.1:8000")
    assert (record.connect_us, record.send_us, record.headers_us, record.ttft_us) == (0, 0, 10_000, 20_000)
    assert (record.e2e_us, record.ended_at, record.finish_reason) == (30_000, 40, "stop")
    assert record.bytes_in == len(CHAT)
    assert record.bytes_out == len(STREAM + chunk(TOKEN) + chunk(STOP) + LAST)


def test_the_wait_for_the_upstream_belongs_to_the_first_request() -> None:
    made = endpoint()
    connection = Connection(made, 0, is_known=True)
    connection.request_bytes(GET, 1 * MS_NS)
    connection.connected("10.0.0.1:8000", 4 * MS_NS)
    connection.response_bytes(OK, 9 * MS_NS)
    connection.request_bytes(GET, 10 * MS_NS)
    connection.response_bytes(OK, 12 * MS_NS)
    first, second = made.take()

    assert (first.connect_us, first.send_us, first.replica) == (3_000, 0, "10.0.0.1:8000")
    assert (second.connect_us, second.send_us, second.replica) == (0, 0, "10.0.0.1:8000")


def test_bytes_of_a_cut_exchange_are_counted_as_far_as_they_came() -> None:
    _, (first, second), _ = play([ask(10, CHAT + GET[:9]), *CUT_STREAM[1:], event(50, "upstream_reset")])

    assert (first.bytes_in, first.bytes_out) == (len(CHAT), len(STREAM + chunk(TOKEN)))
    assert (second.bytes_in, second.bytes_out) == (9, 0)


def test_a_refusal_before_the_end_of_the_request_is_flagged_and_the_rest_is_not_another_request() -> None:
    refusal = b"HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n"
    made, (record, after), _ = play([ask(10, CHAT[:-5]), tell(20, refusal), ask(30, CHAT[-5:] + GET), tell(40, OK)])

    assert record.flags & Flag.EARLY_RESPONSE
    assert record.bytes_in == len(CHAT) - 5
    assert (after.outcome, after.api) == (Outcome.OK, "http")
    assert not made.counts.desyncs


@pytest.mark.parametrize(
    ("steps", "kind", "unparsed"),
    [
        pytest.param([ask(10, b"\x16\x03\x01\x00"), tell(20, b"\x16\x03\x03")], "tls", 0, id="TLS"),
        pytest.param([ask(10, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")], "h2", 1, id="HTTP/2 with prior knowledge"),
        pytest.param(
            [ask(10, UPGRADE), tell(20, b"HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n\x81"),
             ask(30, b"\x81\x05hello")],
            "ws", 1, id="WebSocket",
        ),
        pytest.param(
            [ask(10, b"CONNECT a:1 HTTP/1.1\r\n\r\n"), tell(20, b"HTTP/1.1 200 OK\r\n\r\n"), ask(30, b"anything")],
            "connect", 1, id="a tunnel",
        ),
    ],
)  # fmt: skip
def test_a_connection_that_leaves_http_is_counted_and_passes_unmeasured(
    steps: list[Step], kind: str, unparsed: int
) -> None:
    made, records, connection = play([*steps, event(900, "client_eof"), event(901, "closed")])

    assert records == []
    assert made.counts.unparsed_connections == {kind: 1}
    assert made.counts.unparsed == unparsed
    assert made.counts.in_flight == made.budget.held_bytes == 0
    assert connection.state is State.OVER


@pytest.mark.parametrize(
    ("steps", "reason", "records_n"),
    [
        pytest.param([ask(10, b"nonsense\r\n\r\n")], "request_head", 1, id="no HTTP"),
        pytest.param([ask(10, GET), tell(20, b"nonsense\r\n\r\n")], "response_head", 1, id="no HTTP in the answer"),
        pytest.param([ask(10, GET), tell(20, OK + OK)], "unsolicited", 1, id="an answer too many"),
        pytest.param([ask(10, CHAT), tell(20, STREAM + b"0x5\r\nhello")], "chunk_size", 1, id="a chunk of size 0x5"),
        pytest.param([ask(10, UPGRADE + b"\x81")], "before_upgrade", 1, id="bytes before the upgrade is granted"),
        pytest.param(
            [ask(10, GET * (PIPELINED_MAX + 1))], "pipelined", PIPELINED_MAX, id="too many pipelined requests"
        ),
    ],
)
def test_doubt_ends_the_measuring_of_a_connection_for_ever(steps: list[Step], reason: str, records_n: int) -> None:
    later = [ask(900, GET), tell(901, OK), event(902, "client_eof"), event(903, "closed")]
    made, records, _ = play([*steps, *later])

    assert made.counts.desyncs == {reason: 1}
    assert len(records) == records_n
    assert made.counts.unobserved_bytes == len(GET + OK)
    if reason != "unsolicited":
        assert {record.outcome for record in records} == {Outcome.UNOBSERVED}


def test_as_many_pipelined_requests_as_the_bound_are_measured() -> None:
    made, records, _ = play([ask(10, GET * PIPELINED_MAX), tell(20, OK * PIPELINED_MAX)])

    assert len(records) == PIPELINED_MAX
    assert not made.counts.desyncs


@pytest.mark.parametrize(
    ("wait_ms", "data", "records_n"),
    [
        pytest.param(SILENCE_MS, GET, 1, id="after silence a request line is believed"),
        pytest.param(SILENCE_MS - 1, GET, 0, id="before that it may be part of a body"),
        pytest.param(SILENCE_MS, b"{" + GET, 0, id="what does not start a request is not believed"),
        pytest.param(SILENCE_MS, GET[:10], 0, id="nor is an incomplete request line"),
    ],
)
@pytest.mark.parametrize("is_known", [True, False])
def test_a_blind_connection_is_understood_again(wait_ms: int, data: bytes, records_n: int, is_known: bool) -> None:
    at_ms = 50 + wait_ms
    blinding = [event(40, "lose"), tell(50, b"rest")] if is_known else [tell(50, b"rest")]
    made, records, _ = play([*blinding, ask(at_ms, data), tell(at_ms + 7, OK)], is_known=is_known)

    assert [(record.outcome, record.elapsed_us, record.connect_us) for record in records] == [
        ("ok", 7000, 0)
    ] * records_n
    assert made.counts.unobserved_bytes == (4 if records_n else 4 + len(data) + len(OK))


def test_a_connection_whose_start_was_not_seen_counts_silence_from_the_first_frame_of_its_worker() -> None:
    _, records, _ = play([ask(SILENCE_MS, GET), tell(SILENCE_MS + 1, OK)], is_known=False)

    assert len(records) == 1


def test_signs_of_life_other_than_bytes_break_the_silence() -> None:
    steps = [event(0, "lose"), event(100, "upstream_eof"), event(120, "client_eof"), ask(250, GET)]

    assert play(steps)[0].counts.begun == 0


def test_after_a_reset_nothing_is_open_and_nothing_is_counted() -> None:
    made, records, _ = play(
        [*CUT_STREAM, event(50, "client_reset"), tell(51, chunk(TOKEN)), event(60, "upstream_reset")]
    )

    assert len(records) == 1
    assert made.counts.unobserved_bytes == 0


def test_a_request_sent_to_an_upstream_that_has_closed_is_a_connect_error() -> None:
    _, records, _ = play([ask(10, GET), tell(20, OK), event(30, "upstream_eof"), ask(31, GET), event(40, "closed")])

    assert [record.outcome for record in records] == [Outcome.OK, Outcome.CONNECT_ERROR]
    assert records[1].phase in {Phase.CONNECT, Phase.QUEUED}


def test_the_rest_of_a_request_whose_upstream_has_closed_is_no_other_request() -> None:
    steps = [ask(10, CHAT[:20]), event(20, "upstream_eof"), ask(30, CHAT[20:]), event(40, "closed")]

    assert [record.outcome for record in play(steps)[1]] == [Outcome.CONNECT_ERROR]


CONVERSATION = [
    ask(10, CHAT + GET),
    tell(20, STREAM + chunk(TOKEN) + chunk(TOKEN + STOP) + LAST + OK),
    ask(30, CHAT),
    tell(40, BROTLI_STREAM + chunk(PACKED) + LAST),
]


@given(st.data())
def test_any_cutting_of_the_same_bytes_gives_the_same_rows(data: st.DataObject) -> None:
    cut: list[Step] = []
    for ms, name, whole in CONVERSATION:
        cuts = data.draw(st.lists(st.integers(1, len(whole) - 1), max_size=6, unique=True))
        cut += [(ms, name, whole[a:b]) for a, b in pairwise([0, *sorted(cuts), len(whole)])]

    assert comparable(play(CONVERSATION)[1]) == comparable(play(cut)[1])


STEPS = st.tuples(
    st.integers(0, 1000),
    st.sampled_from(
        ["client_eof", "client_reset", "upstream_eof", "upstream_reset", "closed", "lose", "connect_failed"]
    ),
    st.just(b""),
)
BYTES = st.tuples(
    st.integers(0, 1000),
    st.sampled_from(["request_bytes", "response_bytes"]),
    st.sampled_from([GET, CHAT, OK, STREAM, chunk(TOKEN), LAST, UPGRADE, CHAT[:50], b"\0", b"junk\r\n\r\n"]),
)


@given(st.lists(STEPS | BYTES, max_size=12))
def test_no_order_of_steps_raises_or_loses_a_request(steps: list[Step]) -> None:
    made, records, _ = play([*steps, event(2000, "closed")])

    assert made.counts.in_flight == 0
    assert made.budget.held_bytes == 0
    assert all(record.elapsed_us >= 0 for record in records)
