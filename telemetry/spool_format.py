"""Knows the bytes of a spool: segment header, frames, control payloads, the cursor; refuses to know files.

A segment is a header of 64 bytes and frames behind it. A frame is

    F1 49 46 1A | len u32 | crc32c u32 | seq u64 | type u8 | payload[len]        (little-endian)

with the checksum over len, seq, type and payload. The magic lets a reader find the next frame behind damage: without
it one flipped bit in a length field costs everything behind it. A record's frame carries the record's own seq; a
control frame carries the seq of the newest record before it and takes none.

Not built: payloads above 4 KiB as zstd (type | 0x80). No zstd is among the dependencies; such a frame is read as one of
unknown type, skipped, and its segment kept.

Source: spec/store.md 11.1 to 11.3.
"""

import struct
from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import NamedTuple, cast

import google_crc32c
import msgspec

from telemetry.errors import SpoolError, SpoolVersionError

FRAME_MAGIC = b"\xf1IF\x1a"
SEGMENT_MAGIC = b"IFMSPOOL"
VERSION = 1
HEADER_BYTES = 64
FRAME_OVERHEAD_BYTES = 21
PAYLOAD_BYTES_MAX = 1 << 20
"""Largest payload of a frame; a length above it is damage."""

_crc = cast("Callable[[bytes], int]", google_crc32c.value)  # pyright: ignore[reportUnknownMemberType]  # ships no types
_crc_on = cast("Callable[[int, bytes], int]", google_crc32c.extend)  # pyright: ignore[reportUnknownMemberType]  # same
_HEADER = struct.Struct("<8sHHIQ16sIIQ")
_U32 = struct.Struct("<I")
_CRC_AND_PAD = struct.Struct("<I4x")
_FRAME_HEAD = struct.Struct("<4sIIQB")
_CHECKED_HEAD = struct.Struct("<IQB")


class FrameType(IntEnum):
    """What a frame's payload is; a type that is not listed is skipped."""

    RECORD = 1
    FREEZE = 2
    ACK = 3
    DROP = 4
    SPLIT = 5
    COUNTERS = 6
    CLOCK = 7


class Header(NamedTuple):
    """Head of a segment; `lane` travels in the field that the format calls flags."""

    lane: int
    node_hash: int
    epoch: bytes
    boot: int
    first_seq: int


class Frame(NamedTuple):
    """A frame whose checksum was right; `end` is the offset behind it."""

    seq: int
    kind: int
    payload: bytes
    end: int


class Damage(NamedTuple):
    """Bytes in which no frame was found, from `start` up to `end`."""

    start: int
    end: int


class Batch(msgspec.Struct, frozen=True, array_like=True):
    """Payload of a freeze frame: rows that travel together for ever.

    Attributes:
        batch_id: The insert token.
        lane: Number of the lane.
        ranges: Closed seq ranges of the rows, ascending.
        rows: How many rows there are.
        schema: Version of the record shape.
    """

    batch_id: str
    lane: int
    ranges: list[tuple[int, int]]
    rows: int
    schema: int = 1


class Leave(msgspec.Struct, frozen=True, array_like=True):
    """Payload of an ack or a drop frame: rows that left the spool.

    Attributes:
        lane: Number of the lane.
        way_out: One of `accounting.WAYS_OUT`.
        ranges: Closed seq ranges of the rows, ascending.
        batch_id: The batch that they travelled in; empty if none.
        bytes_n: Bytes that were given up; 0 for an ack.
    """

    lane: int
    way_out: str
    ranges: list[tuple[int, int]]
    batch_id: str = ""
    bytes_n: int = 0


class Split(msgspec.Struct, frozen=True, array_like=True):
    """Payload of a split frame: a batch gives way to its parts, which are frozen by this frame.

    Attributes:
        batch_id: The batch that is split.
        parts: What takes its place.
    """

    batch_id: str
    parts: list[Batch]


class Cursor(msgspec.Struct, frozen=True):
    """What is kept apart from the segments: who we are, and the numbers of what is gone from disk.

    Attributes:
        generation: Grows by one with each write; the greater of two cursors is in force.
        node: Node name that the directory was born with.
        epoch: Identity of the directory, 16 bytes.
        next_seq: No seq below it may be given again.
        folds: Per lane name, the seq below which everything is settled.
        bases: Per lane name, the folded numbers.
    """

    generation: int
    node: str
    epoch: bytes
    next_seq: int
    folds: dict[str, int]
    bases: dict[str, dict[str, int]]

    @property
    def collector(self) -> str:
        """Identity of the directory in every row, `<node>/<epoch8>`."""
        return f"{self.node}/{self.epoch[:4].hex()}"


def encode_header(header: Header) -> bytes:
    """Encode the head of a segment."""
    flags_lane, node_hash, epoch, boot, first_seq = header
    head = _HEADER.pack(SEGMENT_MAGIC, VERSION, HEADER_BYTES, flags_lane, node_hash, epoch, boot, 0, first_seq)
    return head + _CRC_AND_PAD.pack(_crc(head))


def decode_header(data: bytes) -> Header:
    """Decode the head of a segment.

    Raises:
        SpoolVersionError: A newer version wrote the segment.
        SpoolError: The bytes are no segment head, or it is damaged.
    """
    if len(data) < HEADER_BYTES or not data.startswith(SEGMENT_MAGIC):
        raise SpoolError("not a spool segment")
    _, version, _, lane, node_hash, epoch, boot, _, first_seq = _HEADER.unpack_from(data)
    if version > VERSION:
        raise SpoolVersionError(f"the spool was written by format version {version}; this program knows {VERSION}")
    if _U32.unpack_from(data, _HEADER.size)[0] != _crc(data[: _HEADER.size]):
        raise SpoolError("the segment head is damaged")
    return Header(lane, node_hash, epoch, boot, first_seq)


def encode_frame(seq: int, kind: int, payload: bytes) -> bytes:
    """Encode one frame; the payload is at most `PAYLOAD_BYTES_MAX` bytes."""
    length = len(payload)
    crc = _crc_on(_crc(_CHECKED_HEAD.pack(length, seq, kind)), payload)
    return _FRAME_HEAD.pack(FRAME_MAGIC, length, crc, seq, kind) + payload


def scan(data: bytes, start: int = HEADER_BYTES) -> Iterator[Frame | Damage]:
    """Yield the frames behind an offset in order, and between them the stretches in which none was found.

    A tail that ends inside a frame is the last `Damage`.
    """
    at = start
    bad_from = -1
    end = len(data)
    while at < end:
        frame = _frame_at(data, at, end)
        if frame is None:
            bad_from = at if bad_from < 0 else bad_from
            found = data.find(FRAME_MAGIC, at + 1)
            at = end if found < 0 else found
            continue
        if bad_from >= 0:
            yield Damage(bad_from, at)
            bad_from = -1
        yield frame
        at = frame.end
    if bad_from >= 0:
        yield Damage(bad_from, end)


def _frame_at(data: bytes, at: int, end: int) -> Frame | None:
    body = at + FRAME_OVERHEAD_BYTES
    if body > end:
        return None
    magic, length, crc, seq, kind = _FRAME_HEAD.unpack_from(data, at)
    if magic != FRAME_MAGIC or length > PAYLOAD_BYTES_MAX or body + length > end:
        return None
    payload = data[body : body + length]
    if _crc_on(_crc(_CHECKED_HEAD.pack(length, seq, kind)), payload) != crc:
        return None
    return Frame(seq, kind, payload, body + length)


def frames_of(group: bytes) -> Iterator[Frame]:
    """Yield the frames of bytes that this process itself encoded and kept in memory."""
    return (item for item in scan(group, 0) if isinstance(item, Frame))


def encode_cursor(cursor: Cursor) -> bytes:
    """Encode a cursor with its checksum in front."""
    body = msgspec.msgpack.encode(cursor)
    return _U32.pack(_crc(body)) + body


def decode_cursor(data: bytes) -> Cursor | None:
    """Decode a cursor; None if it is damaged or none."""
    body = data[_U32.size :]
    if len(data) <= _U32.size or _U32.unpack_from(data)[0] != _crc(body):
        return None
    try:
        return msgspec.msgpack.decode(body, type=Cursor)
    except msgspec.MsgspecError:
        return None
