"""Knows the clocks and the wait of this process, the one home of both; refuses to know what they are used for.

Durations are differences of `monotonic_ns` (CLOCK_MONOTONIC, one clock for all processes of a Linux host); the wall
clock only places a row.

Source: spec/measurement.md 1.
"""

import time
from dataclasses import dataclass

STEP_MS_MAX = 500
"""A wall clock that moved further than this against the monotonic one has stepped."""

monotonic_ns = time.monotonic_ns
"""CLOCK_MONOTONIC, nanoseconds."""

wall_ns = time.time_ns
"""The wall clock in unix nanoseconds: what the kernel stamps packets by."""

sleep = time.sleep
"""Wait for a number of seconds."""


def wall_ms() -> int:
    """Return the wall clock in unix milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class WallAnchor:
    """One simultaneous reading of both clocks, by which monotonic stamps become wall times.

    Attributes:
        unix_ms: Wall clock, milliseconds.
        at_ns: Monotonic clock, nanoseconds.
    """

    unix_ms: int
    at_ns: int

    @classmethod
    def now(cls) -> "WallAnchor":
        """Read both clocks."""
        return cls(unix_ms=wall_ms(), at_ns=monotonic_ns())

    def unix_ms_at(self, at_ns: int) -> int:
        """Return the wall time, in unix milliseconds, of a monotonic stamp."""
        return self.unix_ms + (at_ns - self.at_ns) // 1_000_000

    def step_ms(self, later: "WallAnchor") -> int:
        """Return by how many milliseconds the wall clock moved against the monotonic one since this reading."""
        return later.unix_ms - self.unix_ms_at(later.at_ns)
