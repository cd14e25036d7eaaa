"""Knows how to read one complete HTTP/1 head, the parser being `httptools` (llhttp, strict); refuses to know bodies.

Source: RFC 9112 sections 2, 3 and 6.1; installed `httptools/parser/parser.pyx` (0.8).
"""

import re
from typing import NamedTuple

import httptools

_REQUEST_LINE = re.compile(rb"[A-Z][A-Z-]{1,31} [\x21-\x7e]+ HTTP/1\.[01]\r\n")
_VERSIONS = frozenset({"1.0", "1.1"})
_STATUS_FIRST = 100

Headers = list[tuple[bytes, bytes]]


class RequestHead(NamedTuple):
    """A request head; names of headers are in lower case.

    Attributes:
        method: In upper case.
        target: As sent: path with query, or another form of RFC 9112 3.2.
        headers: In order.
        asks_upgrade: The request is CONNECT or asks to change the protocol.
    """

    method: str
    target: str
    headers: Headers
    asks_upgrade: bool


class ResponseHead(NamedTuple):
    """A response head; names of headers are in lower case.

    Attributes:
        status: 100 or above.
        headers: In order.
    """

    status: int
    headers: Headers


def header(headers: Headers, name: bytes) -> bytes | None:
    """Return the first value of a header, stripped; None if it is absent.

    Args:
        headers: As a head gives them.
        name: In lower case.
    """
    return next((value.strip() for key, value in headers if key == name), None)


def opens_request(data: bytes) -> bool:
    """Return whether these bytes start with a complete valid HTTP/1 request line."""
    return _REQUEST_LINE.match(data) is not None


def request_head(head: bytes) -> RequestHead | None:
    """Read a request head, blank line included; None if it is not sound."""
    collector = _Collector()
    parser = httptools.HttpRequestParser(collector)
    if not collector.reads(parser, head):
        return None
    method, target = parser.get_method().decode("ascii"), collector.target.decode("latin-1")
    return RequestHead(method, target, collector.headers, parser.should_upgrade())


def response_head(head: bytes) -> ResponseHead | None:
    """Read a response head, blank line included; None if it is not sound."""
    collector = _Collector()
    parser = httptools.HttpResponseParser(collector)
    if not collector.reads(parser, head) or parser.get_status_code() < _STATUS_FIRST:
        return None
    return ResponseHead(parser.get_status_code(), collector.headers)


class _Collector:
    """Takes the calls of the parser."""

    def __init__(self) -> None:
        self.headers: Headers = []
        self.target = b""
        self._complete = False

    def on_url(self, part: bytes) -> None:
        self.target += part

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self._complete = True

    def reads(self, parser: httptools.HttpRequestParser | httptools.HttpResponseParser, head: bytes) -> bool:
        """Feed a head to the parser; returns whether it is sound."""
        try:
            parser.feed_data(head)
        except httptools.HttpParserUpgrade:
            pass  # Whether the connection is upgraded is decided by the answer.
        except httptools.HttpParserError:
            return False
        version = parser.get_http_version()
        if version == "1.0" and header(self.headers, b"transfer-encoding") is not None:
            return False  # RFC 9112 6.1: the framing of such a message is faulty.
        return self._complete and version in _VERSIONS
