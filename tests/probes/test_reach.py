import json
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

import pytest
from secure_server import secure_server

from probes.finding import Finding, Word
from probes.reach import PAGE_BYTES_MAX, Handshakes, Host, Lookups, Page, Pages, listed_models
from telemetry.fetch import Client
from telemetry.guard import ENGINE, Address, Policy
from telemetry.outcome import Outcome
from telemetry.testing.endpoint import Endpoint
from telemetry.testing.steps import AwaitEnd, AwaitToken, Close, Send
from telemetry.testing.wire import Script

MODELS = json.dumps({"data": [{"id": "a"}, {"id": "b"}, {}, 1]}).encode()


def answer(body: bytes, status: int = 200) -> Script:
    return [AwaitToken(), Send(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n" % (status, len(body)) + body), AwaitEnd()]


async def asked(script: Script, **wanted: object) -> tuple[Finding, bytes]:
    with Endpoint(script) as endpoint:
        page = Page(url=f"http://127.0.0.1:{endpoint.address[1]}/p", policy=ENGINE, **wanted)  # type: ignore[arg-type] # any field
        found = await Pages(page, client=Client()).find({"x": "1"})
        [transcript] = endpoint.transcripts(1)
    return found, transcript.received


async def test_a_page_that_is_there_is_well() -> None:
    found, sent = await asked(answer(b"body"), headers={"Authorization": "Bearer k"})

    assert (Outcome.OK, True, None, "200") == (found.outcome, found.ok, found.value, found.detail["status"])
    assert found.duration_us is not None
    assert sent.startswith(b"GET /p HTTP/1.1\r\n")
    assert b"Authorization: Bearer k\r\n" in sent


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        (answer(b"", 503), Outcome.UNAVAILABLE),
        (answer(b"", 401), Outcome.AUTH),
        (answer(b"", 302), Outcome.UNAVAILABLE),
        (answer(b"EngineCore encountered an issue", 500), Outcome.ENGINE_DEAD),
        ([AwaitToken(), Close()], Outcome.CONNECT_ERROR),
        (answer(b"x" * (PAGE_BYTES_MAX + 1)), Outcome.BAD_OUTPUT),
    ],
)
async def test_a_page_that_is_not_there_says_why(script: Script, outcome: Outcome) -> None:
    found, _ = await asked(script)

    assert (outcome, False) == (found.outcome, found.ok)


async def test_a_page_of_exactly_the_bound_is_taken() -> None:
    assert (await asked(answer(b"x" * PAGE_BYTES_MAX)))[0].ok


@pytest.mark.parametrize(
    ("body", "model", "outcome", "value"),
    [(MODELS, "b", Outcome.OK, 2.0), (MODELS, "c", Outcome.NOT_FOUND, 2.0), (b"no json", "a", Outcome.NOT_FOUND, 0.0)],
)
async def test_a_model_must_be_listed(body: bytes, model: str, outcome: Outcome, value: float) -> None:
    found, _ = await asked(answer(body), model=model)

    assert (outcome, value) == (found.outcome, found.value)


async def test_a_text_is_posted_and_one_is_taken() -> None:
    script: Script = [AwaitToken(b'{"prompt":"1"}'), *answer(b'{"data":[{"url":"http://i"}]}')[1:]]

    found, sent = await asked(script, body={"prompt": "${x}"}, take="data.0.url")
    without, _ = await asked(script, body={"prompt": "${x}"}, take="data.1.url")

    assert (Outcome.OK, "http://i") == (found.outcome, found.text)
    assert sent.startswith(b"POST /p HTTP/1.1\r\n")
    assert b"Content-Type: application/json\r\n" in sent
    assert (Outcome.BAD_OUTPUT, "take") == (without.outcome, without.detail["check"])


async def lookup(host: str, port: int) -> Sequence[Address]:
    """Know one name."""
    del port
    if host != "near.test":
        raise OSError(host)
    return [ip_address("127.0.0.1"), ip_address("::1")]


@pytest.mark.parametrize(
    ("url", "policy", "outcome", "ok"),
    [
        ("http://near.test/", ENGINE, Outcome.OK, True),
        ("http://near.test/", Policy(), Word.GUARDED, False),
        ("http://nothing.test/", ENGINE, Outcome.CONNECT_ERROR, False),
    ],
)
async def test_a_name_has_addresses_that_may_be_asked(url: str, policy: Policy, outcome: str, ok: bool) -> None:
    found = await Lookups(Host(url=url, policy=policy), client=Client(lookup)).find({})

    assert (outcome, ok) == (found.outcome, found.ok)
    assert found.value == (2.0 if ok else None)
    assert (found.duration_us is not None) == ok


async def test_a_server_without_tls_has_no_certificate() -> None:
    with Endpoint([Send(b"HTTP/1.1 200 OK\r\n\r\n"), AwaitEnd()]) as endpoint:
        url = f"https://127.0.0.1:{endpoint.address[1]}/"
        found = await Handshakes(Host(url=url, policy=ENGINE), client=Client()).find({})
        endpoint.transcripts(1)
    with Endpoint() as endpoint:
        url = f"https://127.0.0.1:{endpoint.address[1]}/"
    nobody = await Handshakes(Host(url=url, policy=ENGINE), client=Client()).find({})

    assert (Word.CERTIFICATE, False, Outcome.CONNECT_ERROR) == (found.outcome, found.ok, nobody.outcome)


async def test_the_value_of_a_certificate_is_for_how_long_it_holds(certificate: Path) -> None:
    with secure_server(certificate) as (port, _):
        host = Host(url=f"https://127.0.0.1:{port}/", policy=ENGINE)
        found = await Handshakes(host, client=Client(ca_file=str(certificate))).find({})
        stranger = await Handshakes(host, client=Client()).find({})

    assert (Outcome.OK, True, "ok") == (found.outcome, found.ok, found.detail["level"])
    assert found.value is not None
    assert 29 < found.value <= 30
    assert found.duration_us is not None
    assert (Word.CERTIFICATE, False, "tls") == (stranger.outcome, stranger.ok, stranger.detail["fault"])


async def test_what_comes_after_the_handshake_does_not_matter(certificate: Path) -> None:
    with secure_server(certificate, answer=b"") as (port, _):
        host = Host(url=f"https://127.0.0.1:{port}/", policy=ENGINE)
        found = await Handshakes(host, client=Client(ca_file=str(certificate))).find({})

    assert (Outcome.OK, True) == (found.outcome, found.ok)
    assert found.value is not None


def test_models_are_read_from_what_may_be_anything() -> None:
    assert frozenset({"a", "b"}) == listed_models(MODELS)
    assert frozenset() == listed_models(b"[]") | listed_models(b'{"data":1}') | listed_models(b"\xff")
