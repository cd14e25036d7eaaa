"""Fields of messages: what is written is read back, and what is none is refused."""

from contextlib import suppress
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry.protobuf import VARINT_BYTES_MAX, double, fields, message, number, text, varint, zigzag


@given(st.integers(1, 100), st.integers(1, 2**64 - 1), st.text(min_size=1), st.floats(1e-9, 1e9))
def test_what_is_written_is_read_back(field: int, whole: int, words: str, fraction: float) -> None:
    encoded = number(field, whole) + text(field, words) + double(field, fraction) + message(field, b"")

    expected = [(field, whole), (field, words.encode()), (field, pack("<d", fraction)), (field, b"")]
    assert expected == list(fields(encoded))


def test_a_default_is_left_out() -> None:
    assert b"" == number(1, 0) + text(1, "") + double(1, 0.0)


def test_a_fixed_field_of_four_bytes_is_passed_over() -> None:
    assert [(1, b"abcd"), (2, 3)] == list(fields(varint(1 << 3 | 5) + b"abcd" + number(2, 3)))


@pytest.mark.parametrize(("value", "expected"), [(0, 0), (-1, 1), (1, 2), (-(2**31), 2**32 - 1)])
def test_signs_are_folded(value: int, expected: int) -> None:
    assert expected == zigzag(value)


@pytest.mark.parametrize(
    ("encoded", "said"),
    [
        pytest.param(b"\x80", "does not end", id="a number without its end"),
        pytest.param(b"\x08" + b"\x80" * VARINT_BYTES_MAX + b"\x01", "does not end", id="a number too long"),
        pytest.param(b"\x0a\x05abc", "beyond the message", id="longer than what there is"),
        pytest.param(b"\x09abc", "beyond the message", id="half a double"),
        pytest.param(b"\x0b", "wire type 3", id="a group"),
    ],
)
def test_what_is_no_message_is_refused(encoded: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        list(fields(encoded))


@given(st.binary(max_size=64))
def test_any_bytes_are_fields_or_refused(encoded: bytes) -> None:
    with suppress(ValueError):
        assert all(len(value) <= len(encoded) for _, value in fields(encoded) if isinstance(value, bytes))
