"""Knows how the fields of a protobuf message stand in bytes; refuses to know any message.

For the few messages that are written and read by hand, where generated code would weigh more than they do. Fields that
hold their default are left out, as proto3 does. What is read is bounded by its own bytes, never by a length in them.

Source: protobuf.dev/programming-guides/encoding (varint, zigzag, wire types).
"""

from collections.abc import Iterator
from struct import pack

VARINT_BYTES_MAX = 10
"""Longest varint: 64 bits, seven to a byte."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_WIDTHS = {_FIXED64: 8, _FIXED32: 4}


def text(field: int, value: str) -> bytes:
    """Return a field of type string."""
    return message(field, value.encode("utf-8", "replace")) if value else b""


def message(field: int, encoded: bytes) -> bytes:
    """Return a field of type message or bytes; an empty one stands there too."""
    return varint(field << 3 | _BYTES) + varint(len(encoded)) + encoded


def number(field: int, value: int) -> bytes:
    """Return a field of an unsigned integer, an enum or a bool."""
    return varint(field << 3 | _VARINT) + varint(value) if value else b""


def double(field: int, value: float) -> bytes:
    """Return a field of type double."""
    return varint(field << 3 | _FIXED64) + pack("<d", value) if value else b""


def zigzag(value: int) -> int:
    """Return the unsigned number that stands for a signed one."""
    return value << 1 if value >= 0 else (-value << 1) - 1


def varint(value: int) -> bytes:
    """Return an unsigned number, seven bits to a byte."""
    if value < 0x80:  # noqa: PLR2004 -- seven bits to a byte
        return bytes((value,))
    low = bytearray()
    while value >= 0x80:  # noqa: PLR2004 -- as above
        low.append(value & 0x7F | 0x80)
        value >>= 7
    low.append(value)
    return bytes(low)


def fields(encoded: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield the number and the value of each field; of fixed width and of unknown meaning as bytes.

    Raises:
        ValueError: They are no message.
    """
    at = 0
    while at < len(encoded):
        key, at = _read_varint(encoded, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _read_varint(encoded, at)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            width, at = _read_varint(encoded, at)
        elif kind in _WIDTHS:
            width = _WIDTHS[kind]
        else:
            raise ValueError(f"wire type {kind} is not known")
        if width > len(encoded) - at:
            raise ValueError("a field goes on beyond the message")
        yield key >> 3, encoded[at : at + width]
        at += width


def _read_varint(encoded: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place, byte in enumerate(encoded[at : at + VARINT_BYTES_MAX]):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:  # noqa: PLR2004 -- the last one
            return value, at + place + 1
    raise ValueError("a number does not end")
