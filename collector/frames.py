"""Knows the wire between the tee and the observer; refuses to know HTTP.

One message of the channel (a SOCK_SEQPACKET datagram, so a reader that starts late starts at a boundary) holds whole
frames, one after another: `kind u8 | conn u64 | at_ns u64 | length u32 | payload`, little-endian. `at_ns` is
CLOCK_MONOTONIC, taken right after the system call that the frame tells of.

Source: spec/reliability.md 4.1.
"""

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

HEADER = struct.Struct("<BQQI")
MESSAGE_BYTES_MAX = 128 * 1024
"""Largest message of the channel; a tee flushes before a frame would pass it."""
PAYLOAD_BYTES_MAX = 64 * 1024
"""Largest payload of a frame, which is also the most that a tee reads at once."""


class Kind(IntEnum):
    """What a frame tells; the payload is empty unless said otherwise."""

    HELLO = 1
    """A tee worker has started: every connection of its predecessor is gone. Payload: its pid in ASCII."""
    ACCEPTED = 2
    """A client connected. Payload: `host:port` of the client in ASCII."""
    CONNECTED = 3
    """The upstream connection is usable. Payload: `host:port` of the upstream in ASCII."""
    CONNECT_FAILED = 4
    """The upstream could not be reached. Payload: errno in ASCII."""
    REQUEST_BYTES = 5
    """Bytes read from the client and handed to the upstream's socket. Payload: the bytes."""
    RESPONSE_BYTES = 6
    """Bytes read from the upstream and handed to the client's socket. Payload: the bytes."""
    CLIENT_EOF = 7
    """The client closed its sending side (FIN)."""
    UPSTREAM_EOF = 8
    """The upstream closed its sending side (FIN)."""
    CLIENT_RESET = 9
    """The client reset, or writing to it failed."""
    UPSTREAM_RESET = 10
    """The upstream reset, or writing to it failed."""
    CLOSED = 11
    """Both sides of the connection are closed; the last frame of a connection."""
    GAP = 12
    """Frames of this connection were dropped here, at least one. Payload: number of dropped payload bytes in ASCII."""
    LOST = 13
    """Frames of unnamed connections were dropped (conn 0). Payload: number of dropped frames since start in ASCII."""


class Frame(NamedTuple):
    """One frame, decoded; `payload` is bytes."""

    kind: int
    conn: int
    at_ns: int
    payload: bytes


def encode(kind: int, conn: int, at_ns: int, payload: bytes = b"") -> bytes:
    """Encode one frame.

    Args:
        kind: A value of `Kind`.
        conn: Connection number, unique within a tee worker's life.
        at_ns: CLOCK_MONOTONIC in nanoseconds.
        payload: At most `PAYLOAD_BYTES_MAX` bytes.
    """
    return HEADER.pack(kind, conn, at_ns, len(payload)) + payload


def decode(message: bytes) -> Iterator[Frame]:
    """Decode the frames of one message, in order.

    Raises:
        ValueError: The message ends inside a frame.
    """
    at, end = 0, len(message)
    while at < end:
        if end - at < HEADER.size:
            raise ValueError(f"frame header cut at byte {at} of {end}")
        kind, conn, at_ns, length = HEADER.unpack_from(message, at)
        at += HEADER.size
        if end - at < length:
            raise ValueError(f"frame payload cut at byte {at} of {end}")
        yield Frame(kind, conn, at_ns, message[at : at + length])
        at += length
