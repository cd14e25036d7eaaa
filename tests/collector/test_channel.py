from collections.abc import Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector import channel
from collector.channel import BACKLOG_BYTES_MAX, FULL_BYTES, GAPS_MAX, READ_BURST_MAX, SEND_BURST_MAX, Reader, Writer
from collector.frames import HEADER, MESSAGE_BYTES_MAX, PAYLOAD_BYTES_MAX, Frame, Kind

BIG = b"x" * PAYLOAD_BYTES_MAX
DATA = Kind.RESPONSE_BYTES


@pytest.fixture
def ends() -> Iterator[tuple[Writer, Reader]]:
    reader, writer = channel.pair()
    with closing(reader), closing(writer):
        yield Writer(writer), Reader(reader)


def everything(writer: Writer, reader: Reader) -> list[Frame]:
    """Read and flush in turns until nothing waits any more."""
    frames: list[Frame] = []
    while True:
        now = list(reader.frames())
        frames += now
        if not now and not writer.behind:
            return frames
        writer.flush(9)


def fill_to_the_bound(writer: Writer, conn: int) -> int:
    """Offer and flush big frames until the first is dropped; return how many were offered."""
    offered = 0
    while not writer.dropped_frames:
        writer.offer(DATA, conn, offered, BIG)
        writer.flush(offered)
        offered += 1
    return offered


def test_frames_arrive_in_order_and_whole(ends: tuple[Writer, Reader]) -> None:
    writer, reader = ends
    writer.offer(Kind.ACCEPTED, 1, 5, b"127.0.0.1:9")
    writer.offer(Kind.CLOSED, 1, 6)
    writer.flush(7)

    assert [Frame(2, 1, 5, b"127.0.0.1:9"), Frame(11, 1, 6, b"")] == list(reader.frames())
    assert not reader.ended


def test_an_empty_flush_sends_no_message(ends: tuple[Writer, Reader]) -> None:
    writer, reader = ends
    writer.flush(0)

    assert reader.read() is None
    assert not reader.ended


def test_a_writer_without_a_channel_discards() -> None:
    writer = Writer(None)
    writer.offer(DATA, 1, 0, b"x")
    writer.flush(0)

    assert (0, 0, False) == (writer.used, writer.dropped_frames, writer.behind)


def test_a_full_channel_is_buffered_up_to_the_bound_and_then_counted(ends: tuple[Writer, Reader]) -> None:
    writer, reader = ends
    offered = fill_to_the_bound(writer, 1)

    assert BACKLOG_BYTES_MAX - 2 * MESSAGE_BYTES_MAX < writer.backlog_bytes <= BACKLOG_BYTES_MAX
    assert (1, len(BIG)) == (writer.dropped_frames, writer.dropped_bytes)

    kept = [frame for frame in everything(writer, reader) if frame.kind == DATA]

    assert list(range(offered - 1)) == [frame.at_ns for frame in kept]
    assert 0 == writer.backlog_bytes


def test_a_gap_stands_before_the_next_frame_of_each_connection(ends: tuple[Writer, Reader]) -> None:
    writer, reader = ends
    fill_to_the_bound(writer, 1)
    writer.offer(DATA, 2, 0, b"abc")
    writer.offer(Kind.CLOSED, 2, 0)
    writer.flush(0)
    before = everything(writer, reader)
    writer.offer(DATA, 1, 77, b"next")
    writer.flush(0)

    tail = [(frame.kind, frame.conn, frame.payload) for frame in [*before, *reader.frames()] if frame.payload != BIG]

    assert [
        (Kind.LOST, 0, b"3"),
        (Kind.GAP, 1, b"%d" % len(BIG)),
        (Kind.GAP, 2, b"3"),
        (Kind.CLOSED, 2, b""),
        (DATA, 1, b"next"),
    ] == tail


def test_while_dropping_everything_is_dropped_until_half_the_bound_is_free(ends: tuple[Writer, Reader]) -> None:
    writer, reader = ends
    fill_to_the_bound(writer, 1)
    list(reader.frames())
    writer.offer(DATA, 1, 0, b"y")
    writer.flush(0)

    assert 2 == writer.dropped_frames


def test_losses_of_more_connections_than_the_bound_are_only_counted(ends: tuple[Writer, Reader]) -> None:
    writer, reader = ends
    fill_to_the_bound(writer, 1)
    for conn in range(2, GAPS_MAX + 3):  # with connection 1 that is two too many
        writer.offer(DATA, conn, 0)
    writer.flush(0)
    frames = everything(writer, reader)

    assert GAPS_MAX == sum(frame.kind == Kind.GAP for frame in frames)
    assert [b"%d" % (GAPS_MAX + 2)] == [frame.payload for frame in frames if frame.kind == Kind.LOST]


def test_one_flush_sends_a_bounded_number_of_waiting_messages(ends: tuple[Writer, Reader]) -> None:
    writer, reader = ends
    fill_to_the_bound(writer, 1)
    waiting = writer.backlog_bytes
    while reader.read():
        pass
    writer.flush(0)

    assert waiting - writer.backlog_bytes <= SEND_BURST_MAX * (len(BIG) + HEADER.size)


def test_an_observer_that_is_gone_costs_nothing() -> None:
    reader, sock = channel.pair()
    with closing(sock):
        writer = Writer(sock)
        fill_to_the_bound(writer, 1)
        reader.close()
        for _ in range(3):
            writer.offer(DATA, 1, 0, BIG)
            writer.flush(0)

        assert (0, False, 0) == (writer.backlog_bytes, writer.behind, writer.used)


def test_a_reader_notices_that_no_writer_is_left() -> None:
    sock, writer = channel.pair()
    with closing(sock):
        reader = Reader(sock)
        writer.send(HEADER.pack(Kind.HELLO, 0, 1, 2) + b"42")
        writer.close()

        assert [Frame(Kind.HELLO, 0, 1, b"42")] == list(reader.frames())
        assert reader.ended


def test_a_message_that_ends_inside_a_frame_is_counted() -> None:
    sock, writer = channel.pair()
    with closing(sock), closing(writer):
        reader = Reader(sock)
        whole = HEADER.pack(Kind.HELLO, 0, 1, 2) + b"42"
        writer.send(whole + whole[:-1])
        writer.send(whole)

        assert 2 == len(list(reader.frames()))
        assert 1 == reader.malformed


def test_one_call_returns_a_bounded_number_of_messages(ends: tuple[Writer, Reader]) -> None:
    writer, reader = ends
    for at_ns in range(READ_BURST_MAX + 1):
        writer.offer(Kind.HELLO, 0, at_ns)
        writer.flush(0)

    assert READ_BURST_MAX == len(list(reader.frames()))
    assert 1 == len(list(reader.frames()))


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, PAYLOAD_BYTES_MAX)), max_size=12))
def test_a_full_buffer_leaves_by_itself_and_no_frame_is_cut(sizes: list[tuple[int, int]]) -> None:
    sock, end = channel.pair()
    with closing(sock), closing(end):
        writer, reader = Writer(end), Reader(sock)
        for conn, size in sizes:
            assert writer.used <= FULL_BYTES
            writer.offer(DATA, conn, 0, bytes(size))
        writer.flush(0)

        assert sizes == [(frame.conn, len(frame.payload)) for frame in everything(writer, reader)]
        assert 0 == reader.malformed


def test_the_largest_frame_fits_behind_a_full_buffer() -> None:
    assert MESSAGE_BYTES_MAX == FULL_BYTES + HEADER.size + PAYLOAD_BYTES_MAX
