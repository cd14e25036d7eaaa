import socket
from collections.abc import Iterator
from contextlib import closing
from select import EPOLLIN

import pytest

from collector import channel, plane
from collector.channel import Reader, Writer
from collector.frames import Kind
from collector.plane import EVENTS_MAX, HOUSE_NS, Handler, Plane, Waits


class Stage:
    """A plane and the ends of its channel; `turns` runs it until it has been through housekeeping n times."""

    def __init__(self, writer: socket.socket, reader: socket.socket) -> None:
        self.plane = Plane(Writer(writer), self.house, self.broke)
        self.reader = Reader(reader)
        self.broken: list[int] = []
        self.turns = 1

    def house(self, now_ns: int) -> None:
        del now_ns
        self.turns -= 1
        if not self.turns:
            self.plane.stop()

    def broke(self, fd: int) -> None:
        self.broken.append(fd)
        self.plane.stop()

    def pair(self) -> tuple[socket.socket, socket.socket]:
        ours, theirs = socket.socketpair()
        ours.settimeout(0)
        return ours, theirs


@pytest.fixture
def stage() -> Iterator[Stage]:
    reader, writer = channel.pair()
    with closing(reader), closing(writer):
        yield Stage(writer, reader)


def test_a_wait_that_is_not_ended_expires_and_only_once() -> None:
    waits, seen = Waits(1.0), list[int]()
    waits.start(1, 0, seen.append)
    waits.start(2, 5, seen.append)
    waits.expire(999_999_999)

    assert ([], 2) == (seen, len(waits))

    waits.end(1)
    waits.end(1)
    waits.expire(1_000_000_005)
    waits.expire(1_000_000_006)

    assert ([1_000_000_005], 0) == (seen, len(waits))


def test_a_wait_may_end_others_while_it_expires() -> None:
    waits = Waits(1.0)
    waits.start(1, 0, lambda _: waits.end(2))
    waits.start(2, 0, lambda _: pytest.fail("this wait was ended"))
    waits.expire(2_000_000_000)

    assert 0 == len(waits)


def test_events_reach_the_handler_of_their_descriptor(stage: Stage) -> None:
    ours, theirs = stage.pair()
    with ours, theirs:
        seen: list[bytes] = []

        def handler(events: int) -> None:
            assert EPOLLIN == events
            seen.append(ours.recv(9))
            stage.plane.stop()

        stage.plane.watch(ours.fileno(), handler, EPOLLIN)
        theirs.send(b"hello")
        stage.turns = 99
        stage.plane.run()

        assert [b"hello"] == seen


def test_nothing_is_called_for_a_doomed_socket_and_it_is_closed_after_the_batch(stage: Stage) -> None:
    pairs = [stage.pair(), stage.pair()]
    called: list[int] = []

    def handler(me: int) -> Handler:
        def on_event(events: int) -> None:
            del events
            called.append(me)
            for ours, _ in pairs:
                stage.plane.doom(ours, reset=False)
                assert ours.fileno() >= 0

        return on_event

    for at, (ours, theirs) in enumerate(pairs):
        stage.plane.watch(ours.fileno(), handler(at), EPOLLIN)
        theirs.send(b"x")
    stage.plane.run()

    assert 1 == len(called)
    assert [-1, -1] == [ours.fileno() for ours, _ in pairs]
    for _, theirs in pairs:
        theirs.close()


def test_a_handler_that_raises_breaks_nothing_else(stage: Stage) -> None:
    ours, theirs = stage.pair()
    with ours, theirs:

        def handler(events: int) -> None:
            raise ZeroDivisionError(events)

        stage.plane.watch(ours.fileno(), handler, EPOLLIN)
        theirs.send(b"x")
        stage.turns = 99
        stage.plane.run()

        assert [ours.fileno()] == stage.broken


def test_frames_leave_without_further_traffic(stage: Stage) -> None:
    stage.plane.writer.offer(Kind.HELLO, 0, 1, b"1")
    stage.plane.run()

    assert [Kind.HELLO] == [frame.kind for frame in stage.reader.frames()]


def test_the_bounds_of_a_turn_fit_each_other() -> None:
    assert 256 == EVENTS_MAX
    assert plane.FLUSH_NS < HOUSE_NS
