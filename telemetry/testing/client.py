"""Knows how to be a raw client: connect, play a script at any pace, stamp every chunk that comes back.

Refuses to know HTTP beyond spelling a request: nothing is parsed, nothing is hidden. A connection that cannot be made
is an `Ending`, not an exception, since a load of many clients counts such fates.
"""

import asyncio
import socket

from telemetry import clock
from telemetry.testing.steps import AwaitEnd, Send
from telemetry.testing.wire import Ending, Script, Transcript, play


def request(method: str, path: str, body: bytes = b"", *headers: str) -> bytes:
    """Spell one HTTP/1.1 request; Content-Length is added when there is a body."""
    length = (f"Content-Length: {len(body)}",) if body else ()
    lines = (f"{method} {path} HTTP/1.1", "Host: test", *headers, *length)
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + body


def ask(data: bytes) -> Script:
    """Return the script of the plainest client: send all, then read to the end."""
    return [Send(data), AwaitEnd()]


async def talk(address: tuple[str, int], script: Script, *, deadline_s: float = 30.0) -> Transcript:
    """Connect and play a script.

    Args:
        address: Host and port.
        script: Steps; after the last one the peer's end is awaited.
        deadline_s: Longest time for the connection and everything on it.

    Returns:
        What was seen; `Ending.REFUSED` without chunks if no connection was made.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)  # noqa: FBT003 the socket module takes it by position only
    began_ns = clock.monotonic_ns()
    try:
        async with asyncio.timeout(deadline_s):
            await asyncio.get_running_loop().sock_connect(sock, address)
    except OSError:
        sock.close()
        ended_ns = clock.monotonic_ns()
        return Transcript(began_ns=began_ns, chunks=(), ending=Ending.REFUSED, ended_ns=ended_ns, sent_bytes=0)
    return await play(sock, script, deadline_s=deadline_s)


def exchange(address: tuple[str, int], script: Script, *, deadline_s: float = 30.0) -> Transcript:
    """Do as `talk` does, from code that has no event loop."""
    return asyncio.run(talk(address, script, deadline_s=deadline_s))
