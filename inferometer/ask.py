"""Knows how to ask an HTTP server one question with GET; refuses to follow redirects or to wait long.

Our own, because the wheel carries no HTTP client: one connection, one answer, read to its end or to the cap.

Source: RFC 9112 (parsed by httptools); spec/ui.md 1.1 (GET only, no redirects, 2 s, body cap 4 MiB, identity encoding).
"""

import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass

import httptools

from inferometer.address import Address
from telemetry.clock import monotonic_ns

BODY_BYTES_MAX = 4 << 20
"""Most bytes of an answer that are read."""
WAIT_S = 2.0
_RECV_BYTES = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server said.

    Attributes:
        status: Status of the response head.
        headers: Header values by lower-case name.
        body: The decoded body.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Reader:
    """Callbacks of httptools.HttpResponseParser."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        self.headed = False
        self.done = False

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self.headed = True

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.done = True


def get(
    address: Address,
    path: str,
    *,
    headers: Mapping[str, str] | None = None,
    wait_s: float = WAIT_S,
    is_secure: bool = False,
) -> Answer:
    """Ask for a path, over TLS if it is to be secure.

    Raises:
        OSError: Nobody answers, or not within `wait_s` seconds, or what came is no HTTP or above the cap.
    """
    lines = {"Host": str(address), "Accept-Encoding": "identity", "Connection": "close", **(headers or {})}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    until_ns = monotonic_ns() + round(wait_s * 1e9)
    reader = _Reader()
    parser = httptools.HttpResponseParser(reader)
    with _connected(address, wait_s, is_secure=is_secure) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
        try:
            _read(connection, parser, reader, until_ns)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):  # neither is the other's kind
            raise OSError(f"{address} does not speak HTTP") from None
    if not reader.headed:
        raise OSError(f"{address} closed the connection without an answer")
    return Answer(status=parser.get_status_code(), headers=reader.headers, body=bytes(reader.body))


def _connected(address: Address, wait_s: float, *, is_secure: bool) -> socket.socket:
    connection = socket.create_connection((address.host, address.port), timeout=wait_s)
    if not is_secure:
        return connection
    try:
        return ssl.create_default_context().wrap_socket(connection, server_hostname=address.host)
    except BaseException:
        connection.close()
        raise


def _read(connection: socket.socket, parser: httptools.HttpResponseParser, reader: _Reader, until_ns: int) -> None:
    while not reader.done:
        left_s = (until_ns - monotonic_ns()) / 1e9
        if left_s <= 0:
            raise TimeoutError("timed out")
        connection.settimeout(left_s)
        data = connection.recv(_RECV_BYTES)
        if not data:
            return
        parser.feed_data(data)
        if len(reader.body) > BODY_BYTES_MAX:
            raise OSError(f"answer above {BODY_BYTES_MAX} bytes")
