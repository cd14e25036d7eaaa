"""Knows how gevent's loop hands over what comes on a line, without waking a greenlet for each read.

The loop calls `take` itself; the greenlet of the request sleeps until it is over. That saves, for each read, a failed
call, a timer and two switches, which is about half of what a read costs. A deadline that a read moves away is looked at
when the timer of the earlier one fires; one that it brings nearer wakes the greenlet, which happens once in an answer.

Source: gevent 26 hub.py (`loop.io`), event.py (AsyncResult, Event); spec/loadtest.md 4 (raw gevent).
"""

from collections.abc import Callable
from typing import Any, cast

from gevent.event import AsyncResult, Event
from gevent.hub import get_hub

from loadtest.line import Got, Line
from telemetry.clock import monotonic_ns

_READ = 1
_NS = 1e9


def pumped(line: Line, take: Callable[[Got], bool], due_ns: Callable[[], int]) -> bool:
    """Do as `loadtest.line.pumped` does."""
    watcher = cast("Any", get_hub()).loop.io(line.fileno(), _READ)
    sleep = _Sleep(due_ns)

    def readable() -> None:
        try:
            got = line.receive_now()
            is_over = got is not None and take(got)
        except BlockingIOError:
            return
        except Exception as error:  # noqa: BLE001 -- raised again where the request waits
            watcher.stop()
            sleep.over.set_exception(error)
        else:
            if is_over:
                watcher.stop()
                sleep.over.set(None)
        sleep.look()

    watcher.start(readable)
    try:
        return sleep.wait()
    finally:
        watcher.stop()
        watcher.close()


class _Sleep:
    """The sleep of a request, until it is over or its deadline passes."""

    __slots__ = ("_armed_ns", "_due_ns", "_woken", "over")

    def __init__(self, due_ns: Callable[[], int]) -> None:
        self._due_ns, self._armed_ns = due_ns, due_ns()
        self.over, self._woken = cast("Any", AsyncResult()), cast("Any", Event())

    def look(self) -> None:
        """Wake the request if it sleeps too long."""
        if self.over.ready() or self._due_ns() < self._armed_ns:
            self._woken.set()

    def wait(self) -> bool:
        """Wait until it is over; False if the instant passed."""
        while not self.over.ready() and (left_s := (self._armed_ns - monotonic_ns()) / _NS) > 0:
            self._woken.clear()
            self._woken.wait(left_s)
            self._armed_ns = self._due_ns()
        if not self.over.ready():
            return False
        self.over.get()
        return True
