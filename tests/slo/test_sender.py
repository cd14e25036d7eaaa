"""Tests of slo.sender: one try over real sockets."""

from collections.abc import Sequence
from ipaddress import ip_address

import pytest
from receiver import HERE, Receiver, receiver

from slo import sender as module
from slo.channels import ChannelKind, Result, Verdict
from slo.posts import Post
from slo.sender import ANSWER_BYTES_MAX, POST_BYTES_MAX, TOTAL_S_MAX, Sender
from telemetry.fetch import Client
from telemetry.guard import Address, Policy
from telemetry.line import Lookup
from telemetry.testing.endpoint import Endpoint
from telemetry.testing.steps import AwaitEnd, AwaitToken, Reset, Send
from telemetry.testing.wire import Script

BODY = b'{"say":"it"}'
HOOK = ChannelKind.WEBHOOK


async def said(url: str, *, policy: Policy = HERE, body: bytes = BODY, client: Client | None = None) -> Verdict:
    sender = Sender(client or Client(), total_s=0.3)
    return await sender.send(HOOK, Post(url=url, headers={"Idempotency-Key": "k"}, body=body), policy, 0.0)


async def said_to(script: Script) -> tuple[Verdict, bytes]:
    with Endpoint(script) as endpoint:
        verdict = await said(f"http://127.0.0.1:{endpoint.address[1]}/")
        [transcript] = endpoint.transcripts(1)
    return verdict, transcript.received


async def test_what_was_taken_is_sent() -> None:
    with receiver() as running:
        verdict = await said(running.url + "/hook?a=b")
    [got] = running.got

    assert verdict == Verdict(result=Result.SENT, http_status=200)
    assert (got.path, got.raw, got.key) == ("/hook?a=b", BODY, "k")


async def test_who_hangs_is_left() -> None:
    verdict, received = await said_to([AwaitToken(BODY), AwaitEnd()])

    assert verdict == Verdict(result=Result.RETRY, why="no answer in time")
    assert received.endswith(BODY)
    assert TOTAL_S_MAX == 10


async def test_who_resets_after_the_body_may_have_heard() -> None:
    verdict, _ = await said_to([AwaitToken(BODY), Reset()])

    assert verdict == Verdict(result=Result.RETRY, why="the peer reset the connection")


@pytest.mark.parametrize(
    "rest",
    [
        pytest.param([Reset()], id="a reset"),
        pytest.param([AwaitEnd()], id="silence"),
        pytest.param([Send(b"x" * (ANSWER_BYTES_MAX + 1)), AwaitEnd()], id="more than is read"),
    ],
)
async def test_a_status_that_came_stands_whatever_follows(rest: Script) -> None:
    head = b"HTTP/1.1 202 Accepted\r\nContent-Length: 99999\r\n\r\n"
    verdict, _ = await said_to([AwaitToken(BODY), Send(head), *rest])

    assert verdict == Verdict(result=Result.SENT, http_status=202)


async def test_a_redirect_is_never_followed() -> None:
    with receiver() as private, receiver(lambda _: (307, {"Location": private.url})) as public:
        verdict = await said(public.url)

    assert verdict.result is Result.RETRY
    assert len(public.got) == 1
    assert private.got == []


async def test_nothing_of_an_answer_is_kept() -> None:
    head = b"HTTP/1.1 500 s3cret\r\nX-A: s3cret\r\nContent-Length: 6\r\n\r\ns3cret"
    verdict, _ = await said_to([AwaitToken(BODY), Send(head)])

    assert verdict == Verdict(result=Result.RETRY, why="answered 500", http_status=500)


async def test_what_is_no_answer_is_tried_again() -> None:
    verdict, _ = await said_to([AwaitToken(BODY), Send(b"garbage\r\n\r\n")])

    assert verdict == Verdict(result=Result.RETRY, why="the answer is no HTTP/1.1")


@pytest.mark.parametrize("more", [0, 1])
async def test_a_body_has_a_bound(more: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert POST_BYTES_MAX == 4 << 20
    monkeypatch.setattr(module, "POST_BYTES_MAX", len(BODY) - more)
    with receiver() as running:
        verdict = await said(running.url)

    assert verdict.result is (Result.REFUSED if more else Result.SENT)
    assert len(running.got) == 1 - more


def answers(*texts: str) -> Lookup:
    async def lookup(host: str, port: int) -> Sequence[Address]:
        del host, port
        return [ip_address(text) for text in texts]

    return lookup


def by_name(running: Receiver) -> str:
    return running.url.replace("127.0.0.1", "hooks.test")


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(("127.0.0.1",), id="a name for loopback"),
        pytest.param(("93.184.215.14", "127.0.0.1"), id="a name for a public and a private address"),
        pytest.param(("169.254.169.254",), id="a name for a cloud's metadata"),
    ],
)
async def test_a_private_address_is_never_asked(found: tuple[str, ...]) -> None:
    policy = Policy(ports=None)
    with receiver() as running:
        verdict = await said(by_name(running), policy=policy, client=Client(answers(*found)))

    assert verdict == Verdict(result=Result.RETRY, why=f"the address {found[-1]} is not allowed")
    assert running.got == []


async def test_a_network_that_was_allowed_is_asked() -> None:
    with receiver() as running:
        verdict = await said(by_name(running), client=Client(answers("127.0.0.1")))

    assert verdict.result is Result.SENT
    assert running.got[0].headers["Host"] == by_name(running).removeprefix("http://")


async def test_a_cloud_s_metadata_is_denied_even_if_allowed() -> None:
    everything = Policy(local=True, networks=HERE.networks, ports=None)
    verdict = await said("http://[::ffff:169.254.169.254]/", policy=everything)

    assert verdict == Verdict(result=Result.RETRY, why="the address ::ffff:a9fe:a9fe is not allowed")
