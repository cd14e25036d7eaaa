"""Knows which addresses a target `HOST:PORT` stands for; refuses to connect.

A name is looked up at the start and then every `RESOLVE_PERIOD_S` in a daemon thread, so that no connection ever waits
for a resolver; a failed look-up keeps the last addresses. A literal address needs no thread.

Source: getaddrinfo(3); RFC 6724 for the order of the addresses, which is kept.
"""

import socket
import threading
from collections.abc import Callable, Sequence
from typing import Any

RESOLVE_PERIOD_S = 30.0
PORT_MAX = 65_535
"""The largest TCP port."""

Address = tuple[int, tuple[Any, ...]]
"""An address family and the socket address that belongs to it."""
Lookup = Callable[[str, int], Sequence[Address]]


class Target:
    """A `HOST:PORT` and the addresses it stands for now.

    Attributes:
        host: Name or literal address, without brackets.
        port: TCP port.
        addresses: In the resolver's order; empty while a name is unknown.
    """

    def __init__(self, text: str, lookup: Lookup | None = None, period_s: float = RESOLVE_PERIOD_S) -> None:
        """Parse `HOST:PORT` or `[IPV6]:PORT`; `lookup` replaces getaddrinfo.

        Raises:
            ValueError: Not of this form.
        """
        self.host, self.port = parse(text)
        self.addresses: tuple[Address, ...] = ()
        self._lookup = lookup or stream_addresses
        self._period_s = period_s
        self._stopped = threading.Event()

    def resolve(self) -> None:
        """Look the addresses up once; keep the old ones if that fails."""
        try:
            found = tuple(self._lookup(self.host, self.port))
        except (OSError, UnicodeError):
            return
        self.addresses = found or self.addresses

    def start(self) -> None:
        """Look up now, and go on doing so in the background if the host is a name."""
        self.resolve()
        if not is_literal(self.host):
            threading.Thread(target=self._refresh, name="resolve", daemon=True).start()

    def stop(self) -> None:
        """End the background look-ups."""
        self._stopped.set()

    def prefer(self, address: Address) -> None:
        """Put the address that just answered first."""
        if self.addresses and self.addresses[0] != address and address in self.addresses:
            self.addresses = (address, *(other for other in self.addresses if other != address))

    def _refresh(self) -> None:
        while not self._stopped.wait(self._period_s):
            self.resolve()


def parse(text: str) -> tuple[str, int]:
    """Split `HOST:PORT` or `[IPV6]:PORT`.

    Raises:
        ValueError: Not of this form.
    """
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (colon and host and port.isascii() and port.isdigit() and 0 < int(port) <= PORT_MAX):
        raise ValueError(f"expected HOST:PORT, found {text!r}")
    return host, int(port)


def is_literal(host: str) -> bool:
    """Say whether a host is an IPv4 or IPv6 address, for which no look-up is needed."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return True
    return False


def stream_addresses(host: str, port: int) -> list[Address]:
    """Ask getaddrinfo for TCP addresses.

    Raises:
        OSError: The name is unknown or the resolver did not answer.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [(family, address) for family, _, _, _, address in found]
