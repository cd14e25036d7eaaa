"""Knows which figures the policies of others look at, as their metrics sum or average them; refuses to fill holes.

A figure is None where no replica reported it. Where some did not, a sum is too small: that is what a query over the
series that are there gives, and what these policies see.

Source: vllm:num_requests_running, vllm:num_requests_waiting, vllm:kv_cache_usage_perc, DCGM_FI_DEV_GPU_UTIL.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from telemetry.scaling import Observation, ReplicaView


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One figure of each replica.

    Attributes:
        name: Of the metric.
        of: The figure of a replica; None if it did not report.
    """

    name: str
    of: Callable[[ReplicaView], float | None]

    def each(self, seen: Observation) -> Sequence[float | None]:
        """Return the figure of each ready replica."""
        return [self.of(one) for one in seen.replicas]

    def total(self, seen: Observation) -> float | None:
        """Return the sum over the replicas that reported; None if none did."""
        known = [value for value in self.each(seen) if value is not None]
        return sum(known) if known else None

    def mean(self, seen: Observation) -> float | None:
        """Return the mean over the replicas that reported; None if none did."""
        known = [value for value in self.each(seen) if value is not None]
        return sum(known) / len(known) if known else None


def in_flight(one: ReplicaView) -> float | None:
    """Return the requests that a replica holds, running or waiting; None if it did not report both."""
    return None if one.running is None or one.waiting is None else one.running + one.waiting


RUNNING = Signal(name="running", of=lambda one: one.running)
WAITING = Signal(name="waiting", of=lambda one: one.waiting)
IN_FLIGHT = Signal(name="in_flight", of=in_flight)
KV = Signal(name="kv", of=lambda one: one.kv_used_ratio)
GPU = Signal(name="gpu", of=lambda one: one.gpu_util_ratio)
