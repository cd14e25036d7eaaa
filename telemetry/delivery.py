"""Knows how finished records reach the store: own spool, its shippers, spools that others left; refuses to know HTTP.

The spool takes the records at once; a shipper is a thread that nobody waits for, one for each lane. A spool directory
beside ours that has no owner any more is drained as well, a few at a time.

Source: spec/store.md 10 to 12.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from telemetry.accounting import Lane, LaneCounters
from telemetry.cargo import RowSink
from telemetry.clock import monotonic_ns
from telemetry.errors import SpoolError
from telemetry.record import RequestRecord
from telemetry.samples import Sample
from telemetry.shipper import Shipper
from telemetry.spool import Frontier, Spool, SpoolLimits, orphans

LANES = (Lane.REQUESTS, Lane.HEARTBEATS, Lane.PROBES, Lane.ENGINE, Lane.GPU, Lane.CONTROL)
"""Lanes that somebody fills."""
_HEARTBEATS = Lane.HEARTBEATS.name.lower()
_ADOPTED_MAX = 4
"""Most spools of others that are drained at a time."""


@dataclass(frozen=True, slots=True)
class _Drained:
    """A spool and what ships its lanes."""

    spool: Spool
    shippers: tuple[Shipper, ...]

    @classmethod
    def begun(cls, spool: Spool, sink: RowSink, lanes: Sequence[Lane]) -> "_Drained":
        shippers = tuple(Shipper(spool, sink, lane=lane) for lane in lanes)
        for shipper in shippers:
            shipper.start()
        return cls(spool, shippers)

    def stop(self, deadline_s: float) -> None:
        """Ship until the deadline."""
        end_ns = monotonic_ns() + round(deadline_s * 1e9)
        for shipper in self.shippers:
            shipper.stop(max(0.0, (end_ns - monotonic_ns()) / 1e9))

    def is_let_go(self) -> bool:
        """Close a spool that is drained; returns whether it was."""
        if not self.spool.status().recovered or any(lane.spooled for lane in self.spool.counters().values()):
            return False
        self.stop(0)
        self.spool.close()
        return True


class Delivery:
    """Own spool and shippers, and those adopted.

    Args:
        spool_dir: Directory of the own spool.
        node: Name of this machine or pod.
        sink: The store; None keeps everything in the spool.
        lanes: Lanes that the owner fills; what the store refuses is told in one more.
        bytes_max: Quota of the own spool; None leaves the usual one.

    Raises:
        SpoolError: The own spool cannot be opened.
    """

    def __init__(
        self,
        spool_dir: Path,
        *,
        node: str,
        sink: RowSink | None,
        lanes: Sequence[Lane] = (Lane.REQUESTS,),
        bytes_max: int | None = None,
    ) -> None:
        self._directory = spool_dir
        self._node = node
        self._sink = sink
        limits = SpoolLimits() if bytes_max is None else SpoolLimits(bytes_max=bytes_max)
        self._spool = Spool(spool_dir, node=node, limits=limits)
        self._own = None if sink is None else _Drained.begun(self._spool, sink, sorted({*lanes, Lane.CONTROL}))
        self._adopted: list[_Drained] = []
        if sink is None:
            self._spool.recover()  # nobody else reads what earlier lives left, and unread rows cannot be dropped

    def append(self, records: Sequence[RequestRecord]) -> None:
        """Hand over finished requests."""
        self._spool.append_requests(records)

    def append_samples(self, samples: Sequence[Sample]) -> None:
        """Hand over samples."""
        self._spool.append_samples(samples)

    def lanes(self) -> Mapping[str, LaneCounters]:
        """Return the accounting of the own spool, by lane."""
        return self._spool.counters()

    @property
    def collector(self) -> str:
        """`<node>/<epoch8>`, the identity of the own spool in every row."""
        return self._spool.collector

    def frontier(self) -> Frontier:
        """Return which requests of the own spool still wait."""
        return self._spool.frontier()

    def spool_events(self) -> Mapping[str, int]:
        """Return what the own spool met, by name."""
        return self._spool.status().faults

    def shipping_events(self) -> Mapping[str, int]:
        """Return what the shippers of the own spool did and met, by name; empty without a store."""
        shippers = () if self._own is None else self._own.shippers
        return sum((Counter(shipper.status().counts) for shipper in shippers), Counter[str]())

    def adopt(self) -> int:
        """Let go of adopted spools that are drained, take others; returns how many are being drained."""
        if self._sink is None:
            return 0
        self._adopted = [one for one in self._adopted if not one.is_let_go()]
        for directory in orphans(self._directory.parent)[: _ADOPTED_MAX - len(self._adopted)]:
            with suppress(SpoolError):  # Another process was faster, or a newer version wrote it.
                spool = Spool(directory, node=self._node)
                self._adopted.append(_Drained.begun(spool, self._sink, LANES))
        return len(self._adopted)

    def close(self, deadline_s: float) -> int:
        """Ship until the deadline, close every spool; returns how many own rows, heartbeats aside, still wait."""
        for one in self._adopted:
            one.stop(0)
            one.spool.close()
        if self._own is not None:
            self._own.stop(deadline_s)
        left = sum(lane.spooled for name, lane in self.lanes().items() if name != _HEARTBEATS)
        self._spool.close()
        return left
