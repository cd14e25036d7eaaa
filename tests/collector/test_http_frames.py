from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from collector.http_frames import (
    _HEAD_BYTES_MAX,  # pyright: ignore[reportPrivateUsage] -- the bound under test
    _LINE_BYTES_MAX,  # pyright: ignore[reportPrivateUsage] -- the bound under test
    _TRAILER_BYTES_MAX,  # pyright: ignore[reportPrivateUsage] -- the bound under test
    START,
    End,
    Event,
    Fault,
    RequestFramer,
    ResponseFramer,
    Tunnel,
)
from collector.http_heads import RequestHead, ResponseHead

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
GET_HEAD = RequestHead("GET", "/", [(b"host", b"a")], asks_upgrade=False)
POST_HEAD = RequestHead("POST", "/", [(b"content-length", b"3")], asks_upgrade=False)
OK_HEAD = ResponseHead(200, [(b"content-length", b"2")])
CHUNKED_HEAD = ResponseHead(200, [(b"transfer-encoding", b"chunked")])


def flat(events: Sequence[Event]) -> list[Event]:
    """Join neighbouring pieces of a body: where it is cut says nothing."""
    joined: list[Event] = []
    for event in events:
        last = joined[-1] if joined else None
        if isinstance(event, bytes) and isinstance(last, bytes):
            joined[-1] = last + event
        else:
            joined.append(event)
    return joined


def ways(data: bytes) -> Iterator[list[bytes]]:
    """Yield the bytes whole, one by one, and cut once at every place."""
    yield [data]
    yield [data[at : at + 1] for at in range(len(data))]
    for at in range(1, len(data)):
        yield [data[:at], data[at:]]


def requests(pieces: Sequence[bytes]) -> list[Event]:
    framer = RequestFramer()
    return flat([event for piece in pieces for event in framer.feed(piece)])


def responses(methods: Sequence[str], pieces: Sequence[bytes], *, eof: bool = False) -> list[Event]:
    framer = ResponseFramer()
    for method in methods:
        framer.expect(method)
    events: list[Event] = []
    for piece in pieces:
        body = framer.whole_chunk(piece)
        events += framer.feed(piece) if body is None else [body]
    return flat(events + (framer.eof() if eof else []))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        pytest.param(GET, [START, GET_HEAD, End(27)], id="a request without a body"),
        pytest.param(b"\r\n\r\n" + GET, [START, GET_HEAD, End(31)], id="line ends before a request are skipped"),
        pytest.param(POST, [START, POST_HEAD, b"abc", End(len(POST))], id="a body by length"),
        pytest.param(
            GET + POST + GET,
            [START, GET_HEAD, End(27), START, POST_HEAD, b"abc", End(len(POST)), START, GET_HEAD, End(27)],
            id="three pipelined requests",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
            [START, RequestHead("POST", "/", [(b"content-length", b"0")], asks_upgrade=False), End(38)],
            id="a body of length 0",
        ),
        pytest.param(
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: v\r\n\r\n",
            [
                START,
                RequestHead("POST", "/", [(b"transfer-encoding", b"chunked")], asks_upgrade=False),
                b"abcde",
                End(77),
            ],
            id="chunks with an extension and a trailer",
        ),
        pytest.param(b"\x16\x03\x01\x02\x00rest", [Tunnel("tls")], id="a TLS handshake"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nmore", [START, Tunnel("h2")], id="the preface of HTTP/2"),
        pytest.param(b"GET / HTTP/1.1\nHost: a\n\n", [START, Fault("request_head")], id="lines ended by LF alone"),
        pytest.param(b"hello\r\n\r\nworld", [START, Fault("request_head")], id="no HTTP at all"),
        pytest.param(
            b"CONNECT a:1 HTTP/1.1\r\n\r\nearly",
            [START, RequestHead("CONNECT", "a:1", [], asks_upgrade=True), End(24), Fault("before_upgrade")],
            id="bytes for a tunnel that is not granted yet",
        ),
    ],
)
def test_requests_are_framed_alike_however_they_are_cut(data: bytes, expected: list[Event]) -> None:
    for pieces in ways(data):
        assert expected == requests(pieces)


@pytest.mark.parametrize(
    ("methods", "data", "expected"),
    [
        pytest.param(["GET"], OK, [OK_HEAD, b"ok", End(len(OK))], id="a body by length"),
        pytest.param(["HEAD"], OK[:-2], [OK_HEAD, End(len(OK) - 2)], id="an answer to HEAD has no body"),
        pytest.param(
            ["HEAD", "GET"],
            OK[:-2] + OK,
            [OK_HEAD, End(len(OK) - 2), OK_HEAD, b"ok", End(len(OK))],
            id="an answer after one to HEAD",
        ),
        pytest.param(["GET"], b"HTTP/1.1 204 No\r\n\r\n", [ResponseHead(204, []), End(19)], id="204 has no body"),
        pytest.param(
            ["GET"],
            b"HTTP/1.1 304 No\r\nContent-Length: 9\r\n\r\n",
            [ResponseHead(304, [(b"content-length", b"9")]), End(38)],
            id="304 has no body, whatever its length says",
        ),
        pytest.param(
            ["POST"],
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\n" + OK,
            [OK_HEAD, b"ok", End(25 + 31 + len(OK))],
            id="interim heads give no event, their bytes count",
        ),
        pytest.param(
            ["GET"],
            CHUNKED + b"5\r\nhello\r\n00a\r\n0123456789\r\n0\r\n\r\n",
            [CHUNKED_HEAD, b"hello0123456789", End(len(CHUNKED) + 10 + 17 + 5)],
            id="chunks",
        ),
        pytest.param(
            ["GET"],
            CHUNKED + b"0\r\nA: b\r\nC: d\r\n\r\n",
            [CHUNKED_HEAD, End(len(CHUNKED) + 17)],
            id="no chunk and two trailers",
        ),
        pytest.param(["GET"], CHUNKED + b"0x5\r\nhello", [CHUNKED_HEAD, Fault("chunk_size")], id="a size as 0x5"),
        pytest.param(["GET"], CHUNKED + b"+5\r\nhello", [CHUNKED_HEAD, Fault("chunk_size")], id="a size with a sign"),
        pytest.param(["GET"], CHUNKED + b"0_5\r\nhello", [CHUNKED_HEAD, Fault("chunk_size")], id="a size as 0_5"),
        pytest.param(["GET"], CHUNKED + b"5\nhello", [CHUNKED_HEAD, Fault("bare_lf")], id="a size ended by LF alone"),
        pytest.param(
            ["GET"], CHUNKED + b"3\r\nabcX\r\n", [CHUNKED_HEAD, b"abc", Fault("chunk_end")], id="data after a chunk"
        ),
        pytest.param(["GET"], CHUNKED + b"0\r\nA: b\n\r\n", [CHUNKED_HEAD, Fault("bare_lf")], id="a trailer with LF"),
        pytest.param([], OK, [Fault("unsolicited")], id="an answer that nobody asked for"),
        pytest.param(["GET"], OK + OK, [OK_HEAD, b"ok", End(len(OK)), Fault("unsolicited")], id="one answer too many"),
        pytest.param(["GET"], b"ICY 200 OK\r\n\r\n", [Fault("response_head")], id="no HTTP at all"),
        pytest.param(
            ["GET"],
            b"HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\n\r\n\x81\x05hello",
            [Tunnel("ws")],
            id="WebSocket from here on",
        ),
        pytest.param(
            ["GET"],
            b"HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n\0",
            [Tunnel("h2")],
            id="HTTP/2 from here on",
        ),
        pytest.param(
            ["GET"],
            b"HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n\0",
            [Tunnel("upgrade")],
            id="some other protocol",
        ),
        pytest.param(["CONNECT"], b"HTTP/1.1 200 OK\r\n\r\nbytes", [Tunnel("connect")], id="a tunnel is granted"),
        pytest.param(
            ["CONNECT"],
            b"HTTP/1.1 405 No\r\nContent-Length: 2\r\n\r\nno",
            [ResponseHead(405, [(b"content-length", b"2")]), b"no", End(40)],
            id="a tunnel is refused",
        ),
    ],
)
def test_responses_are_framed_alike_however_they_are_cut(
    methods: list[str], data: bytes, expected: list[Event]
) -> None:
    for pieces in ways(data):
        assert expected == responses(methods, pieces)


def test_a_body_without_length_ends_with_the_connection() -> None:
    data = b"HTTP/1.0 200 OK\r\n\r\nas long as it lasts"

    for pieces in ways(data):
        assert [ResponseHead(200, []), data[19:], End(len(data))] == responses(["GET"], pieces, eof=True)


def test_a_coding_that_is_not_chunked_ends_with_the_connection() -> None:
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nxyz"
    head = ResponseHead(200, [(b"transfer-encoding", b"gzip")])

    assert [head, b"xyz", End(len(data))] == responses(["GET"], [data], eof=True)


@pytest.mark.parametrize("data", [b"", OK[:-1], CHUNKED + b"5\r\nhel", b"HTTP/1.1 2"])
def test_the_end_of_the_connection_completes_nothing_else(data: bytes) -> None:
    assert not any(isinstance(event, End) for event in responses(["GET"], [data] if data else [], eof=True))


def test_the_bytes_of_an_open_message_are_known() -> None:
    framer = ResponseFramer()
    framer.expect("GET")
    framer.feed(CHUNKED + b"3\r\n")
    framer.feed(b"abc\r\n")
    framer.whole_chunk(b"2\r\nde\r\n")

    assert framer.message_bytes == len(CHUNKED) + 8 + 7


def test_an_upgrade_that_is_not_granted_leaves_plain_requests() -> None:
    framer = RequestFramer()
    asking = b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n"
    framer.feed(asking)
    framer.resume()

    assert [START, GET_HEAD, End(27)] == framer.feed(GET)


def test_an_upgrade_refused_before_its_request_was_complete_leaves_plain_requests() -> None:
    framer = RequestFramer()
    framer.feed(b"POST / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\na")
    framer.resume()

    assert [b"bc", End(76), START, GET_HEAD, End(27)] == framer.feed(b"bc" + GET)


@pytest.mark.parametrize(
    "piece", [b"3\r\nabc\r\n4", b"3\r\nabcd\n", b"2\r\nabc\r\n", b"03\r\nabc\r\n", b"0\r\n\r\n", b"3\r\nab"]
)
def test_what_is_not_exactly_one_chunk_is_left_to_feed(piece: bytes) -> None:
    framer = ResponseFramer()
    framer.expect("GET")

    assert framer.whole_chunk(b"3\r\nabc\r\n") is None
    framer.feed(CHUNKED)
    before = framer.message_bytes
    assert framer.whole_chunk(piece) is None
    assert framer.message_bytes == before


def test_a_head_at_the_bound_is_read_and_one_past_it_is_not() -> None:
    start, end = b"GET / HTTP/1.1\r\nA: ", b"\r\n\r\n"
    fits = start + b"x" * (_HEAD_BYTES_MAX - len(start) - len(end)) + end
    beyond = fits.replace(b"x", b"xx", 1)

    for size in (_HEAD_BYTES_MAX + 1, 64 * 1024):
        assert isinstance(requests(_pieces(fits, size))[-1], End)
        assert requests(_pieces(beyond, size)) == [START, Fault("head_too_big")]


def test_a_line_at_the_bound_is_read_and_one_past_it_is_not() -> None:
    fits = b"A: " + b"x" * (_LINE_BYTES_MAX - 5) + b"\r\n"

    for size in (2 * _LINE_BYTES_MAX, 1000):
        at_bound = responses(["GET"], _pieces(CHUNKED + b"0\r\n" + fits + b"\r\n", size))
        beyond = responses(["GET"], _pieces(CHUNKED + b"0\r\nx" + fits + b"\r\n", size))
        assert isinstance(at_bound[-1], End)
        assert beyond[-1] == Fault("line_too_long")


def test_trailers_at_the_bound_are_read_and_one_byte_more_is_not() -> None:
    line = b"A: " + b"x" * 59 + b"\r\n"
    fits = line * (_TRAILER_BYTES_MAX // 64 - 1) + b"A: " + b"x" * 57 + b"\r\n" + b"\r\n"

    assert len(fits) == _TRAILER_BYTES_MAX
    assert isinstance(responses(["GET"], [CHUNKED + b"0\r\n" + fits])[-1], End)
    assert responses(["GET"], [CHUNKED + b"0\r\nB" + fits])[-1] == Fault("trailer_too_big")


def _pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


CONVERSATION = (
    OK + CHUNKED + b"f5\r\n" + b"x" * 0xF5 + b"\r\n3\r\nabc\r\n0\r\n\r\n" + OK + b"HTTP/1.1 100 C\r\n\r\n" + OK
)


@given(st.lists(st.integers(1, len(CONVERSATION) - 1), max_size=12))
@example(list(range(1, len(CONVERSATION))))
def test_any_cutting_of_a_conversation_gives_the_same_events(cuts: list[int]) -> None:
    edges = [0, *sorted(set(cuts)), len(CONVERSATION)]
    methods = ["GET", "POST", "GET", "PUT"]

    whole = responses(methods, [CONVERSATION])

    assert whole == responses(methods, [CONVERSATION[a:b] for a, b in pairwise(edges)])
    assert sum(isinstance(event, End) for event in whole) == 4


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6))
def test_garbage_never_raises_and_is_judged_alike_however_it_is_cut(pieces: list[bytes]) -> None:
    data = b"".join(pieces)

    assert requests(pieces) == requests([data])
    assert responses(["GET"], pieces) == responses(["GET"], [data] if data else [])
