"""The pump under a client is tested in test_client.py, where each test runs with it as well."""

import socket
from collections.abc import Callable

import pytest

from loadtest.line import Line, Read
from loadtest.pump import pumped
from telemetry.clock import monotonic_ns

MS = 1_000_000


class AnIntake:
    """Takes reads by a function that returns whether that was the last; its deadline is moved from outside."""

    def __init__(self, taken: Callable[[bytes], bool], due_ns: int | None = None) -> None:
        self.is_over = False
        self.due = monotonic_ns() + 10_000 * MS if due_ns is None else due_ns
        self.asked = 0
        self._taken = taken

    def take(self, read: Read) -> bool:
        before = self.due
        self.is_over = self._taken(read[0])
        return self.is_over or self.due < before

    def due_ns(self) -> int:
        self.asked += 1
        return self.due


def a_pair() -> tuple[Line, socket.socket]:
    here, there = socket.socketpair()
    return Line(here), there


def test_reads_are_handed_over_until_the_last() -> None:
    line, there = a_pair()
    reads: list[bytes] = []

    def taken(data: bytes) -> bool:
        reads.append(data)
        if len(reads) < 3:
            there.send(b"more")
        return len(reads) == 3

    there.send(b"first")
    intake = AnIntake(taken)
    pumped(line, intake)

    assert intake.is_over
    assert [b"first", b"more", b"more"] == reads
    line.close()
    there.close()


def test_a_deadline_that_moves_is_looked_at_again() -> None:
    line, there = a_pair()
    begun_ns = monotonic_ns()
    intake = AnIntake(lambda _: True, begun_ns + 40 * MS)
    first, intake.due = intake.due, begun_ns + 20 * MS

    def due_ns() -> int:
        found, intake.due = intake.due, first
        return found

    intake.due_ns = due_ns  # type: ignore[method-assign] # the deadline moves once it was asked for
    pumped(line, intake)

    assert not intake.is_over
    assert monotonic_ns() - begun_ns >= 40 * MS
    line.close()
    there.close()


def test_a_deadline_that_comes_nearer_is_kept() -> None:
    line, there = a_pair()
    far_ns = monotonic_ns() + 5_000 * MS

    def taken(data: bytes) -> bool:
        del data
        intake.due = monotonic_ns() + 20 * MS
        return False

    intake = AnIntake(taken, far_ns)
    there.send(b"first")
    pumped(line, intake)

    assert not intake.is_over
    assert intake.due <= monotonic_ns() < far_ns
    line.close()
    there.close()


def test_nobody_is_woken_for_a_read_that_changes_nothing() -> None:
    line, there = a_pair()
    reads: list[bytes] = []

    def taken(data: bytes) -> bool:
        reads.append(data)
        if data != b"last":
            there.send(b"last" if len(reads) == 5 else b"more")
        return data == b"last"

    intake = AnIntake(taken)
    there.send(b"first")
    pumped(line, intake)

    assert (6, 1) == (len(reads), intake.asked)
    line.close()
    there.close()


def test_an_error_of_the_taker_is_raised_where_the_request_waits() -> None:
    line, there = a_pair()
    there.send(b"x")

    def taken(data: bytes) -> bool:
        raise ConnectionResetError(data)

    with pytest.raises(ConnectionResetError):
        pumped(line, AnIntake(taken))
    line.close()
    there.close()


def test_the_peers_end_is_handed_over() -> None:
    line, there = a_pair()
    there.close()
    intake = AnIntake(lambda data: data == b"")
    pumped(line, intake)

    assert intake.is_over
    line.close()
