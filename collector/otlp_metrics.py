"""Knows the thread that sends metrics by OTLP over HTTP; refuses to let anybody wait for it.

The observer's loop never calls in here: the thread reads the counts as a scrape does. An export may take as long as its
time-out, retries included; a receiver that is gone, slow or silent costs a counted failure, and the next export says
what that one would have. Stopping is bounded: one last export, and the thread is left behind if it hangs in a look-up
of names, which nothing can interrupt.

Source: opentelemetry-python issues 3886 and 2024 (the exporter's lock and retries hung the application; the SDK's own
periodic reader is therefore not used); opentelemetry/exporter/otlp/proto/http/metric_exporter 1.45.
"""

import logging
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from threading import Event, Thread
from typing import Protocol

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData
from opentelemetry.sdk.resources import Resource

from collector.otlp_points import Snapshot, Target, data
from collector.otlp_settings import OtlpSettings
from collector.series import Counted, Key, Series, since
from telemetry.clock import sleep, wall_ms

_SERVICE = "inferometer"
_RESULTS = ("ok", "failed")
_PAUSE_S = 0.0005

# The exporter says every failure through `logging`, on stderr in the end; ours are counted.
logging.getLogger("opentelemetry").addHandler(logging.NullHandler())
logging.getLogger("opentelemetry").propagate = False


def target(engine: str, address: str) -> Target:
    """Return whom the requests go to.

    Args:
        engine: Its kind.
        address: host:port, an IPv6 host in brackets; empty if not known.
    """
    host, _, port = address.rpartition(":")
    return Target(engine=engine, address=host.strip("[]"), port=int(port) if port.isdecimal() else None)


class Exporter(Protocol):
    """What sends."""

    def export(self, metrics_data: MetricsData, /) -> MetricExportResult:
        """Send, within a time of its own."""
        ...

    def shutdown(self) -> None:
        """End a wait between two tries."""
        ...


class OtlpMetrics:
    """Sends the counts of an observer until it is stopped.

    Args:
        series: Counts of finished requests.
        gauges: Returns the requests in flight, and those of them without output.
        settings: How.
        target: Whom the requests went to.
        exporter: What sends; None makes the one of the standard variables.
    """

    def __init__(
        self,
        series: Series,
        gauges: Callable[[], tuple[int, int]],
        settings: OtlpSettings,
        target: Target,
        exporter: Exporter | None = None,
    ) -> None:
        self._series = series
        self._gauges = gauges
        self._settings = settings
        self._target = target
        self._exporter: Exporter = exporter or OTLPMetricExporter(timeout=settings.timeout_s)
        # Named as OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES say, else as we are called.
        named = Resource.create()
        is_unnamed = str(named.attributes.get("service.name", "")).startswith("unknown_service")
        self._resource = named.merge(Resource({"service.name": _SERVICE})) if is_unnamed else named
        self._counts: Counter[str] = Counter(dict.fromkeys(_RESULTS, 0))
        self._arrived: tuple[int, Mapping[Key, Counted]] = (wall_ms(), {})
        self._stop = Event()
        self._thread = Thread(target=self._run, name="otlp-metrics", daemon=True)
        self._thread.start()

    def counts(self) -> Mapping[str, int]:
        """Return the exports so far, by result."""
        return dict(self._counts)

    def stop(self, limit_s: float) -> bool:
        """Export once more and end; returns whether that was done within the limit."""
        self._stop.set()
        self._thread.join(limit_s / 2)
        if self._thread.is_alive():
            self._exporter.shutdown()  # ends a wait between two tries
            self._thread.join(limit_s / 2)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.wait(self._settings.interval_s):
            self._export()
        self._export()
        self._exporter.shutdown()

    def _export(self) -> None:
        try:
            is_done = self._send(self._snapshot())
        except Exception:  # noqa: BLE001 -- whatever goes wrong here, the observer has nothing to do with it
            is_done = False
        self._counts["ok" if is_done else "failed"] += 1

    def _snapshot(self) -> Snapshot:
        in_flight, waiting = self._gauges()
        at_ms = wall_ms()
        return Snapshot(at_ms=at_ms, read=self._series.read(partial(sleep, _PAUSE_S)), open=in_flight, waiting=waiting)

    def _send(self, snapshot: Snapshot) -> bool:
        told = snapshot
        if self._settings.delta:
            since_ms, before = self._arrived
            told = replace(snapshot, read=since(snapshot.read, before), since_ms=since_ms)
        result = self._exporter.export(data(told, self._settings, self._target, self._resource))
        if result is not MetricExportResult.SUCCESS:
            return False
        self._arrived = (snapshot.at_ms, snapshot.read)
        return True
