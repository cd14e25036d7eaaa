"""Streams are named, apart from each other, and the same for ever."""

from hashlib import sha256
from random import Random

from loadtest.random_streams import Stream, bits64, stream


def test_a_stream_is_seeded_by_the_digest_of_seed_and_name() -> None:
    expected = Random(int.from_bytes(sha256(b"7/arrivals").digest()[:8], "big"))  # noqa: S311 -- what the spec says
    found = stream(7, Stream.ARRIVALS)

    assert [expected.random() for _ in range(5)] == [found() for _ in range(5)]


def test_streams_differ_by_seed_and_by_name() -> None:
    firsts = {stream(seed, name)() for seed in (1, 2) for name in Stream}

    assert 2 * len(Stream) == len(firsts)
    assert ["arrivals", "lengths", "prefix", "conversations", "patience", "retry", "text", "arm"] == list(Stream)


def test_64_bits_use_their_whole_range() -> None:
    uniform = stream(1, Stream.TEXT)
    drawn = [bits64(uniform) for _ in range(4000)]

    assert all(0 <= one < 2**64 for one in drawn)
    for bit in range(64):  # each bit is set half the time; 5 standard errors are 158
        assert abs(sum(one >> bit & 1 for one in drawn) - 2000) < 158
