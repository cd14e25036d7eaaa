"""Knows how a target URL and a bind address are written; refuses to know whether anybody answers there.

Source: RFC 3986 3.2 (authority); design.md (default ports); spec/reliability.md 10 (binds).
"""

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

_ALLOWED = "http://HOST:PORT, for example http://127.0.0.1:8000"
_PLAIN_PATHS = ("", "/", "/v1", "/v1/")
"""Paths that people copy from a client's base_url; the tee copies bytes, so a path means nothing to it."""
_HTTP_PORT = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where something listens.

    Attributes:
        host: Name or address, without brackets.
        port: TCP port.
    """

    host: str
    port: int

    def __str__(self) -> str:
        """Return `host:port`, an IPv6 host in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """The address as an http URL."""
        return f"http://{self}"


def target_address(url: str) -> Address:
    """Return the address that a target URL names.

    Raises:
        ValueError: The URL is not a plain http one; the message says what is allowed.
    """
    parts = _split(url)
    if parts.scheme == "https":
        raise ValueError(f"found {url!r}, but the tee copies plain bytes and ends no TLS; allowed: {_ALLOWED}")
    if parts.scheme != "http" or not parts.hostname or _extras(parts):
        raise ValueError(f"found {url!r}; allowed: {_ALLOWED}")
    return Address(host=parts.hostname, port=_HTTP_PORT if parts.port is None else parts.port)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a bind address; a name other than `localhost` counts as reachable."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port  # the port is parsed when it is read, and that is where a bad one shows
    except ValueError as error:
        raise ValueError(f"found {url!r} ({error}); allowed: {_ALLOWED}") from None
    if parts.port == 0:
        raise ValueError(f"found {url!r} (port 0); allowed: {_ALLOWED}")
    return parts


def _extras(parts: SplitResult) -> bool:
    return parts.path not in _PLAIN_PATHS or bool(parts.query or parts.fragment or parts.username is not None)
