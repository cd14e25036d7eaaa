"""Knows how finished records reach the store: own spool, its shipper, spools that others left; refuses to know HTTP.

The spool takes the records at once; the shipper is a thread that nobody waits for. A spool directory beside ours that
has no owner any more is drained as well, a few at a time.

Source: spec/store.md 10 to 12.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from telemetry.accounting import LaneCounters
from telemetry.errors import SpoolError
from telemetry.record import RequestRecord
from telemetry.shipper import RowSink, Shipper
from telemetry.spool import Spool, SpoolLimits, orphans

_ADOPTED_MAX = 4
"""Most spools of others that are drained at a time."""


class Delivery:
    """Own spool and shipper, and those adopted.

    Args:
        spool_dir: Directory of the own spool.
        node: Name of this machine or pod.
        sink: The store; None keeps everything in the spool.
        bytes_max: Quota of the own spool; None leaves the usual one.

    Raises:
        SpoolError: The own spool cannot be opened.
    """

    def __init__(self, spool_dir: Path, *, node: str, sink: RowSink | None, bytes_max: int | None = None) -> None:
        self._directory = spool_dir
        self._node = node
        self._sink = sink
        limits = SpoolLimits() if bytes_max is None else SpoolLimits(bytes_max=bytes_max)
        self._spool = Spool(spool_dir, node=node, limits=limits)
        self._shipper = None if sink is None else Shipper(self._spool, sink)
        self._adopted: list[tuple[Spool, Shipper]] = []
        if self._shipper is not None:
            self._shipper.start()
        else:
            self._spool.recover()  # nobody else reads what earlier lives left, and unread rows cannot be dropped

    def append(self, records: Sequence[RequestRecord]) -> None:
        """Hand over finished records."""
        self._spool.append_requests(records)

    def lanes(self) -> Mapping[str, LaneCounters]:
        """Return the accounting of the own spool, by lane."""
        return self._spool.counters()

    def spool_events(self) -> Mapping[str, int]:
        """Return what the own spool met, by name."""
        return self._spool.status().faults

    def shipping_events(self) -> Mapping[str, int]:
        """Return what the shipper of the own spool did and met, by name; empty without a store."""
        return {} if self._shipper is None else self._shipper.status().counts

    def adopt(self) -> int:
        """Let go of adopted spools that are drained, take others; returns how many are being drained."""
        if self._sink is None:
            return 0
        self._adopted = [pair for pair in self._adopted if not _is_let_go(*pair)]
        for directory in orphans(self._directory.parent)[: _ADOPTED_MAX - len(self._adopted)]:
            with suppress(SpoolError):  # Another process was faster, or a newer version wrote it.
                spool = Spool(directory, node=self._node)
                shipper = Shipper(spool, self._sink)
                shipper.start()
                self._adopted.append((spool, shipper))
        return len(self._adopted)

    def close(self, deadline_s: float) -> int:
        """Ship what can be shipped until the deadline, close every spool; returns how many own rows still wait."""
        for spool, shipper in self._adopted:
            shipper.stop(0)
            spool.close()
        left = sum(lane.spooled for lane in self.lanes().values())
        if self._shipper is not None:
            left = self._shipper.stop(deadline_s)
        self._spool.close()
        return left


def _is_let_go(spool: Spool, shipper: Shipper) -> bool:
    """Close a spool that is drained; returns whether it was."""
    if not spool.status().recovered or any(lane.spooled for lane in spool.counters().values()):
        return False
    shipper.stop(0)
    spool.close()
    return True
