from typing import Any

import google_crc32c
import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.errors import SpoolError, SpoolVersionError
from telemetry.spool_format import (
    FRAME_OVERHEAD_BYTES,
    HEADER_BYTES,
    PAYLOAD_BYTES_MAX,
    Cursor,
    Damage,
    Frame,
    Header,
    decode_cursor,
    decode_header,
    encode_cursor,
    encode_frame,
    encode_header,
    frames_of,
    scan,
)

crc32c: Any = vars(google_crc32c)["value"]  # the library ships no types
HEADER = Header(2, 0x1122334455667788, bytes(range(16)), 7, 42)
CURSOR = Cursor(3, "n1", bytes(16), 99, {"requests": 7}, {"requests": {"accepted": 6, "stored": 6}})
HELLO = "f149461a050000008534dc9f01000000000000000168656c6c6f"  # spec/store.md 11.2


def payloads(data: bytes) -> list[bytes]:
    return [item.payload for item in scan(data, 0) if isinstance(item, Frame)]


def test_the_frame_of_the_specification_byte_for_byte() -> None:
    assert encode_frame(1, 1, b"hello").hex() == HELLO
    assert crc32c(b"123456789") == 0xE3069283


def test_a_frame_comes_back() -> None:
    data = bytes.fromhex(HELLO)

    assert list(scan(data, 0)) == [Frame(1, 1, b"hello", len(data))]


@given(st.lists(st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 255), st.binary(max_size=40)), max_size=8))
def test_any_frames_come_back_in_order(frames: list[tuple[int, int, bytes]]) -> None:
    data = b"".join(encode_frame(*frame) for frame in frames)

    assert [(frame.seq, frame.kind, frame.payload) for frame in frames_of(data)] == frames


@given(st.binary(max_size=200))
def test_bytes_from_anywhere_are_damage_and_never_an_error(data: bytes) -> None:
    assert all(isinstance(item, Damage) for item in scan(data, 0))


def test_truncation_at_every_offset_keeps_the_whole_frames_before_it() -> None:
    parts = [encode_frame(n, 1, b"payload %d" % n) for n in range(3)]
    data = b"".join(parts)
    ends = [sum(map(len, parts[: n + 1])) for n in range(3)]
    for at in range(len(data)):
        whole = sum(end <= at for end in ends)

        items = list(scan(data[:at], 0))

        assert payloads(data[:at]) == [b"payload %d" % n for n in range(whole)]
        torn = at - (ends[whole - 1] if whole else 0)
        assert [item for item in items if isinstance(item, Damage)] == ([Damage(at - torn, at)] if torn else [])


def test_every_single_bit_flip_of_a_frame_costs_that_frame_at_most() -> None:
    before, hit, after = (encode_frame(n, 1, payload) for n, payload in enumerate((b"before", b"hello", b"after")))
    for bit in range(8 * len(hit)):
        flipped = bytearray(hit)
        flipped[bit // 8] ^= 1 << bit % 8

        found = payloads(before + bytes(flipped) + after)

        assert found == [b"before", b"after"]


def test_a_zeroed_block_costs_the_frames_it_touches() -> None:
    frames = [encode_frame(n, 1, bytes([n]) * 50) for n in range(20)]
    data = bytearray(b"".join(frames))
    size = len(frames[0])
    data[3 * size + 10 : 6 * size + 10] = bytes(3 * size)

    items = list(scan(bytes(data), 0))

    assert payloads(bytes(data)) == [bytes([n]) * 50 for n in range(20) if n not in range(3, 7)]
    assert Damage(3 * size, 7 * size) in items


def test_a_payload_at_the_bound_comes_back_and_a_length_past_it_is_damage() -> None:
    at_bound = encode_frame(1, 1, bytes(PAYLOAD_BYTES_MAX))
    past = encode_frame(1, 1, bytes(PAYLOAD_BYTES_MAX + 1))

    assert len(payloads(at_bound)) == 1
    assert payloads(past) == []
    assert len(at_bound) == FRAME_OVERHEAD_BYTES + PAYLOAD_BYTES_MAX


def test_a_magic_inside_a_payload_is_no_frame() -> None:
    inner = encode_frame(9, 1, b"inner")

    assert payloads(encode_frame(1, 1, inner)) == [inner]


def test_a_header_comes_back_and_has_its_size() -> None:
    data = encode_header(HEADER)

    assert len(data) == HEADER_BYTES
    assert decode_header(data) == HEADER


def test_every_single_bit_flip_of_a_header_is_refused() -> None:
    data = encode_header(HEADER)
    for bit in range(8 * (HEADER_BYTES - 4)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8

        with pytest.raises(SpoolError):
            decode_header(bytes(flipped))


def test_a_newer_version_is_named() -> None:
    data = bytearray(encode_header(HEADER))
    data[8] = 2

    with pytest.raises(SpoolVersionError, match="version 2"):
        decode_header(bytes(data))


@pytest.mark.parametrize("data", [b"", b"IFMSPOOL", b"x" * HEADER_BYTES], ids=["empty", "short", "foreign"])
def test_what_is_no_header_is_refused(data: bytes) -> None:
    with pytest.raises(SpoolError, match="not a spool segment"):
        decode_header(data)


def test_a_cursor_comes_back() -> None:
    assert decode_cursor(encode_cursor(CURSOR)) == CURSOR


def test_a_damaged_cursor_is_none() -> None:
    data = encode_cursor(CURSOR)
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8

        assert decode_cursor(bytes(flipped)) is None
    assert decode_cursor(b"") is None


def test_a_cursor_of_another_shape_is_none() -> None:
    body = b"\x01"

    assert decode_cursor(crc32c(body).to_bytes(4, "little") + body) is None
