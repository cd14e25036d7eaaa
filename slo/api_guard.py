"""Knows which requests are let through to the API at all, as an ASGI wrapper; refuses to know routes.

A page of another site can make a browser send requests to a server on loopback, under its own name (DNS rebinding) or
ours (forged requests). The first is caught by the list of hosts that we go by. The second cannot send JSON without a
preflight, which is never answered, as no header here grants anything to other origins; and a browser that sends Origin
or Sec-Fetch-Site says itself that it comes from elsewhere.

Source: spec/reliability.md 13 (hosts, 421; Origin, Sec-Fetch-Site, JSON); ASGI 3.0, HTTP message format.
"""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextlib import suppress
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import msgspec

from slo.problem import MEDIA_TYPE, Problem, ProblemCode, problem

BODY_BYTES_MAX = 64 << 10
"""Longest body that is read."""
DOCUMENT_PATH = "/openapi.json"
"""Told on loopback alone."""

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 -- known, not bound
_ANY_ADDRESS = "any address"  # no host: it has a space
_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")


class _TooLargeError(Exception):
    """The body goes on beyond the limit."""


def hosts_of(bind: str, port: int, names: Iterable[str] = ()) -> frozenset[str]:
    """Return the values of Host that a server goes by.

    Args:
        bind: Address that it listens on; if that is every one of this machine, any address is gone by, for only names
            can be rebound.
        port: Port that it listens on.
        names: Further names, with or without a port.
    """
    own = [f"[{bind}]" if ":" in bind else bind]
    if is_loopback(bind) or bind in _EVERYWHERE:
        own += _LOOPBACK_NAMES
    if bind in _EVERYWHERE:
        own.append(_ANY_ADDRESS)
    found = {f"{name}:{port}" for name in own} | {name.lower() for name in names}
    found |= {f"{name}:{port}" for name in names if not _has_port(name)}
    return frozenset(name.lower() for name in found)


def is_loopback(host: str) -> bool:
    """Return whether an address is of this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


class Guard:
    """Lets requests through to an application, or answers them itself.

    Args:
        app: The application.
        hosts: Values of Host that it goes by, in lower case.
    """

    def __init__(self, app: App, hosts: frozenset[str]) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return  # no websockets: a server that gets no answer refuses the handshake
        refused = refusal(scope, self._hosts)
        if refused is not None:
            await _answer(refused, send)
            return
        exchange = _Exchange(receive, send)
        with suppress(_TooLargeError):
            await self._app(scope, exchange.receive, exchange.send)
        if exchange.is_too_large and not exchange.has_begun:
            await _answer(_too_large(scope["path"]), send)


class _Exchange:
    """One request and its answer: the body is bounded, the answer gets our headers.

    Subtle: a library may take the end of a body that is too long for a body that it cannot read, and answer that; what
    it says then is dropped, for the reason is ours.
    """

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._body_bytes = 0
        self.is_too_large = self.has_begun = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._body_bytes += len(message.get("body", b""))
        if self._body_bytes > BODY_BYTES_MAX:
            self.is_too_large = True
            raise _TooLargeError
        return message

    async def send(self, message: Message) -> None:
        if self.is_too_large and not self.has_begun:
            return
        if message["type"] == "http.response.start":
            self.has_begun = True
            message["headers"] = _with_headers(list(message.get("headers", ())))
        await self._send(message)


def refusal(scope: Scope, hosts: frozenset[str]) -> Problem | None:
    """Return why a request is not let through; None if it is."""
    path = str(scope["path"])
    host = _only(scope, b"host")
    if host is None or not _goes_by(host.lower(), hosts):
        return problem(ProblemCode.MISDIRECTED, "this server does not go by that name", path)
    if path == DOCUMENT_PATH and not _comes_from_here(scope):
        return problem(ProblemCode.NOT_FOUND, "there is nothing here", path)
    if scope["method"] not in _SAFE:
        return _refused_change(scope, host, path)
    return None


def _goes_by(host: str, hosts: frozenset[str]) -> bool:
    name, _, port = host.rpartition(":")
    return host in hosts or (f"{_ANY_ADDRESS}:{port}" in hosts and _is_address(name))


def _is_address(name: str) -> bool:
    try:
        ip_address(name.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True


def _refused_change(scope: Scope, host: str, path: str) -> Problem | None:
    for origin in _values(scope, b"origin"):
        if urlsplit(origin).netloc.lower() != host.lower():
            return problem(ProblemCode.FORBIDDEN_ORIGIN, "changes are taken from our own pages only", path)
    if any(site != "same-origin" for site in _values(scope, b"sec-fetch-site")):
        return problem(ProblemCode.FORBIDDEN_ORIGIN, "changes are taken from our own pages only", path)
    length = _only(scope, b"content-length") or "0"
    has_body = length != "0" or _values(scope, b"transfer-encoding") or scope["method"] != "DELETE"
    kind = (_only(scope, b"content-type") or "").partition(";")[0].strip().lower()
    if has_body and kind != "application/json":
        return problem(ProblemCode.UNSUPPORTED_MEDIA_TYPE, "the body must be application/json", path)
    if length.isdecimal() and int(length[:20]) > BODY_BYTES_MAX:
        return _too_large(path)
    return None


def _too_large(path: str) -> Problem:
    return problem(ProblemCode.TOO_LARGE, f"a body may have {BODY_BYTES_MAX} bytes", path)


async def _answer(said: Problem, send: Send) -> None:
    body = msgspec.json.encode(said)
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    start = {"type": "http.response.start", "status": said.status, "headers": _with_headers(headers)}
    await send(start)
    await send({"type": "http.response.body", "body": body})


def _with_headers(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    own = {name for name, _ in headers}
    return [*headers, *(one for one in (*_HEADERS, _POLICY) if one[0] not in own)]


def _values(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def _only(scope: Scope, name: bytes) -> str | None:
    """Return the value of a header that stands there once; None if it does not."""
    found = _values(scope, name)
    return found[0] if len(found) == 1 else None


def _comes_from_here(scope: Scope) -> bool:
    client = scope.get("client")
    return client is None or is_loopback(str(client[0]))


def _has_port(name: str) -> bool:
    return name.rpartition(":")[2].isdecimal()
