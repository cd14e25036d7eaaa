"""Knows a fleet that never changes, sized for its peak; refuses to look at anything.

Source: spec/scaling.md 7 (static-peak).
"""

import math

from telemetry.scaling import Observation

TICK_S = 15.0


class StaticPeak:
    """The same number for ever."""

    def __init__(self, peak_rps: float, replica_rps: float) -> None:
        """Take the highest rate, and what one replica carries."""
        self._replicas = math.ceil(peak_rps / replica_rps)

    @property
    def tick_s(self) -> float:
        """How often it is asked, for nothing."""
        return TICK_S

    def decide(self, seen: Observation) -> int:  # noqa: ARG002 - it looks at nothing
        """Return the number."""
        return self._replicas
