"""Knows which addresses may be asked; refuses to look names up or to connect.

A name proves nothing: what counts is every address that it stands for, so whoever dials hands all of them to `allowed`
and then dials one of those. Numbers that only some resolvers take for an address (`2852039166`, `0177.0.0.1`,
`0x7f.1`) are refused as they stand, and so is an IPv4 address in the clothes of IPv6.

Source: spec/reliability.md 12; IANA special-purpose address registries (by `ipaddress`); WHATWG URL, "ends in a
number"; RFC 6052 (64:ff9b::/96).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import urlsplit

from telemetry.fetch_error import Fault, FetchError

HOST_CHARS_MAX = 253
"""Longest host name (RFC 1035)."""
PORT_MAX = 65_535
"""The largest TCP port."""

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_PORTS = {"http": 80, "https": 443}
_USUAL_PORTS = frozenset({80, 443, *range(8000, 9000)})
NEVER: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in (
        "0.0.0.0/8",  # "this host"
        "169.254.0.0/16",  # link-local, where clouds keep their metadata
        "100.100.100.200/32",  # metadata of Alibaba Cloud
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
        "::/96",  # unspecified, and IPv4-compatible, which nobody uses; but see _LOCAL for ::1
        "::ffff:0:0/96",  # IPv4-mapped
        "64:ff9b:1::/48",  # local translation
        "2001::/32",  # Teredo
        "2002::/16",  # 6to4
        "fd00:ec2::254/128",  # metadata of AWS
        "fe80::/10",  # link-local
        "fec0::/10",  # site-local, deprecated
        "ff00::/8",  # multicast
    )
)
"""Ranges that are denied to all."""
_LOCAL: tuple[Network, ...] = tuple(
    ip_network(text)
    for text in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "::1/128", "fc00::/7")
)
_TRANSLATED = IPv6Network("64:ff9b::/96")  # DNS64: the last 32 bits are an IPv4 address, to be judged as such
_LOOPBACK_6 = IPv6Address("::1")
_PLAIN_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a target may be.

    Attributes:
        local: Loopback, private and shared ranges are allowed.
        networks: Ranges that are allowed beside what is public; never those that are denied to all.
        ports: Ports that are allowed beside 80, 443 and 8000 to 8999; None allows all.
    """

    local: bool = False
    networks: tuple[Network, ...] = ()
    ports: frozenset[int] | None = frozenset()


ENGINE = Policy(local=True, ports=None)
"""For engines and what else the operator runs: near, and on the port that the configuration names."""
PUBLIC = Policy()
"""For services of others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a URL leads.

    Attributes:
        scheme: `http` or `https`.
        host: Name or address, lower case, without brackets and final dot.
        port: TCP port.
        path: Path and query.
        address: The host if it is an address, None if it is a name.
    """

    scheme: str
    host: str
    port: int
    path: str
    address: Address | None = None

    @property
    def authority(self) -> str:
        """Return the value of the `Host` header."""
        host = f"[{self.host}]" if isinstance(self.address, IPv6Address) else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def place(url: str, policy: Policy) -> Place:
    """Read a URL and judge all that can be judged before a look-up.

    Raises:
        FetchError: `guarded`: not of this form, or not allowed.
    """
    if any(character <= " " or character >= "\x7f" or character == "\\" for character in url):
        raise FetchError(Fault.GUARDED, "the URL holds a character that has to be escaped")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise FetchError(Fault.GUARDED, "the URL cannot be read") from None
    if parts.scheme not in _PORTS:
        raise FetchError(Fault.GUARDED, f"the scheme {parts.scheme!r} is neither http nor https")
    if "@" in parts.netloc:
        raise FetchError(Fault.GUARDED, "a URL may not hold a user or password")
    port = _PORTS[parts.scheme] if port is None else port
    if not 0 < port <= PORT_MAX or not (policy.ports is None or port in _USUAL_PORTS | policy.ports):
        raise FetchError(Fault.GUARDED, f"port {port} is not allowed")
    host, address = _host(parts.hostname or "", bracketed="[" in parts.netloc)
    if address is not None:
        allowed([address], policy)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Place(scheme=parts.scheme, host=host, port=port, path=path, address=address)


def allowed(answers: Sequence[Address], policy: Policy) -> None:
    """Judge all addresses that a name stands for; one that is denied denies them all.

    Raises:
        FetchError: `guarded`: an address that may not be asked, `dns`: none at all.
    """
    if not answers:
        raise FetchError(Fault.DNS, "the name has no address")
    for address in answers:
        if not is_allowed(address, policy):
            raise FetchError(Fault.GUARDED, f"the address {address} is not allowed")


def is_allowed(address: Address, policy: Policy) -> bool:
    """Return whether one address may be asked."""
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return False
        if address in _TRANSLATED:
            return is_allowed(IPv4Address(int(address) & 0xFFFF_FFFF), policy)
    if address != _LOOPBACK_6 and any(address in network for network in NEVER):
        return False
    if any(address in network for network in _LOCAL):
        return policy.local or any(address in network for network in policy.networks)
    return address.is_global or any(address in network for network in policy.networks)


def _host(text: str, *, bracketed: bool) -> tuple[str, Address | None]:
    host = text.lower().removesuffix(".")
    try:
        address = ip_address(host)
    except ValueError:
        if bracketed or len(host) > HOST_CHARS_MAX or not _PLAIN_HOST.fullmatch(host):
            raise FetchError(Fault.GUARDED, "the host is neither a name nor an address") from None
        if _NUMBER.fullmatch(host.rpartition(".")[2]):
            raise FetchError(Fault.GUARDED, "the host is a number that is no address in its usual form") from None
        return host, None
    return str(address), address
