import asyncio
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

import pytest
from secure_server import secure_server

from telemetry import clock
from telemetry.fetch import Client, Fetched, Trace
from telemetry.fetch_error import Fault, FetchError
from telemetry.guard import ENGINE, PUBLIC, Address, Policy
from telemetry.line import Lookup
from telemetry.testing.endpoint import Endpoint
from telemetry.testing.steps import AwaitEnd, AwaitToken, Close, Pause, Reset, Send, Stall
from telemetry.testing.wire import Gate, Script

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Two: a\r\nX-Two: b\r\nContent-Length: 5\r\n\r\nhello"
STREAM = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def url_of(endpoint: Endpoint, host: str = "127.0.0.1", path: str = "/") -> str:
    return f"http://{host}:{endpoint.address[1]}{path}"


def answers(*texts: str) -> Lookup:
    async def lookup(host: str, port: int) -> Sequence[Address]:
        del host, port
        return [ip_address(text) for text in texts]

    return lookup


async def fetched(url: str, *, client: Client | None = None, policy: Policy = ENGINE, total_s: float = 5.0) -> Fetched:
    return await (client or Client()).fetch("GET", url, policy=policy, total_s=total_s, bytes_max=1000)


async def fault_of(script: Script, *, total_s: float = 5.0) -> Fault:
    with Endpoint(script) as endpoint:
        with pytest.raises(FetchError) as caught:
            await fetched(url_of(endpoint), total_s=total_s)
        endpoint.transcripts(1)
    return caught.value.kind


async def test_an_answer_comes_whole() -> None:
    with Endpoint([AwaitToken(), Send(OK)]) as endpoint:
        async with Client() as client:
            found = await fetched(url_of(endpoint, path="/a?b=c"), client=client)
        [transcript] = endpoint.transcripts(1)

    assert (200, b"hello", "a, b", "text/plain") == (
        found.status,
        found.body,
        found.headers["x-two"],
        found.headers["content-type"],
    )
    head = transcript.received.decode().split("\r\n")
    assert "GET /a?b=c HTTP/1.1" == head[0]
    assert {f"Host: {url_of(endpoint)[7:-1]}", "Accept-Encoding: identity", "Connection: close"} <= set(head)
    trace = found.trace
    assert trace.dns_us is None
    assert trace.tls_us is None
    stamps = [trace.issued_ns, trace.connected_ns, trace.sent_ns, trace.head_ns]
    assert stamps == sorted(stamp for stamp in stamps if stamp is not None)
    assert found.elapsed_us >= (trace.connect_us or 0)


async def test_a_question_may_have_a_body_and_headers_but_not_ours() -> None:
    with Endpoint([AwaitToken(b"{}"), Send(OK)]) as endpoint:
        await Client().fetch(
            "POST",
            url_of(endpoint),
            policy=ENGINE,
            total_s=5,
            bytes_max=100,
            headers={"Authorization": "Bearer k", "Accept-Encoding": "gzip", "host": "elsewhere"},
            body=b"{}",
        )
        [transcript] = endpoint.transcripts(1)

    sent = transcript.received
    assert b"Authorization: Bearer k\r\n" in sent
    assert b"Content-Length: 2\r\n" in sent
    assert b"gzip" not in sent
    assert b"elsewhere" not in sent


async def test_the_environment_names_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with Endpoint([AwaitToken(), Send(OK)]) as endpoint, Endpoint([AwaitEnd()]) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, url_of(proxy))

        assert 200 == (await fetched(url_of(endpoint))).status
        with pytest.raises(TimeoutError):
            proxy.transcripts(1, wait_s=0.0)


async def test_a_redirect_is_an_answer() -> None:
    with Endpoint([AwaitEnd()]) as private:
        redirect = f"HTTP/1.1 302 Found\r\nLocation: {url_of(private)}\r\nContent-Length: 0\r\n\r\n".encode()
        with Endpoint([AwaitToken(), Send(redirect)]) as endpoint:
            found = await fetched(url_of(endpoint))

        assert (302, url_of(private)) == (found.status, found.headers["location"])
        with pytest.raises(TimeoutError):
            private.transcripts(1, wait_s=0.0)


@pytest.mark.parametrize(
    ("addresses", "policy"),
    [
        (["8.8.8.8", "169.254.169.254"], PUBLIC),
        (["127.0.0.1", "169.254.169.254"], ENGINE),
        (["127.0.0.1"], PUBLIC),
        (["::ffff:127.0.0.1"], ENGINE),
    ],
    ids=["public and metadata", "near and metadata", "near for the public", "mapped"],
)
async def test_a_name_that_leads_astray_is_not_dialled(addresses: list[str], policy: Policy) -> None:
    with Endpoint([AwaitEnd()]) as endpoint:
        port = endpoint.address[1]
        client = Client(lookup=answers(*addresses))

        with pytest.raises(FetchError) as caught:
            await fetched(
                f"http://name.test:{port}/",
                client=client,
                policy=Policy(local=policy.local, ports=frozenset({port})),
            )
        with pytest.raises(TimeoutError):
            endpoint.transcripts(1, wait_s=0.0)

    assert Fault.GUARDED == caught.value.kind


async def test_a_name_that_changes_between_check_and_dial_changes_nothing() -> None:
    asked: list[str] = []

    async def lookup(host: str, port: int) -> Sequence[Address]:
        del port
        asked.append(host)
        return [ip_address("127.0.0.1" if len(asked) == 1 else "169.254.169.254")]

    with Endpoint([AwaitToken(), Send(OK)]) as endpoint:
        client = Client(lookup=lookup)
        found = await fetched(url_of(endpoint, host="name.test."), client=client)
        [transcript] = endpoint.transcripts(1)
        with pytest.raises(FetchError) as caught:
            await fetched(url_of(endpoint, host="name.test"), client=client)

    assert 200 == found.status
    assert found.trace.dns_us is not None
    assert f"Host: name.test:{endpoint.address[1]}\r\n".encode() in transcript.received
    assert Fault.GUARDED == caught.value.kind
    assert ["name.test", "name.test"] == asked


async def test_localhost_is_no_public_service() -> None:
    with Endpoint([AwaitToken(), Send(OK)]) as endpoint:
        url = url_of(endpoint, host="localhost.")

        with pytest.raises(FetchError) as caught:
            await fetched(url, policy=Policy(ports=frozenset({endpoint.address[1]})))

        assert Fault.GUARDED == caught.value.kind
        assert 200 == (await fetched(url)).status


async def test_the_second_address_is_dialled_if_the_first_refuses() -> None:
    with Endpoint([AwaitToken(), Send(OK)]) as endpoint:
        client = Client(lookup=answers("127.0.0.2", "127.0.0.1"))

        assert 200 == (await fetched(url_of(endpoint, host="name.test"), client=client)).status


async def test_a_name_without_address_and_a_port_without_server() -> None:
    async def nothing(host: str, port: int) -> Sequence[Address]:
        raise OSError(host, port)

    with Endpoint() as endpoint:
        url = url_of(endpoint)
    with pytest.raises(FetchError) as nameless:
        await fetched("http://name.test/", client=Client(lookup=nothing))
    with pytest.raises(FetchError) as refused:
        await fetched(url)

    assert (Fault.DNS, Fault.REFUSED) == (nameless.value.kind, refused.value.kind)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ([AwaitToken(), Close()], Fault.RESET),
        ([AwaitToken(), Reset()], Fault.RESET),
        ([AwaitToken(), Send(OK[:-1]), Close()], Fault.RESET),
        ([AwaitToken(), Send(OK[:-1]), Reset()], Fault.RESET),
        ([AwaitToken(), Send(STREAM + b"1\r\na\r\n"), Close()], Fault.RESET),
        ([AwaitToken(), Send(STREAM + b"zz\r\na\r\n")], Fault.PROTOCOL),
        ([AwaitToken(), Send(bytes(range(256)) * 4)], Fault.PROTOCOL),
        ([AwaitToken(), Send(b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n" + b"x" * 1001)], Fault.TOO_LARGE),
        ([AwaitToken(), Send(OK.replace(b"X-Two: a", b"Content-Encoding: gzip"))], Fault.PROTOCOL),
    ],
    ids=[
        "closed before the head",
        "reset before the head",
        "closed in the body",
        "reset in the body",
        "closed in the chunks",
        "chunks that are none",
        "bytes that are no HTTP",
        "one byte too much",
        "a coding nobody asked for",
    ],
)
async def test_what_is_no_answer_says_why(script: Script, expected: Fault) -> None:
    assert expected == await fault_of(script)


async def test_a_body_of_exactly_the_limit_is_taken() -> None:
    with Endpoint([AwaitToken(), Send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 1000)]) as endpoint:
        assert 1000 == len((await fetched(url_of(endpoint))).body)


@pytest.mark.parametrize(
    "script",
    [[AwaitEnd()], [AwaitToken(), Send(OK[:-1]), AwaitEnd()], [AwaitToken(), *[Send(b"H"), Pause(0.02)] * 100]],
    ids=["silence", "a body that stops", "a head that drips"],
)
async def test_time_is_limited(script: Script) -> None:
    assert Fault.TIMEOUT == await fault_of(script, total_s=0.05)


async def test_a_header_that_is_none_is_refused_without_being_shown() -> None:
    headers = {"Authorization": "canary\nX: 1"}
    with Endpoint([AwaitToken(), Send(OK)]) as endpoint:
        with pytest.raises(FetchError) as caught:
            await Client().fetch("GET", url_of(endpoint), policy=ENGINE, total_s=5, bytes_max=9, headers=headers)
        endpoint.transcripts(1)

    assert Fault.PROTOCOL == caught.value.kind
    assert "canary" not in str(caught.value)


async def test_a_stream_carries_the_stamps_of_its_reads() -> None:
    pieces = [b"data: 1\n\n", b"data: 22\n\n", b"data: 333\n\n"]
    first, *later = [f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces]
    gate, trace = Gate(), Trace()
    script = [AwaitToken(), Send(STREAM + first), Stall(gate), *map(Send, later), Send(b"0\r\n\r\n")]
    with Endpoint(script) as endpoint:
        async with Client().stream("GET", url_of(endpoint), policy=ENGINE, bytes_max=999, trace=trace) as answer:
            late_ns = (
                clock.monotonic_ns()
            )  # the reader takes all of it later, the stamps are of the socket all the same
            gate.open()
            got: list[tuple[int, bytes]] = []
            while (chunk := await answer.read()) is not None:
                got.append(chunk)

    assert pieces == [data for _, data in got]
    stamps = [at_ns for at_ns, _ in got]
    assert stamps == sorted(stamps)
    assert trace.head_ns == stamps[0]
    assert stamps[0] < late_ns < stamps[1]


async def test_a_stream_that_is_left_early_closes_its_connection() -> None:
    with Endpoint([AwaitToken(), Send(STREAM + b"1\r\na\r\n"), AwaitEnd()]) as endpoint:
        async with Client().stream("GET", url_of(endpoint), policy=ENGINE, bytes_max=9) as answer:
            await answer.read()

        assert 1 == len(endpoint.transcripts(1))


async def test_tls_asks_for_the_name_and_tells_when_the_certificate_ends(certificate: Path) -> None:
    with secure_server(certificate) as (port, asked):
        client = Client(lookup=answers("127.0.0.1"), ca_file=str(certificate))
        named = await fetched(f"https://probe.test:{port}/", client=client)
        plain = await fetched(f"https://127.0.0.1:{port}/", client=client)

    assert [(200, b"hello")] * 2 == [(named.status, named.body), (plain.status, plain.body)]
    assert ["probe.test", None] == asked  # an address is no server name (RFC 6066 3)
    assert named.trace.tls_us is not None
    end_unix_s = named.trace.certificate_end_unix_s
    assert end_unix_s is not None
    assert end_unix_s - clock.wall_ms() // 1000 in range(29 * 86_400, 30 * 86_400 + 1)


@pytest.mark.parametrize(
    ("host", "is_trusted"), [("probe.test", False), ("other.test", True)], ids=["unknown authority", "other name"]
)
async def test_a_certificate_that_proves_nothing_is_refused(certificate: Path, host: str, is_trusted: bool) -> None:
    with secure_server(certificate) as (port, _):
        client = Client(lookup=answers("127.0.0.1"), ca_file=str(certificate) if is_trusted else None)
        with pytest.raises(FetchError, match="certificate was refused") as caught:
            await fetched(f"https://{host}:{port}/", client=client)

    assert Fault.TLS == caught.value.kind


async def test_a_resolver_that_is_silent_is_left_in_time() -> None:
    async def silent(host: str, port: int) -> Sequence[Address]:
        await asyncio.sleep(60)
        raise OSError(host, port)

    with pytest.raises(FetchError) as caught:
        await Client(lookup=silent).resolve("http://name.test/", policy=ENGINE, total_s=0.05, trace=Trace())

    assert Fault.DNS == caught.value.kind


async def test_a_server_that_is_silent_in_the_handshake_is_left_in_time() -> None:
    with Endpoint([AwaitEnd()]) as endpoint:
        with pytest.raises(FetchError) as caught:
            await fetched(url_of(endpoint).replace("http:", "https:"), total_s=0.1)
        endpoint.transcripts(1, wait_s=5)  # and its connection is closed

    assert Fault.CONNECT_TIMEOUT == caught.value.kind


async def test_a_server_that_speaks_no_tls_is_a_tls_fault() -> None:
    with Endpoint([Send(OK), AwaitEnd()]) as endpoint:
        with pytest.raises(FetchError) as caught:
            await fetched(url_of(endpoint).replace("http:", "https:"))
        endpoint.transcripts(1)

    assert Fault.TLS == caught.value.kind
