"""Knows how gevent's loop hands over what comes on a line, without waking a greenlet for each read.

The loop calls `take` itself; the greenlet of the request sleeps until it is over. That saves, for each read, a failed
call, a timer and two switches, which is about half of what a read costs. A deadline that moves with each read is looked
at when the timer of an earlier one fires.

Source: gevent 26 hub.py (`loop.io`, `loop.timer`), event.py (AsyncResult); spec/loadtest.md 4 (raw gevent).
"""

from collections.abc import Callable
from typing import Any, cast

from gevent import Timeout
from gevent.event import AsyncResult
from gevent.hub import get_hub

from loadtest.line import Got, Line
from telemetry.clock import monotonic_ns

_READ = 1
_NS = 1e9


def pumped(line: Line, take: Callable[[Got], bool], due_ns: Callable[[], int]) -> bool:
    """Do as `loadtest.line.pumped` does."""
    over = cast("Any", AsyncResult())
    watcher = cast("Any", get_hub()).loop.io(line.fileno(), _READ)

    def readable() -> None:
        try:
            got = line.receive_now()
            is_over = got is not None and take(got)
        except BlockingIOError:
            return
        except Exception as error:  # noqa: BLE001 -- raised again where the request waits
            watcher.stop()
            over.set_exception(error)
            return
        if is_over:
            watcher.stop()
            over.set(None)

    watcher.start(readable)
    try:
        return _waited(over, due_ns)
    finally:
        watcher.stop()
        watcher.close()


def _waited(over: Any, due_ns: Callable[[], int]) -> bool:  # noqa: ANN401 -- gevent has no types
    """Wait until it is over; False if the instant passed."""
    while (left_s := (due_ns() - monotonic_ns()) / _NS) > 0:
        try:
            over.get(timeout=left_s)
        except Timeout:
            continue  # the deadline may have moved meanwhile
        return True
    if over.ready():
        over.get()
        return True
    return False
