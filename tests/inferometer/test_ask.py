"""One GET against real sockets that answer well, badly and not at all."""

import socket

import pytest

from inferometer.address import Address
from inferometer.ask import BODY_BYTES_MAX, get
from telemetry.testing.endpoint import Endpoint
from telemetry.testing.steps import AwaitEnd, AwaitToken, HalfClose, Send

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"


def answered(*parts: bytes) -> Endpoint:
    return Endpoint([AwaitToken(), *(Send(part) for part in parts), HalfClose()])


def address_of(endpoint: Endpoint) -> Address:
    host, port = endpoint.address
    return Address(host=host, port=port)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello", id="with a length"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX-A: b\r\n\r\nhello", id="to the end of the connection"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n5\r\nhello\r\n0\r\n\r\n", id="in chunks"
        ),
    ],
)
def test_the_answer_is_read_however_it_is_framed(sent: bytes) -> None:
    with answered(sent) as endpoint:
        answer = get(address_of(endpoint), "/x", headers={"Authorization": "Bearer k"})
        [seen] = endpoint.transcripts(1)

    assert (answer.status, answer.headers["x-a"], answer.body) == (200, "b", b"hello")
    assert b"".join(chunk.data for chunk in seen.chunks).startswith(b"GET /x HTTP/1.1\r\nHost: 127.0.0.1:")


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        pytest.param(b"SSH-2.0-nope\r\n\r\n", "does not speak HTTP", id="another protocol"),
        pytest.param(b"", "without an answer", id="nothing"),
        pytest.param(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
            "does not speak HTTP",
            id="an upgrade",
        ),
        pytest.param(HEAD % (BODY_BYTES_MAX + 1) + bytes(BODY_BYTES_MAX + 1), "above", id="one byte too many"),
    ],
)
def test_what_is_no_answer_is_an_error(sent: bytes, words: str) -> None:
    with answered(sent) as endpoint, pytest.raises(OSError, match=words):
        get(address_of(endpoint), "/")


def test_a_body_of_just_the_most_bytes_is_read() -> None:
    with answered(HEAD % BODY_BYTES_MAX + bytes(BODY_BYTES_MAX)) as endpoint:
        answer = get(address_of(endpoint), "/", wait_s=20.0)

    assert len(answer.body) == BODY_BYTES_MAX


def test_a_server_that_says_nothing_is_not_waited_for_beyond_the_deadline() -> None:
    with Endpoint([AwaitEnd()]) as endpoint, pytest.raises(TimeoutError):
        get(address_of(endpoint), "/", wait_s=0.05)


def test_nobody_there_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    with pytest.raises(OSError, match="refused"):
        get(Address(host="127.0.0.1", port=port), "/")
