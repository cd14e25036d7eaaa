"""A sender whose receiver is late, gone, full or back again: it never waits, and counts what it gives up."""

import socket
from pathlib import Path

import pytest
from inferometer_vllm.sender import BURST_MAX, WAITING_BYTES_MAX, Sender


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "plugin.sock"


def listening(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.settimeout(0)
    sock.bind(str(path))
    return sock


def heard(sock: socket.socket) -> list[bytes]:
    found: list[bytes] = []
    while True:
        try:
            found.append(sock.recv(1 << 17))
        except BlockingIOError:
            return found


def test_a_datagram_arrives_as_it_was(path: Path) -> None:
    sender = Sender(str(path))
    with listening(path) as sock:
        sender.send(b"one", 1)
        sender.flush()

        assert heard(sock) == [b"one"]
    assert (sender.dropped, sender.waiting_bytes) == (0, 0)


def test_what_nobody_hears_waits_for_the_first_receiver_and_the_next(path: Path) -> None:
    sender = Sender(str(path))
    sender.send(b"before", 1)
    sender.flush()
    with listening(path) as first:
        sender.send(b"first", 1)
        sender.flush()
        assert heard(first) == [b"before", b"first"]
    sender.send(b"between", 1)  # the path is there, and nobody listens
    sender.flush()
    assert sender.waiting_bytes == len(b"between")
    path.unlink()
    with listening(path) as second:
        sender.flush()

        assert heard(second) == [b"between"]
    assert sender.dropped == 0


def test_a_full_receiver_is_tried_again(path: Path) -> None:
    sender = Sender(str(path))
    sent = [b"%d" % number for number in range(2 * BURST_MAX)]
    with listening(path) as sock:
        for datagram in sent:
            sender.send(datagram, 1)
            sender.flush()
        assert sender.waiting_bytes > 0, "the kernel took all: the test shows nothing"
        found = heard(sock)
        while sender.waiting_bytes:
            sender.flush()
            found += heard(sock)

    assert sent == found
    assert sender.dropped == 0


def test_one_call_sends_no_more_than_the_burst(path: Path) -> None:
    sender = Sender(str(path))
    for _ in range(BURST_MAX + 1):
        sender.send(b"x", 1)
    with listening(path) as sock:
        found, flushes = 0, 0
        while sender.waiting_bytes:
            before = sender.waiting_bytes
            sender.flush()
            flushes += 1
            assert before - sender.waiting_bytes <= BURST_MAX
            found += len(heard(sock))

    assert found == BURST_MAX + 1
    assert flushes > 1


def test_beyond_the_bound_the_oldest_is_dropped_and_its_rows_counted(path: Path) -> None:
    sender = Sender(str(path))
    half = WAITING_BYTES_MAX // 2
    sender.send(b"a" * half, 3)
    sender.send(b"b" * half, 5)
    assert (sender.waiting_bytes, sender.dropped) == (WAITING_BYTES_MAX, 0)
    sender.send(b"c", 7)

    assert (sender.waiting_bytes, sender.dropped) == (half + 1, 3)


def test_a_datagram_that_no_socket_takes_makes_way(path: Path) -> None:
    sender = Sender(str(path))
    with listening(path) as sock:
        sender.send(b"x" * WAITING_BYTES_MAX, 4)
        sender.send(b"next", 1)
        sender.flush()
        sender.send(b"x" * (WAITING_BYTES_MAX - 100), 4)
        sender.send(b"last", 1)
        sender.flush()

        assert heard(sock) == [b"next", b"last"]
    assert (sender.dropped, sender.waiting_bytes) == (8, 0)
