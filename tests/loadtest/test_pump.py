"""The pump under a client is tested in test_client.py, where each test runs with it as well."""

import socket

import pytest

from loadtest.line import Got, Line
from loadtest.pump import pumped
from telemetry.clock import monotonic_ns

MS = 1_000_000


def never() -> int:
    return monotonic_ns() + 10_000 * MS


def a_pair() -> tuple[Line, socket.socket]:
    here, there = socket.socketpair()
    return Line(here), there


def test_reads_are_handed_over_until_the_last() -> None:
    line, there = a_pair()
    reads: list[bytes] = []

    def take(got: Got) -> bool:
        reads.append(got.data)
        if len(reads) < 3:
            there.send(b"more")
        return len(reads) == 3

    there.send(b"first")

    assert pumped(line, take, never)
    assert [b"first", b"more", b"more"] == reads
    line.close()
    there.close()


def test_a_deadline_that_moves_is_looked_at_again() -> None:
    line, there = a_pair()
    asked: list[int] = []

    def due_ns() -> int:
        asked.append(monotonic_ns())
        return asked[0] + (20 if len(asked) == 1 else 40) * MS

    assert not pumped(line, lambda _: True, due_ns)
    assert monotonic_ns() - asked[0] >= 40 * MS
    line.close()
    there.close()


def test_a_deadline_that_comes_nearer_is_kept() -> None:
    line, there = a_pair()
    far_ns = due_ns = monotonic_ns() + 5_000 * MS

    def take(got: Got) -> bool:
        nonlocal due_ns
        due_ns = got.at_ns + 20 * MS
        return False

    there.send(b"first")

    assert not pumped(line, take, lambda: due_ns)
    assert due_ns <= monotonic_ns() < far_ns
    line.close()
    there.close()


def test_an_error_of_the_taker_is_raised_where_the_request_waits() -> None:
    line, there = a_pair()
    there.send(b"x")

    def take(got: Got) -> bool:
        raise ConnectionResetError(got.data)

    with pytest.raises(ConnectionResetError):
        pumped(line, take, never)
    line.close()
    there.close()


def test_what_is_over_already_is_not_waited_for() -> None:
    line, there = a_pair()
    there.close()

    assert pumped(line, lambda got: got.data == b"", never)
    line.close()
