"""Knows one connection: it is dialled to an address that was checked, and every read carries its instant.

Refuses to know HTTP. The stamp is taken where the event loop hands bytes over, right after they were read from the
socket, so a reader that is late does not make the server look late. Under TLS that is after decryption.

Source: spec/measurement.md 2 (stamp right after recv); asyncio Protocol and loop.start_tls (Python 3.11).
"""

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import ip_address
from typing import cast

from telemetry import clock
from telemetry.fetch_error import Fault, FetchError
from telemetry.guard import Address

HELD_BYTES_MAX = 256 * 1024
"""Bytes that wait for their reader; from there on nothing more is taken from the socket."""
DIAL_S_MAX = 5.0
"""Longest wait for one address."""

Lookup = Callable[[str, int], Awaitable[Sequence[Address]]]
"""Gives all addresses of a name; raises OSError if there are none."""


async def lookup(host: str, port: int) -> Sequence[Address]:
    """Ask getaddrinfo, once.

    Raises:
        OSError: The name is unknown or the resolver did not answer.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(ip_address(text) for text in dict.fromkeys(str(entry[4][0]) for entry in found))


async def dial(addresses: Sequence[Address], port: int, each_s: float = DIAL_S_MAX) -> "Line":
    """Connect to the first of some addresses that takes the connection.

    Args:
        addresses: All were judged.
        port: TCP port.
        each_s: Longest wait for each of them.

    Raises:
        FetchError: `refused`, `unreachable` or `connect_timeout`, of the last address.
    """
    failed = FetchError(Fault.UNREACHABLE, "there is no address")
    for address in addresses:
        try:
            async with asyncio.timeout(each_s):
                _, line = await asyncio.get_running_loop().create_connection(Line, str(address), port)
        except ConnectionRefusedError:
            failed = FetchError(Fault.REFUSED, f"nobody listens on port {port} of {address}")
        except TimeoutError:
            failed = FetchError(Fault.CONNECT_TIMEOUT, f"{address} did not answer in {each_s} s")
        except OSError:
            failed = FetchError(Fault.UNREACHABLE, f"{address} cannot be reached")
        else:
            return line
    raise failed


class Line(asyncio.Protocol):
    """One TCP connection, plain or secured, read by one task at a time; `dial` makes it.

    Attributes:
        held_bytes: Bytes that wait for their reader.
    """

    def __init__(self) -> None:
        """Wait for the connection."""
        self._transport: asyncio.Transport | None = None
        self._held: deque[tuple[int, bytes]] = deque()
        self.held_bytes = 0
        self._news = asyncio.Event()  # bytes came, or the end
        self._clear = asyncio.Event()  # more may be written
        self._clear.set()
        self._ended = self._lost = False
        self._reset = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Stamp and hold what was read; stop reading while too much is held."""
        self._held.append((clock.monotonic_ns(), data))
        self.held_bytes += len(data)
        if self.held_bytes >= HELD_BYTES_MAX:
            self._made.pause_reading()
        self._news.set()

    def eof_received(self) -> bool:
        """Take the peer's end; the transport closes itself."""
        self._ended = True
        self._news.set()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Take the end of the connection; an error is the peer's reset."""
        self._ended = self._lost = True
        self._reset = self._reset or exc is not None
        self._news.set()
        self._clear.set()

    def pause_writing(self) -> None:
        """Let writers wait: the kernel takes no more."""
        self._clear.clear()

    def resume_writing(self) -> None:
        """Let writers go on."""
        self._clear.set()

    async def read(self) -> tuple[int, bytes]:
        """Return the next bytes and the instant at which they came; no bytes at the end.

        Raises:
            FetchError: `reset`.
        """
        while not self._held:
            if self._ended:
                if self._reset:
                    raise FetchError(Fault.RESET, "the peer reset the connection")
                return clock.monotonic_ns(), b""
            self._news.clear()
            await self._news.wait()
        at_ns, data = self._held.popleft()
        was_full = self.held_bytes >= HELD_BYTES_MAX
        self.held_bytes -= len(data)
        if was_full and self.held_bytes < HELD_BYTES_MAX and not self._lost:
            self._made.resume_reading()
        return at_ns, data

    async def write(self, data: bytes) -> bool:
        """Hand bytes to the kernel; False if the peer takes none any more (it may have answered all the same)."""
        if not self._lost:
            self._made.write(data)
            await self._clear.wait()
        return not self._lost

    async def secure(self, context: ssl.SSLContext, name: str) -> int | None:
        """Go over to TLS.

        Args:
            context: Whom to trust.
            name: Whom to ask for and to expect.

        Returns:
            When the peer's certificate ends, unix seconds; None if it shows none.

        Raises:
            FetchError: `tls`.
        """
        loop, is_agreed = asyncio.get_running_loop(), False
        try:
            secured = await loop.start_tls(self._made, self, context, server_hostname=name)
            is_agreed = True
        except ssl.SSLCertVerificationError as error:
            raise FetchError(Fault.TLS, f"the certificate was refused: {error.verify_message}") from None
        except (ssl.SSLError, OSError):
            raise FetchError(Fault.TLS, "no secure connection could be agreed on") from None
        finally:  # Subtle: a handshake that failed or was cancelled has the transport, and tells nobody that it is lost
            self._lost = self._lost or not is_agreed
        assert secured is not None  # noqa: S101 -- only a transport that is closing gives none, and then it raises
        self._transport = secured
        shown: dict[str, str] = secured.get_extra_info("peercert") or {}
        return int(ssl.cert_time_to_seconds(shown["notAfter"])) if "notAfter" in shown else None

    async def close(self) -> None:
        """End the connection at once; what was not read is gone."""
        self._made.abort()
        self._held.clear()
        await asyncio.sleep(0)  # the socket is closed in the loop's next turn
        while not self._lost:
            self._news.clear()
            await self._news.wait()

    @property
    def _made(self) -> asyncio.Transport:
        assert self._transport is not None  # noqa: S101 -- `dial` hands a line out when it is made
        return self._transport
