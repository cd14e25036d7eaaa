"""Knows how the observer's own counts are shown to Prometheus; refuses to know how they came about.

Every number is read when it is asked for; nothing on the data path knows this module. A label appears with the first
event that it counts, except those of a closed set, which start at 0.

Source: Prometheus text format 0.0.4 as `prometheus_client` writes it; names of spec/store.md 12, reliability.md 4.4.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from collector.connection import Counts
from telemetry.accounting import LaneCounters

REASONS_MAX = 64
"""Most label values of one family; all sets are closed, so more would be a fault of ours."""


@dataclass(slots=True, kw_only=True)
class Vitals:
    """What the observer tells of itself, apart from its counts.

    Attributes:
        channel_lag_s: Age of the last frame when it was taken; 0 when the channel is empty.
        clock_steps: How often the wall clock stepped.
        malformed_messages: Messages of the channel that could not be decoded to their end.
        folded: Names that were replaced by `unknown` or `other`, by dimension.
    """

    channel_lag_s: float = 0.0
    clock_steps: int = 0
    malformed_messages: int = 0
    folded: Mapping[str, int] = field(default_factory=dict[str, int])


class ObserverMetrics(Collector):
    """The families of one observer.

    Args:
        counts: Of the observer.
        vitals: Of the observer.

    Attributes:
        lanes: Returns the accounting of the spool, by lane; set once the spool is open.
        spool_events: Returns what the spool met, by name; set likewise.
        shipping_events: Returns what the shipper did and met, by name; set likewise.
    """

    def __init__(self, counts: Counts, vitals: Vitals) -> None:
        self.lanes: Callable[[], Mapping[str, LaneCounters]] = dict
        self.spool_events: Callable[[], Mapping[str, int]] = dict
        self.shipping_events: Callable[[], Mapping[str, int]] = dict
        self._counts = counts
        self._vitals = vitals

    def collect(self) -> Iterator[Metric]:
        """Yield every family with its present values."""
        yield from _lane_families(self.lanes())
        yield from self._request_families()
        counts, vitals = self._counts, self._vitals
        yield _counter(
            "tee_frames_dropped", "Frames that the tees dropped because the channel was full.", counts.lost_frames
        )
        yield _counter("unobserved_bytes", "Payload bytes that were not interpreted.", counts.unobserved_bytes)
        yield _counter(
            "channel_messages_malformed", "Channel messages that ended inside a frame.", vitals.malformed_messages
        )
        yield _counter("clock_steps", "Steps of the wall clock against the monotonic one.", vitals.clock_steps)
        yield _by_label("observer_desync", "Connections given up in doubt.", "reason", counts.desyncs)
        folded = "Names replaced by unknown or other, by dimension."
        yield _by_label("cardinality_folded", folded, "dim", vitals.folded)
        yield _by_label("spool_events", "What the spool met, by name.", "event", self.spool_events())
        yield _by_label("shipping_events", "What the shipper did and met, by name.", "event", self.shipping_events())
        connections = counts.unparsed_connections
        yield _by_label("unparsed_connections", "Connections that left HTTP/1.1.", "kind", connections)
        lag = "Age of the newest frame when the observer took it."
        yield GaugeMetricFamily("inferometer_channel_lag_seconds", lag, value=vitals.channel_lag_s)

    def _request_families(self) -> Iterator[Metric]:
        counts = self._counts
        yield _counter("requests_begun", "Requests whose first byte was interpreted.", counts.begun)
        yield _counter("requests_recorded", "Requests that ended as a record.", counts.recorded)
        yield _counter("requests_unparsed", "Requests on connections that left HTTP/1.1.", counts.unparsed)
        yield GaugeMetricFamily("inferometer_requests_open", "Requests in flight.", value=counts.in_flight)


class MetricsServer:
    """Serves `/metrics` in a thread of its own.

    Raises:
        OSError: The address cannot be taken.
    """

    def __init__(self, collector: Collector, *, host: str, port: int) -> None:
        registry = CollectorRegistry()
        registry.register(collector)
        self._server, self._thread = start_http_server(port, addr=host, registry=registry)

    @property
    def port(self) -> int:
        """The port that was taken."""
        return self._server.server_port

    def close(self) -> None:
        """Stop to serve."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _counter(name: str, meaning: str, value: float) -> Metric:
    return CounterMetricFamily(f"inferometer_{name}", meaning, value=value)


def _by_label(name: str, meaning: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(f"inferometer_{name}", meaning, labels=[label])
    for key, value in sorted(dict(values).items())[:REASONS_MAX]:
        family.add_metric([key], value)
    return family


def _lane_families(lanes: Mapping[str, LaneCounters]) -> Iterator[Metric]:
    records = CounterMetricFamily("inferometer_records", "Records by lane and whereabouts.", labels=["lane", "state"])
    spooled = GaugeMetricFamily("inferometer_spooled_records", "Records that wait for the store.", labels=["lane"])
    dropped = CounterMetricFamily("inferometer_dropped", "Records given up, by reason.", labels=["reason"])
    reasons: dict[str, int] = {}
    for lane, counters in sorted(lanes.items()):
        gone = sum(counters.dropped.values())
        states = {"accepted": counters.accepted, "stored": counters.stored, "dropped": gone, "dlq": counters.dlq}
        for state, value in states.items():
            records.add_metric([lane, state], value)
        spooled.add_metric([lane], counters.spooled)
        for reason, value in counters.dropped.items():
            reasons[reason] = reasons.get(reason, 0) + value
    for reason, value in sorted(reasons.items()):
        dropped.add_metric([reason], value)
    yield from (records, spooled, dropped)
