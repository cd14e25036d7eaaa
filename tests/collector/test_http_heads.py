import pytest

from collector.http_heads import RequestHead, ResponseHead, header, opens_request, request_head, response_head


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        pytest.param(
            b"POST /v1/x?k=v HTTP/1.1\r\nHost: a\r\nX-Two:  b \r\n\r\n",
            RequestHead("POST", "/v1/x?k=v", [(b"host", b"a"), (b"x-two", b"b ")], asks_upgrade=False),
            id="names are in lower case, values as sent",
        ),
        pytest.param(
            b"GET http://a/b HTTP/1.0\r\n\r\n",
            RequestHead("GET", "http://a/b", [], asks_upgrade=False),
            id="HTTP/1.0 and the absolute form",
        ),
        pytest.param(
            b"CONNECT a:1 HTTP/1.1\r\n\r\n",
            RequestHead("CONNECT", "a:1", [], asks_upgrade=True),
            id="CONNECT asks for a tunnel",
        ),
        pytest.param(
            b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
            RequestHead("GET", "/", [(b"connection", b"upgrade"), (b"upgrade", b"websocket")], asks_upgrade=True),
            id="a request for WebSocket",
        ),
        pytest.param(b"GET / HTTP/0.9\r\n\r\n", None, id="HTTP/0.9"),
        pytest.param(b"GET / HTTP/2.0\r\n\r\n", None, id="HTTP/2.0 in text"),
        pytest.param(b"FOO / HTTP/1.1\r\n\r\n", None, id="no known method"),
        pytest.param(b"GET / HTTP/1.1\r\nA : b\r\n\r\n", None, id="space before the colon"),
        pytest.param(b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", None, id="folded header"),
        pytest.param(b"GET / HTTP/1.1\r\nA: \0\r\n\r\n", None, id="NUL in a value"),
        pytest.param(b"POST / HTTP/1.1\r\nContent-Length: +5\r\n\r\n", None, id="length with a sign"),
        pytest.param(b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", None, id="two lengths"),
        pytest.param(
            b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", None, id="length and chunked"
        ),
        pytest.param(b"POST / HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n\r\n", None, id="coding other than chunked"),
        pytest.param(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", None, id="chunked in HTTP/1.0"),
    ],
)
def test_request_heads(head: bytes, expected: RequestHead | None) -> None:
    assert request_head(head) == expected


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        pytest.param(
            b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n", ResponseHead(200, [(b"a", b"b")]), id="a head with one header"
        ),
        pytest.param(b"HTTP/1.0 404\r\n\r\n", ResponseHead(404, []), id="no reason phrase"),
        pytest.param(b"HTTP/1.1 099 x\r\n\r\n", None, id="status below 100"),
        pytest.param(b"ICY 200 OK\r\n\r\n", None, id="not HTTP"),
        pytest.param(b"HTTP/2 200 OK\r\n\r\n", None, id="HTTP/2 in text"),
    ],
)
def test_response_heads(head: bytes, expected: ResponseHead | None) -> None:
    assert response_head(head) == expected


def test_the_first_of_several_headers_is_given_stripped() -> None:
    assert header([(b"a", b" 1 "), (b"a", b"2")], b"a") == b"1"
    assert header([], b"a") is None


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"GET / HTTP/1.1\r\n", True),
        (b"POST /v1/x?a=b HTTP/1.0\r\nHost", True),
        (b"GET / HTTP/1.1\r", False),
        (b"GET /a b HTTP/1.1\r\n", False),
        (b'{"a": "GET / HTTP/1.1\r\n"}', False),
        (b"get / HTTP/1.1\r\n", False),
        (b"GET / HTTP/2.0\r\n", False),
    ],
)
def test_only_a_complete_request_line_opens_a_request(data: bytes, expected: bool) -> None:
    assert opens_request(data) is expected
