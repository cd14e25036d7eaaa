"""Knows how to ask one HTTP question over a connection of its own; refuses to judge answers.

A question resolves its name once, has every address judged by the guard, dials an address that was judged, and shows
the original name to the server (Host, SNI). It follows no redirect, knows no proxy, keeps no cookie and no connection,
asks for identity coding and decodes none. Its answer comes whole, bounded in time and bytes, or as it is received.

httpcore is what httpx itself speaks HTTP with; httpx adds to it what nobody here may do (redirects, decoding,
cookies, proxies) and lets nobody in between name and socket.

Source: spec/reliability.md 12; spec/measurement.md 2, 4 (identity), 15 (limits of a scrape).
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import MappingProxyType, TracebackType
from typing import Self, cast

import httpcore

from telemetry import clock, guard
from telemetry.fetch_error import Fault, FetchError
from telemetry.guard import Address, Place, Policy
from telemetry.line import Line, Lookup, dial, lookup

_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_OURS = frozenset({"host", "connection", "accept-encoding", "content-length", "transfer-encoding"})
_DECODED = frozenset({b"", b"identity"})


@dataclass(slots=True, kw_only=True)
class Trace:
    """What happened on the way to an answer; filled as it happens, so it also tells how far a failure came.

    Attributes:
        issued_ns: The question was put, monotonic nanoseconds; 0 before.
        dns_us: Look-up of the name; None for an address.
        connect_us: TCP connection, of all addresses that were tried.
        tls_us: TLS handshake; None without one.
        connected_ns: The connection could be used; None before.
        sent_ns: The last byte of the question was handed to the kernel; None before.
        head_ns: The head of the answer was complete; None before.
        certificate_end_unix_s: End of the peer's certificate; None without one.
        sent_bytes: Bytes of the question, its head included.
        received_bytes: Bytes of the answer, its head and framing included.
    """

    issued_ns: int = 0
    dns_us: int | None = None
    connect_us: int | None = None
    tls_us: int | None = None
    connected_ns: int | None = None
    sent_ns: int | None = None
    head_ns: int | None = None
    certificate_end_unix_s: int | None = None
    sent_bytes: int = 0
    received_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """One whole answer.

    Attributes:
        status: HTTP status; a redirect is an answer like any other.
        headers: By lower-case name; several of one name are joined by a comma.
        body: As it came.
        elapsed_us: Question to last byte.
        trace: How the time was spent.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    elapsed_us: int
    trace: Trace = field(default_factory=Trace)


class Answer:
    """The head of an answer whose body is still to come.

    Attributes:
        status: HTTP status.
        headers: As they came.
        encoded: The body came in a coding that nobody asked for; it is handed out as it is.
    """

    def __init__(self, response: httpcore.Response, stream: "_Backend", bytes_max: int) -> None:
        self.status = response.status
        self.headers: list[tuple[bytes, bytes]] = response.headers
        codings = [value for name, value in response.headers if name.lower() == b"content-encoding"]
        self.encoded = not _DECODED.issuperset(value.strip().lower() for value in codings)
        self._body = cast("AsyncGenerator[bytes]", aiter(cast("AsyncIterable[bytes]", response.stream)))
        self._stream = stream
        self._left_bytes = bytes_max

    async def read(self) -> tuple[int, bytes] | None:
        """Return the next bytes of the body and the instant at which they came; None when it is complete.

        Raises:
            FetchError: `reset`, `protocol` or `too_large`.
        """
        chunk = await anext(self._body, None)
        if chunk is None:
            return None
        self._left_bytes -= len(chunk)
        if self._left_bytes < 0:
            raise FetchError(Fault.TOO_LARGE, "the answer has more bytes than allowed")
        return self._stream.at_ns, chunk

    async def close(self) -> None:
        """Read no more."""
        await self._body.aclose()


class Client:
    """Asks questions, each over a connection of its own.

    Args:
        lookup: Gives the addresses of a name.
        ca_file: PEM file of authorities to trust beside the usual ones; None for none.
    """

    def __init__(self, lookup: Lookup = lookup, ca_file: str | None = None) -> None:
        self._lookup = lookup
        self._ca_file = ca_file
        self._context: ssl.SSLContext | None = None

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave; every question has closed its own connection."""

    async def fetch(  # noqa: PLR0913 -- a question has that many parts, all by name
        self,
        method: str,
        url: str,
        *,
        policy: Policy,
        total_s: float,
        bytes_max: int,
        headers: Mapping[str, str] = _NO_HEADERS,
        body: bytes | None = None,
        trace: Trace | None = None,
    ) -> Fetched:
        """Ask, and take the whole answer.

        Args:
            method: HTTP method.
            url: What to ask.
            policy: Where it may lead.
            total_s: Longest time for everything.
            bytes_max: Longest body.
            headers: Of the question.
            body: Of the question; None sends none.
            trace: Filled on the way, for one who wants to know it of a failure too.

        Raises:
            FetchError: There is no whole answer.
        """
        trace = Trace() if trace is None else trace
        try:
            async with (
                asyncio.timeout(total_s),
                self.stream(
                    method, url, policy=policy, bytes_max=bytes_max, headers=headers, body=body, trace=trace
                ) as answer,
            ):
                if answer.encoded:
                    raise FetchError(Fault.PROTOCOL, "the answer came in a coding that was not asked for")
                whole = bytearray()
                while (got := await answer.read()) is not None:
                    whole += got[1]
        except TimeoutError:
            kind = Fault.CONNECT_TIMEOUT if trace.connected_ns is None else Fault.TIMEOUT
            raise FetchError(kind, f"no whole answer in {total_s} s") from None
        return Fetched(
            status=answer.status,
            headers=_joined(answer.headers),
            body=bytes(whole),
            elapsed_us=(clock.monotonic_ns() - trace.issued_ns) // 1000,
            trace=trace,
        )

    @asynccontextmanager
    async def stream(  # noqa: PLR0913 -- a question has that many parts, all by name
        self,
        method: str,
        url: str,
        *,
        policy: Policy,
        bytes_max: int,
        headers: Mapping[str, str] = _NO_HEADERS,
        body: bytes | None = None,
        trace: Trace | None = None,
    ) -> AsyncGenerator[Answer]:
        """Ask, and hand the answer out when its head has come; the caller bounds the time.

        Raises:
            FetchError: There is no answer, or its body ends badly while it is read.
        """
        trace = Trace() if trace is None else trace
        trace.issued_ns = clock.monotonic_ns()
        to = guard.place(url, policy)
        backend = _Backend(to, policy, self._lookup, trace)
        connection = httpcore.AsyncHTTPConnection(
            origin=httpcore.Origin(to.scheme.encode(), to.host.encode(), to.port),
            ssl_context=self._trust() if to.scheme == "https" else None,
            network_backend=backend,
        )
        request = httpcore.Request(
            method,
            httpcore.URL(scheme=to.scheme, host=to.host, port=to.port, target=to.path),
            headers=_headers(to, headers, body),
            content=body,
        )
        try:
            response = await connection.handle_async_request(request)
            trace.head_ns = backend.at_ns
            answer = Answer(response, backend, bytes_max)
            try:
                yield answer
            finally:
                await answer.close()
        except httpcore.RemoteProtocolError:
            raise backend.broken() from None
        except httpcore.LocalProtocolError:  # its text may quote a header, and so a secret
            raise FetchError(Fault.PROTOCOL, "the question cannot be sent: a method or header is no HTTP") from None
        finally:
            await backend.aclose()

    async def resolve(self, url: str, *, policy: Policy, total_s: float, trace: Trace) -> Sequence[Address]:
        """Look the host of a URL up and judge every answer; connect to none.

        Raises:
            FetchError: `dns` or `guarded`.
        """
        try:
            async with asyncio.timeout(total_s):
                return await _judged(guard.place(url, policy), policy, self._lookup, trace)
        except TimeoutError:
            raise FetchError(Fault.DNS, f"the resolver did not answer in {total_s} s") from None

    def _trust(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = httpcore.default_ssl_context()
            if self._ca_file is not None:
                self._context.load_verify_locations(self._ca_file)
        return self._context


class _Backend(httpcore.AsyncNetworkBackend, httpcore.AsyncNetworkStream):
    """One line as httpcore wants it: first what makes it, then what it is.

    What httpcore hands over beside is passed over: it dials the place that was judged, and the caller
    bounds the time.
    """

    def __init__(self, to: Place, policy: Policy, lookup: Lookup, trace: Trace) -> None:
        self.at_ns = 0  # of the last read
        self._to = to
        self._policy = policy
        self._lookup = lookup
        self._trace = trace
        self._line: Line | None = None
        self._ended = False

    async def connect_tcp(self, *_: object, **__: object) -> httpcore.AsyncNetworkStream:
        addresses = await _judged(self._to, self._policy, self._lookup, self._trace)
        began_ns = clock.monotonic_ns()
        self._line = await dial(addresses, self._to.port)
        self._trace.connected_ns = clock.monotonic_ns()
        self._trace.connect_us = (self._trace.connected_ns - began_ns) // 1000
        return self

    async def start_tls(self, ssl_context: ssl.SSLContext, *_: object, **__: object) -> httpcore.AsyncNetworkStream:
        began_ns, self._trace.connected_ns = clock.monotonic_ns(), None
        self._trace.certificate_end_unix_s = await self._made.secure(ssl_context, self._to.host)
        self._trace.connected_ns = clock.monotonic_ns()
        self._trace.tls_us = (self._trace.connected_ns - began_ns) // 1000
        return self

    async def read(self, *_: object, **__: object) -> bytes:
        self.at_ns, data = await self._made.read()
        self._ended = not data
        self._trace.received_bytes += len(data)
        return data

    async def write(self, buffer: bytes, *_: object, **__: object) -> None:
        if buffer and not await self._made.write(buffer):
            raise httpcore.WriteError  # httpcore then reads what the server has said
        self._trace.sent_ns = clock.monotonic_ns()
        self._trace.sent_bytes += len(buffer)

    async def aclose(self) -> None:
        if self._line is not None:
            await self._line.close()

    def broken(self) -> FetchError:
        """Tell an end that came too early from an answer that is no HTTP."""
        if self._ended:
            return FetchError(Fault.RESET, "the peer closed before its answer was complete")
        return FetchError(Fault.PROTOCOL, "the answer is no HTTP/1.1")

    @property
    def _made(self) -> Line:
        assert self._line is not None  # noqa: S101 -- httpcore connects first
        return self._line


async def _judged(to: Place, policy: Policy, lookup: Lookup, trace: Trace) -> Sequence[Address]:
    """Look a name up, once, and judge every answer."""
    if to.address is not None:
        return [to.address]  # judged when the URL was read
    began_ns = clock.monotonic_ns()
    try:
        found = await lookup(to.host, to.port)
    except OSError:
        raise FetchError(Fault.DNS, f"the name {to.host} has no address") from None
    finally:
        trace.dns_us = (clock.monotonic_ns() - began_ns) // 1000
    guard.allowed(found, policy)
    return found


def _headers(to: Place, told: Mapping[str, str], body: bytes | None) -> list[tuple[bytes, bytes]]:
    ours = {"Host": to.authority, "Accept-Encoding": "identity", "Connection": "close"}
    if body is not None:
        ours["Content-Length"] = str(len(body))
    theirs = {name: value for name, value in told.items() if name.lower() not in _OURS}
    return [
        (name.encode("latin-1", "replace"), value.encode("latin-1", "replace"))
        for name, value in {**ours, **theirs}.items()
    ]


def _joined(headers: Iterable[tuple[bytes, bytes]]) -> Mapping[str, str]:
    told: dict[str, str] = {}
    for name, value in headers:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        told[key] = f"{told[key]}, {text}" if key in told else text
    return told
