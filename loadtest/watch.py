"""Knows what a process did to itself while it drove load: CPU, memory, steps of its wall clock; refuses to judge.

`look` is called about once a second. A mean runs over the last five looks, so a short peak does not count and a long
one cannot hide.

Source: spec/loadtest.md 3 (memory cap), 5 (process CPU, clock); getrusage(2).
"""

import resource
from collections import deque
from collections.abc import Callable

from telemetry.clock import monotonic_ns, wall_ns

LOOKS_MAX = 6
"""Looks that a mean runs over: five spans of about a second."""
_KIB = 1024
_NS = 1e9


class Watch:
    """Looks after this process.

    Attributes:
        cpu_ratio: Largest mean share of a core; None before five looks.
        reads_per_s: Largest mean rate of reads; None before five looks.
        clock_step_ms: Largest step of the wall clock between two looks.

    Args:
        reads: Counts the reads so far.
        clocks: Reads monotonic and wall clock, nanoseconds.
        used: Returns CPU seconds and the greatest memory so far, bytes.
    """

    def __init__(
        self,
        reads: Callable[[], int],
        clocks: Callable[[], tuple[int, int]] = lambda: (monotonic_ns(), wall_ns()),
        used: Callable[[], tuple[float, int]] | None = None,
    ) -> None:
        """Take the first look."""
        self.cpu_ratio: float | None = None
        self.reads_per_s: float | None = None
        self.clock_step_ms = 0.0
        self.rss_bytes = 0
        """Greatest memory so far."""
        self._reads, self._clocks, self._used = reads, clocks, used or _used
        self._looks: deque[tuple[int, float, int]] = deque(maxlen=LOOKS_MAX)
        self._offset_ns: int | None = None
        self.look()

    def look(self) -> None:
        """Take a look."""
        now_ns, wall = self._clocks()
        cpu_s, self.rss_bytes = self._used()
        self._step(wall - now_ns)
        self._looks.append((now_ns, cpu_s, self._reads()))
        if len(self._looks) < LOOKS_MAX:
            return
        at_ns, before_s, reads = self._looks[0]
        span_s = (now_ns - at_ns) / _NS
        self.cpu_ratio = max(self.cpu_ratio or 0.0, (cpu_s - before_s) / span_s)
        self.reads_per_s = max(self.reads_per_s or 0.0, (self._looks[-1][2] - reads) / span_s)

    def _step(self, offset_ns: int) -> None:
        if self._offset_ns is not None:
            self.clock_step_ms = max(self.clock_step_ms, abs(offset_ns - self._offset_ns) / 1e6)
        self._offset_ns = offset_ns


def _used() -> tuple[float, int]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime, used.ru_maxrss * _KIB
