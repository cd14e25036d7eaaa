"""Every way to fail, through the whole product: each gets its class, and the client sees what a direct one would."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from rig import Product, free_port, product, wait_until

from telemetry.testing import client
from telemetry.testing.endpoint import Endpoint
from telemetry.testing.steps import AwaitToken, Close, Reset, Send
from telemetry.testing.wire import Ending, Script

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

ASKED = client.request(
    "POST", "/v1/completions", b'{"model": "m", "stream": true}', "Content-Type: application/json", "Connection: close"
)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
TOKEN = b'data: {"choices": [{"index": 0, "text": "fox", "finish_reason": null}]}\n\n'
FRAME = (
    b'data: {"error": {"message": "boom", "type": "InternalServerError", "param": null, "code": 500}}\n\n'
    b"data: [DONE]\n\n"
)


def refusal(status: str, kind: str) -> bytes:
    body = b'{"error": {"message": "no", "type": "%s", "param": null, "code": %s}}' % (
        kind.encode(),
        status[:3].encode(),
    )
    return b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (
        status.encode(),
        len(body),
        body,
    )


CASES = [
    pytest.param([Send(refusal("400 Bad Request", "BadRequestError")), Close()], "invalid_request", 0, id="400"),
    pytest.param([Send(refusal("401 Unauthorized", "AuthenticationError")), Close()], "auth", 0, id="401"),
    pytest.param([Send(refusal("404 Not Found", "NotFoundError")), Close()], "not_found", 0, id="404"),
    pytest.param([Send(refusal("429 Too Many Requests", "rate_limit_error")), Close()], "rate_limited", 0, id="429"),
    pytest.param([Send(refusal("500 Internal Server Error", "Internal")), Close()], "server_error", 0, id="500"),
    pytest.param([Send(refusal("503 Service Unavailable", "Unavailable")), Close()], "unavailable", 0, id="503"),
    pytest.param([Send(HEAD + TOKEN + FRAME), Close()], "stream_error", 1, id="an error event inside a 200"),
    pytest.param([Send(HEAD + TOKEN), Reset()], "stream_truncated", 1, id="a reset in mid-stream"),
    pytest.param([Send(HEAD + TOKEN), Close()], "stream_truncated", 1, id="an end without a finish"),
    pytest.param([Reset()], "connect_error", 0, id="a reset before the head"),
]


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as scripted:
        yield scripted


@pytest.fixture(scope="module")
def watched(endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    host, port = endpoint.address
    with product(f"http://{host}:{port}", tmp_path_factory.mktemp("outcomes") / "data") as up:
        yield up


@pytest.mark.parametrize(("answer", "outcome", "in_stream"), CASES)
def test_a_failure_gets_its_class(
    watched: Product, endpoint: Endpoint, answer: Script, outcome: str, in_stream: int
) -> None:
    before = watched.count()
    endpoint.enqueue([AwaitToken(), *answer])
    client.exchange(watched.address, client.ask(ASKED))
    wait_until(lambda: watched.count() == before + 1, "row")
    (row,) = watched.rows("SELECT outcome, in_stream, ttft_us FROM requests ORDER BY seq DESC LIMIT 1")

    assert (row["outcome"], int(row["in_stream"])) == (outcome, in_stream)
    assert (row["ttft_us"] is not None) == bool(in_stream)


def test_a_target_that_is_down_is_a_connect_error(tmp_path: Path) -> None:
    with product(f"http://127.0.0.1:{free_port()}", tmp_path / "data") as up:
        seen = client.exchange(up.address, client.ask(ASKED))
        wait_until(lambda: up.count() == 1, "row")
        (row,) = up.rows("SELECT outcome, origin, phase FROM requests")

    assert seen.received == b""
    assert seen.ending in {Ending.RESET, Ending.REFUSED}  # the reset may come before the client's connect returns
    assert (row["outcome"], row["origin"], row["phase"]) == ("connect_error", "network", "connect")
