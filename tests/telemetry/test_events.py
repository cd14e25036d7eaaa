"""What engines write, read leniently."""

import math

import msgspec
import pytest

from telemetry.events import (
    COUNT_MAX,
    WORD_CHARS_MAX,
    as_object,
    as_word,
    count,
    decoded,
    decoded_again,
    is_json,
    is_utf8,
    json_or_text,
    lenient_json,
    us_of_ms,
)


def test_json_as_the_world_writes_it() -> None:
    found = lenient_json(b'{"a": NaN, "b": Infinity}')

    assert "{'a': nan, 'b': inf}" == str(found)
    assert ["\ufffd"] == lenient_json(b'["\xff"]')


def test_json_or_else_text() -> None:
    assert {"a": 1} == json_or_text(b'{"a": 1}')
    assert "boom \ufffd" == json_or_text(b"boom \xff")


@pytest.mark.parametrize("data", [b"", b"{", b"nope", b"[" * 100_000], ids=["empty", "cut", "a word", "too deep"])
def test_what_is_no_json_even_so(data: bytes) -> None:
    with pytest.raises(ValueError, match=r".+"):
        lenient_json(data)


@pytest.mark.parametrize(
    ("data", "expected"), [(b"abc", True), ("é".encode(), True), (b"\xc3", False), (b"\xff", False)]
)
def test_utf8(data: bytes, expected: bool) -> None:
    assert expected is is_utf8(data)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, 3),
        (0, 0),
        (3.0, 3),
        (COUNT_MAX - 1, COUNT_MAX - 1),
        (COUNT_MAX, None),
        (-1, None),
        (True, None),
        ("3", None),
        (None, None),
        (math.nan, None),
    ],
)
def test_count(value: object, expected: int | None) -> None:
    assert expected == count(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.5, 1500),
        (0.0394, 39),
        (0, 0),
        (-1.0, None),
        (math.inf, None),
        (math.nan, None),
        (False, None),
        ("1", None),
        (COUNT_MAX, None),
    ],
)
def test_milliseconds(value: object, expected: int | None) -> None:
    assert expected == us_of_ms(value)


def test_words_are_cut() -> None:
    assert "w" * WORD_CHARS_MAX == as_word("w" * (WORD_CHARS_MAX + 1))
    assert "other" == as_word(None)


def test_objects() -> None:
    assert {"a": 1} == as_object({"a": 1})
    assert {} == as_object([1])


def test_decoding_of_a_known_shape() -> None:
    numbers = msgspec.json.Decoder(list[float])

    assert [1.5] == decoded(numbers, b"[1.5]")
    assert "[nan]" == str(decoded(numbers, b"[NaN]"))
    assert decoded(numbers, b"{}") is None
    assert decoded_again(numbers, b"nope") is None


@pytest.mark.parametrize(
    ("line", "expected"), [(b'{"a":NaN}', True), (b"[DONE]", True), (b"{nope", False), (b"[" * 100_000, False)]
)
def test_what_is_json(line: bytes, expected: bool) -> None:
    assert expected is is_json(line)
