"""Knows the future: what a policy would ask for that knows all arrivals; refuses to be run anywhere but in a replay.

As many as the highest rate needs from now until a replica asked for at the next question would be ready. So what
arrives is always carried, and nothing that knows less can do with fewer.

Source: spec/scaling.md 7 (oracle, L ahead: misses 0 by construction).
"""

import bisect
import math
from collections.abc import Sequence

from telemetry.scaling import Observation

TICK_S = 15.0


class Oracle:
    """The future of one target."""

    def __init__(self, rates: Sequence[tuple[float, float]], replica_rps: float, lead_s: float) -> None:
        """Take what is to come.

        Args:
            rates: (from which second of unix time on, requests a second), oldest first.
            replica_rps: What one replica carries.
            lead_s: How long a replica takes.
        """
        self._since = [since_s for since_s, _ in rates]
        self._rates = [rate for _, rate in rates]
        self._replica_rps, self._lead_s = replica_rps, lead_s

    @property
    def tick_s(self) -> float:
        """How often it is asked."""
        return TICK_S

    def decide(self, seen: Observation) -> int:
        """Return the replicas that it would ask for; 0 before the first rate."""
        now_s = seen.now_unix_s
        first = max(bisect.bisect_right(self._since, now_s) - 1, 0)
        last = bisect.bisect_right(self._since, now_s + self._lead_s + TICK_S)
        return math.ceil(max(self._rates[first:last], default=0.0) / self._replica_rps)
