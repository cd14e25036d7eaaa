import gzip
import zlib
from itertools import pairwise
from typing import Any, cast

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.bodies import (
    _OUTPUT_BYTES_MAX,  # pyright: ignore[reportPrivateUsage] -- the bound under test
    _OUTPUT_RATIO_MAX,  # pyright: ignore[reportPrivateUsage] -- the bound under test
    Decoder,
    decoder,
)

TEXT = b'data: {"choices":[{"delta":{"content":"a token"}}]}\n\n' * 40


def bare_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def packed_brotli(data: bytes) -> bytes:
    return bytes(cast("Any", brotli).compress(data, quality=1))


def made(coding: bytes) -> Decoder:
    made = decoder(coding)
    assert made is not None
    return made


CODINGS = [
    pytest.param(b"gzip", gzip.compress(TEXT), id="gzip"),
    pytest.param(b" X-Gzip ", gzip.compress(TEXT), id="the old name of gzip, with blanks"),
    pytest.param(b"gzip", gzip.compress(TEXT[:100]) + gzip.compress(TEXT[100:]), id="two gzip members"),
    pytest.param(b"gzip", gzip.compress(TEXT) + b"\0\0padding", id="gzip with bytes after the last member"),
    pytest.param(b"deflate", zlib.compress(TEXT), id="deflate as the standard says"),
    pytest.param(b"deflate", bare_deflate(TEXT), id="bare deflate data"),
    pytest.param(b"br", packed_brotli(TEXT), id="brotli"),
]


@pytest.mark.parametrize(("coding", "packed"), CODINGS)
def test_a_coded_body_reads_the_same_whole_and_byte_by_byte(coding: bytes, packed: bytes) -> None:
    whole, bytewise = made(coding), made(coding)

    assert whole.feed(packed) == TEXT
    assert b"".join(bytewise.feed(packed[at : at + 1]) for at in range(len(packed))) == TEXT
    assert not whole.opaque
    assert not bytewise.opaque


@pytest.mark.parametrize("coding", [None, b"", b"identity", b" Identity "])
def test_a_body_without_coding_needs_no_decoder(coding: bytes | None) -> None:
    assert decoder(coding) is None


@pytest.mark.parametrize("coding", [b"zstd", b"gzip, br", b"compress", b"no such coding"])
def test_other_codings_are_opaque(coding: bytes) -> None:
    other = made(coding)

    assert other.opaque
    assert other.feed(TEXT) == b""


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"br"])
def test_a_damaged_body_turns_opaque_and_stays_so(coding: bytes) -> None:
    damaged = made(coding)

    assert damaged.feed(b"\xff\xff\xff\xffnot packed at all") == b""
    assert damaged.opaque
    assert damaged.feed(gzip.compress(TEXT)) == b""


def test_nothing_is_decided_by_the_first_byte_of_deflate() -> None:
    young = made(b"deflate")

    assert young.feed(zlib.compress(TEXT)[:1]) == b""
    assert not young.opaque


@pytest.mark.parametrize("coding", [b"gzip", b"deflate", b"br"])
def test_a_bomb_is_cut_at_the_bound(coding: bytes) -> None:
    zeros = bytes(64 * 1024 * 1024)
    packers = {b"gzip": lambda: gzip.compress(zeros, 6), b"deflate": lambda: zlib.compress(zeros)}
    packed = packers[coding]() if coding in packers else packed_brotli(zeros)
    bomb = made(coding)

    out = bomb.feed(packed)

    # brotli grows its buffer by blocks, so it may pass the bound by one of them.
    assert len(out) <= 2 * (_OUTPUT_RATIO_MAX * len(packed) + _OUTPUT_BYTES_MAX)
    assert bomb.opaque
    assert bomb.feed(b"more") == b""


def test_just_below_the_bound_is_decoded() -> None:
    body = bytes(_OUTPUT_BYTES_MAX)
    packed = gzip.compress(body)
    inside, beyond = made(b"gzip"), made(b"gzip")

    assert inside.feed(packed) == body
    assert not inside.opaque
    beyond.feed(gzip.compress(bytes(_OUTPUT_BYTES_MAX + _OUTPUT_RATIO_MAX * 2 * len(packed))))
    assert beyond.opaque


@given(st.binary(max_size=2000), st.lists(st.integers(0, 2000), max_size=8))
def test_any_cutting_gives_the_same_body(body: bytes, cuts: list[int]) -> None:
    for coding, packed in (
        (b"gzip", gzip.compress(body)),
        (b"deflate", zlib.compress(body)),
        (b"br", packed_brotli(body)),
    ):
        edges = [0, *sorted(min(cut, len(packed)) for cut in cuts), len(packed)]
        cut = made(coding)

        assert b"".join(cut.feed(packed[a:b]) for a, b in pairwise(edges)) == body
