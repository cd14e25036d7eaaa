"""An engine on a real socket that keeps an access log, as an audit meets it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from telemetry.testing.endpoint import Endpoint
from telemetry.testing.steps import AwaitToken, ByRequestLine, HalfClose, Send

if TYPE_CHECKING:
    from telemetry.testing.wire import Script

NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
OPEN = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
KEY_WANTED = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"


def only(*methods: str) -> bytes:
    return b"HTTP/1.1 405 Method Not Allowed\r\nAllow: %s\r\nContent-Length: 0\r\n\r\n" % ", ".join(methods).encode()


def engine(answers: Mapping[str, bytes], otherwise: bytes = NOT_FOUND) -> Endpoint:
    """An engine that answers by request line without the version, for example `GET /version`."""
    scripts: dict[bytes, Script] = {
        f"{line} HTTP/1.1".encode(): [AwaitToken(), Send(answer), HalfClose()] for line, answer in answers.items()
    }
    return Endpoint([ByRequestLine(scripts, [AwaitToken(), Send(otherwise), HalfClose()])])


def url(endpoint: Endpoint) -> str:
    host, port = endpoint.address
    return f"http://{host}:{port}"


def log(endpoint: Endpoint, count: int = 1) -> list[str]:
    """Method and path of every request, in order."""
    seen = [transcript.received.split(b"\r\n", 1)[0].decode() for transcript in endpoint.transcripts(count)]
    return [line.removesuffix(" HTTP/1.1") for line in seen]
