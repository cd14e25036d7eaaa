"""Shows what the raw client sends and sees."""

from telemetry.testing.client import ask, exchange, request
from telemetry.testing.endpoint import Endpoint
from telemetry.testing.steps import AwaitToken, HalfClose, Send
from telemetry.testing.wire import Ending


def test_a_request_is_spelled_with_its_length() -> None:
    assert b"POST /v1 HTTP/1.1\r\nHost: test\r\nX: y\r\nContent-Length: 2\r\n\r\nhi" == request(
        "POST", "/v1", b"hi", "X: y"
    )


def test_a_request_without_a_body_has_no_length() -> None:
    assert b"GET / HTTP/1.1\r\nHost: test\r\n\r\n" == request("GET", "/")


def test_the_answer_and_its_end_are_seen() -> None:
    with Endpoint([AwaitToken(), Send(b"answer"), HalfClose()]) as endpoint:
        seen = exchange(endpoint.address, ask(request("GET", "/")))

    assert (b"answer", Ending.EOF, len(request("GET", "/"))) == (seen.received, seen.ending, seen.sent_bytes)


def test_a_refused_connection_is_a_fate_not_an_error() -> None:
    endpoint = Endpoint()
    with endpoint:
        pass
    seen = exchange(endpoint.address, ask(b"x"))

    assert (Ending.REFUSED, b"", 0) == (seen.ending, seen.received, seen.sent_bytes)
