"""Knows how far a worker's wall clock is from the master's, by pings; refuses to send them.

    offset = worker's clock - (master's clock at the ping + round trip / 2), of the ping with the least round trip

Error: at most half of that round trip. Where the offset is too large and might be an artefact of slow messages, more
pings are asked for; what is not shown to be near by then counts as apart.

Source: spec/loadtest.md 2 (offset from the least-RTT of 10 pings below 5 ms, stored with the RTT); RFC 5905, 8 (on-wire
protocol, least delay).
"""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

PINGS = 10
"""Pings of each worker."""
PINGS_MAX = 50
"""Pings of a worker whose messages are slow."""
OFFSET_MS_MAX = 5.0
"""Least offset that makes a run inconclusive."""


class Ping(NamedTuple):
    """One ping that came back.

    Attributes:
        offset_ms: As it showed.
        rtt_ms: How long it took.
    """

    offset_ms: float
    rtt_ms: float


class WorkerClock(msgspec.Struct, frozen=True, kw_only=True):
    """The wall clock of a worker.

    Attributes:
        worker: Its number.
        offset_ms: Less the master's.
        rtt_ms: Least round trip, half of which is the error.
        pings: How many it rests on.
    """

    worker: int
    offset_ms: float
    rtt_ms: float
    pings: int

    @property
    def is_apart(self) -> bool:
        """Whether the two are too far from each other."""
        return abs(self.offset_ms) >= OFFSET_MS_MAX

    @property
    def is_known(self) -> bool:
        """Whether further pings would change nothing."""
        is_shown = not self.is_apart or abs(self.offset_ms) - self.rtt_ms / 2 >= OFFSET_MS_MAX
        return self.pings >= PINGS_MAX or (self.pings >= PINGS and is_shown)


def ping(sent_unix_ns: int, rtt_ns: int, worker_unix_ns: int) -> Ping:
    """Return what one ping shows.

    Args:
        sent_unix_ns: Master's wall clock when it was sent.
        rtt_ns: Until its answer was there, by a clock that does not step.
        worker_unix_ns: Worker's wall clock in between.
    """
    return Ping(offset_ms=(worker_unix_ns - sent_unix_ns - rtt_ns / 2) / 1e6, rtt_ms=rtt_ns / 1e6)


def worker_clock(worker: int, pings: Sequence[Ping]) -> WorkerClock:
    """Return what pings show together; at least one."""
    least = min(pings, key=lambda one: one.rtt_ms)
    return WorkerClock(worker=worker, offset_ms=least.offset_ms, rtt_ms=least.rtt_ms, pings=len(pings))
