"""Knows one of several engines behind an endpoint, which may come and go; refuses to know how a page is read.

A replica that was never there, or is gone for good, is no row: a number of replicas that counted it would wait for it.
One that goes silent is told as silent until `GONE_S` have passed; from then on it is asked on and not told.

Source: spec/scaling.md 3 (series of removed pods are dropped).
"""

from collections.abc import Callable, Sequence

from inferometer.supervisor import Log
from probes.engine_metrics import EngineProbe
from probes.probe import Row
from telemetry.clock import monotonic_ns
from telemetry.samples import EngineSample

GONE_S = 60.0
"""How long a replica may be silent before it counts as removed; `slo.scaling.confidence.TTL_S`."""


class ReplicaProbe:
    """Scrapes one replica.

    Args:
        probe: Asks it.
        log: Where it is told that it came or went.
        now_ns: The clock, monotonic.
    """

    def __init__(self, probe: EngineProbe, log: Log, now_ns: Callable[[], int] = monotonic_ns) -> None:
        """Nothing has been heard of it."""
        self.name, self.interval_s, self.limit_s = probe.name, probe.interval_s, probe.limit_s
        self._probe, self._log, self._now_ns = probe, log, now_ns
        self._heard_ns: int | None = None

    async def ask(self) -> Sequence[Row]:
        """Scrape once."""
        return self._known(await self._probe.ask())

    def failed(self, reason: str) -> Sequence[Row]:
        """Return the rows of a scrape that was ended from outside."""
        return self._known(self._probe.failed(reason))

    def _known(self, rows: Sequence[Row]) -> Sequence[Row]:
        now_ns = self._now_ns()
        if any(isinstance(row, EngineSample) and row.up for row in rows):
            if self._heard_ns is None:
                self._log(f"{self.name}: scraped")
            self._heard_ns = now_ns
            return rows
        if self._heard_ns is not None and now_ns - self._heard_ns > GONE_S * 1e9:
            self._log(f"{self.name}: gone", reason=self._probe.why)
            self._heard_ns = None
        return rows if self._heard_ns is not None else ()
