"""Which requests are let through."""

from collections.abc import Iterable
from typing import Any

import pytest

from slo.api_guard import BODY_BYTES_MAX, Guard, Message, Receive, Scope, Send, hosts_of, is_loopback, refusal
from slo.problem import Problem

HOSTS = hosts_of("127.0.0.1", 8200)
OWN = "127.0.0.1:8200"
JSON = {"content-type": "application/json", "content-length": "2"}
FULL = {**JSON, "content-length": str(BODY_BYTES_MAX)}
OVER = {**JSON, "content-length": str(BODY_BYTES_MAX + 1)}


def scope(method: str = "GET", path: str = "/v1/slos", *, client: str | None = "127.0.0.1", **headers: str) -> Scope:
    known = {"host": OWN, **headers}
    sent = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in known.items() if value]
    return {
        "type": "http", "method": method, "path": path, "headers": sent,
        "client": None if client is None else (client, 1),
    }  # fmt: skip


def status(found: Problem | None) -> int:
    return 200 if found is None else found.status


@pytest.mark.parametrize(
    ("bind", "names", "host", "goes_by_it"),
    [
        pytest.param("127.0.0.1", (), "127.0.0.1:8200", True, id="its address"),
        pytest.param("127.0.0.1", (), "localhost:8200", True, id="a name of this machine"),
        pytest.param("127.0.0.1", (), "[::1]:8200", True, id="its other address"),
        pytest.param("::1", (), "[::1]:8200", True, id="version 6"),
        pytest.param("127.0.0.1", (), "127.0.0.1:8201", False, id="another port"),
        pytest.param("127.0.0.1", (), "evil.example:8200", False, id="a name that was rebound"),
        pytest.param("10.0.0.1", (), "localhost:8200", False, id="loopback, while bound elsewhere"),
        pytest.param("10.0.0.1", ("Slo.Example",), "slo.example:8200", True, id="a configured name"),
        pytest.param("10.0.0.1", ("slo.example",), "slo.example", True, id="behind a proxy"),
        pytest.param("10.0.0.1", ("slo.example:444",), "slo.example:444", True, id="a name with its port"),
        pytest.param("10.0.0.1", ("slo.example:444",), "slo.example:8200", False, id="and not with ours"),
    ],
)
def test_a_host_is_one_that_we_go_by(bind: str, names: Iterable[str], host: str, goes_by_it: bool) -> None:
    assert (host in hosts_of(bind, 8200, names)) is goes_by_it


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(scope(), 200, id="a question"),
        pytest.param(scope(host="LOCALHOST:8200"), 200, id="a host in capitals"),
        pytest.param(scope(host="evil.example"), 421, id="another host"),
        pytest.param(scope(host=""), 421, id="no host"),
        pytest.param(scope(origin="http://evil.example"), 200, id="a question from elsewhere"),
        pytest.param(scope("POST", **JSON), 200, id="a change by a program"),
        pytest.param(scope("POST", **JSON, origin=f"http://{OWN}", sec_fetch_site="same-origin"), 200, id="by us"),
        pytest.param(scope("POST", **JSON, origin="http://evil.example"), 403, id="by another page"),
        pytest.param(scope("POST", **JSON, origin="null"), 403, id="by a page without an origin"),
        pytest.param(scope("POST", **JSON, origin=f"http://{OWN}.evil.example"), 403, id="by a page of a longer name"),
        pytest.param(scope("POST", **JSON, origin="http://127.0.0.1:9000"), 403, id="by a page of another port"),
        pytest.param(scope("POST", **JSON, sec_fetch_site="cross-site"), 403, id="by a form of another page"),
        pytest.param(scope("POST", **JSON, sec_fetch_site="same-site"), 403, id="by a neighbour"),
        pytest.param(scope("POST", **JSON, sec_fetch_site="none"), 403, id="typed into a browser"),
        pytest.param(scope("POST", content_type="text/plain", content_length="2"), 415, id="no JSON"),
        pytest.param(scope("POST", content_length="2"), 415, id="no type"),
        pytest.param(scope("POST"), 415, id="no body"),
        pytest.param(scope("POST", content_type="Application/JSON; charset=utf-8", content_length="2"), 200, id="JSON"),
        pytest.param(scope("POST", **FULL), 200, id="just short enough"),
        pytest.param(scope("POST", **OVER), 413, id="a byte too long"),
        pytest.param(scope("POST", content_type="application/json", content_length="9" * 5_000), 413, id="absurd"),
        pytest.param(scope("DELETE"), 200, id="an end needs no body"),
        pytest.param(scope("DELETE", transfer_encoding="chunked"), 415, id="and no other one"),
        pytest.param(scope("DELETE", origin="http://evil.example"), 403, id="an end by another page"),
        pytest.param(scope(path="/openapi.json"), 200, id="the description, from here"),
        pytest.param(scope(path="/openapi.json", client=None), 200, id="over a socket of this machine"),
        pytest.param(scope(path="/openapi.json", client="10.0.0.9"), 404, id="from elsewhere"),
    ],
)  # fmt: skip
def test_a_request_is_let_through_or_not(asked: Scope, expected: int) -> None:
    assert status(refusal(asked, HOSTS)) == expected


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        pytest.param("10.0.0.7:8200", 200, id="an address"),
        pytest.param("[fd00::7]:8200", 200, id="of version 6"),
        pytest.param("localhost:8200", 200, id="a name of this machine"),
        pytest.param("evil.example:8200", 421, id="a name that was rebound"),
        pytest.param("10.0.0.7:8201", 421, id="another port"),
        pytest.param("*:8200", 421, id="a star"),
        pytest.param("10.0.0.7", 421, id="no port"),
    ],
)
def test_bound_everywhere_it_goes_by_any_address_and_by_no_name(host: str, expected: int) -> None:
    assert status(refusal(scope(host=host), hosts_of("0.0.0.0", 8200))) == expected


def test_two_hosts_are_none() -> None:
    asked = scope()
    asked["headers"].append((b"host", OWN.encode()))

    assert status(refusal(asked, HOSTS)) == 421


@pytest.mark.parametrize(
    ("host", "expected"), [("127.9.9.9", True), ("::1", True), ("LocalHost", True), ("10.0.0.1", False), ("x", False)]
)
def test_loopback_is_this_machine(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


async def _reads_all(_scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-security-policy", b"own")]})
    await send({"type": "http.response.body", "body": b"ok"})


async def _answers_first(_scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200})
    while (await receive()).get("more_body"):
        pass


async def _misreads(_scope: Scope, receive: Receive, send: Send) -> None:
    try:
        while (await receive()).get("more_body"):
            pass
    except Exception:  # noqa: BLE001 -- as a library does that takes any trouble with a body for a bad one
        await send({"type": "http.response.start", "status": 400})
        await send({"type": "http.response.body", "body": b"cannot be read"})


async def played(app: Any, asked: Scope, *bodies: bytes) -> list[Message]:  # noqa: ANN401 -- an ASGI application
    messages = [{"type": "http.request", "body": body, "more_body": True} for body in bodies]
    messages.append({"type": "http.request", "body": b"", "more_body": False})
    sent: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    await Guard(app, HOSTS)(asked, receive, send)
    return sent


async def test_a_body_of_unknown_length_ends_at_the_limit() -> None:
    post = scope("POST", content_type="application/json", transfer_encoding="chunked")
    half = b"x" * (BODY_BYTES_MAX // 2)

    assert [one.get("status") for one in await played(_reads_all, post, half, half)] == [200, None]
    assert [one.get("status") for one in await played(_reads_all, post, half, half, b"x")] == [413, None]
    assert [one.get("status") for one in await played(_answers_first, post, half, half, b"x")] == [200]
    assert [one.get("status") for one in await played(_misreads, post, half, half, b"x")] == [413, None]


async def test_every_answer_forbids_what_no_answer_needs() -> None:
    (start, _) = await played(_reads_all, scope())
    (refused, body) = await played(_reads_all, scope(host="evil"))

    headers = dict(start["headers"])
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"content-security-policy"] == b"own", "an answer may have a policy of its own"
    assert dict(refused["headers"])[b"content-security-policy"] == b"default-src 'none'; frame-ancestors 'none'"
    assert dict(refused["headers"])[b"content-type"] == b"application/problem+json"
    assert b'"status":421' in body["body"]
    assert not any(name.startswith(b"access-control") for name, _ in (*start["headers"], *refused["headers"]))


async def test_what_is_no_http_is_not_answered() -> None:
    seen: list[str] = []

    async def app(asked: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(asked["type"])

    await played(app, {"type": "lifespan"})
    await played(app, {"type": "websocket"})

    assert seen == ["lifespan"]
