"""Knows the identifiers of a record: UUIDv7, the W3C trace id, a flow's number; refuses to know clocks and chance.

Source: RFC 9562 5.7 (UUIDv7); W3C Trace Context, level 1, section 3.2 (`traceparent`).
"""

import hmac
import re
from uuid import UUID

FLOW_BITS = 63
"""Bits of the number of a flow: what a spool keeps of an integer."""
RANDOM_BITS = 74
"""Random bits of a UUIDv7: 12 in `rand_a`, 62 in `rand_b`."""

_RAND_B_BITS = 62
_UNIX_MS_BITS = 48
_VERSION_7 = 0x7 << 76
_VARIANT = 0b10 << 62
_TRACEPARENT = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")
_NO_SPAN = b"0" * 16
_NO_TRACE = b"0" * 32


def uuid7(unix_ms: int, random_bits: int) -> UUID:
    """Build a UUIDv7.

    Args:
        unix_ms: Wall clock in unix milliseconds; its low 48 bits are used.
        random_bits: `RANDOM_BITS` random bits; higher bits are ignored.
    """
    stamp = (unix_ms & ((1 << _UNIX_MS_BITS) - 1)) << 80
    rand_a = ((random_bits >> _RAND_B_BITS) & 0xFFF) << 64
    rand_b = random_bits & ((1 << _RAND_B_BITS) - 1)
    return UUID(int=stamp | _VERSION_7 | rand_a | _VARIANT | rand_b)


def trace_id(traceparent: bytes) -> bytes | None:
    """Read the trace id of a `traceparent` header.

    Returns:
        16 bytes; None if the header is not valid.
    """
    match = _TRACEPARENT.fullmatch(traceparent)
    if match is None or match[1] == b"ff" or (match[1] == b"00" and match[4]):
        return None
    if match[2] == _NO_TRACE or match[3] == _NO_SPAN:
        return None
    return bytes.fromhex(match[2].decode("ascii"))


def flow_id(key: bytes, name: bytes) -> int:
    """Return the number of a workflow or batch job, `FLOW_BITS` of the keyed hash of its name: HMAC-SHA256."""
    return int.from_bytes(hmac.digest(key, name, "sha256")[:8]) >> (64 - FLOW_BITS)
