"""Knows how gevent's loop hands over what comes on a line, without waking a greenlet for each read.

The loop calls `take` itself; the greenlet of the request sleeps until it is over. That saves, for each read, a failed
call, a timer and two switches, which is about half of what a read costs. A deadline that a read moves away is looked at
when the timer of the earlier one fires; one that it brings nearer wakes the greenlet, which happens once in an answer.

Subtle: two other ways were measured at 5,000 reads a second and cost more. Sockets in an epoll of their own, which the
loop watches, save 1.2 us of the loop's work for each read where many are ready, but a wake finds less than two of them.
To look at all of them each half or whole millisecond saves no wakes either: a timer's is as dear as a socket's (45 us
of CPU on the virtual machine where this was measured), and some come at any pace.

Source: gevent 26 hub.py (`loop.io`), event.py (Event); spec/loadtest.md 4 (raw gevent).
"""

from typing import Any, cast

from gevent.event import Event
from gevent.hub import get_hub

from loadtest.line import Intake, Line
from telemetry.clock import monotonic_ns

_READ = 1
_NS = 1e9


def pumped(line: Line, intake: Intake) -> None:
    """Do as `loadtest.line.pumped` does."""
    watcher = cast("Any", get_hub()).loop.io(line.fileno(), _READ)
    sleep = _Sleep(intake)
    receive, take = line.receive_now, intake.take

    def readable() -> None:
        try:
            read = receive()
            if read is None or not take(read):
                return
        except BlockingIOError:
            return
        except Exception as error:  # noqa: BLE001 -- raised again where the request waits
            sleep.error = error
        if sleep.is_over:
            watcher.stop()
        sleep.wake()

    watcher.start(readable)
    try:
        sleep.wait()
    finally:
        watcher.stop()
        watcher.close()


class _Sleep:
    """The sleep of a request, until it is over or its deadline passes.

    Attributes:
        error: What ended it; None if nothing did.
        wake: Makes it look at its deadline again.
    """

    __slots__ = ("_intake", "_woken", "error", "wake")

    def __init__(self, intake: Intake) -> None:
        self._intake, self._woken = intake, cast("Any", Event())
        self.error: Exception | None = None
        self.wake = self._woken.set

    @property
    def is_over(self) -> bool:
        """Nothing more is taken."""
        return self._intake.is_over or self.error is not None

    def wait(self) -> None:
        """Sleep."""
        while not self.is_over and (left_s := (self._intake.due_ns() - monotonic_ns()) / _NS) > 0:
            self._woken.clear()
            self._woken.wait(left_s)
        if self.error is not None:
            raise self.error
