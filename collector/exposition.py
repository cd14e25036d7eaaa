"""Knows how the observer's counts are served to Prometheus; refuses to know how they came about.

Every number is read when it is asked for; nothing on the data path knows this module, and no scrape takes a lock that
the observer takes. A label appears with the first event that it counts, except those of a closed set, which start at 0.
The form follows the Accept header: text 0.0.4, OpenMetrics with exemplars, or protobuf with native histograms.

Source: Prometheus text format 0.0.4 and OpenMetrics 1.0 as `prometheus_client` writes them; protobuf by
collector.prometheus_wire; names of collector.catalogue.
"""

import gzip
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from math import inf
from wsgiref.simple_server import WSGIRequestHandler
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from prometheus_client import start_http_server
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from collector import prometheus_wire
from collector.catalogue import Kind
from collector.connection import Counts
from collector.families import Family, Labels, Shown, family, measured
from collector.prometheus_wire import exemplar_labels
from collector.series import Series
from telemetry.accounting import LaneCounters
from telemetry.clock import sleep

REASONS_MAX = 64
"""Most label values of one family; all sets are closed, so more would be a fault of ours."""
SILENCE_S_MAX = 10.0
"""A scraper that sends or takes nothing for this long is let go."""

_PAUSE_S = 0.0005
_GZIP_LEVEL = 1
_PROTOBUF = "application/vnd.google.protobuf"


@dataclass(slots=True, kw_only=True)
class Vitals:
    """What the observer tells of itself, apart from its counts.

    Attributes:
        channel_lag_s: Age of the last frame when it was taken; 0 when the channel is empty.
        clock_steps: How often the wall clock stepped.
        malformed_messages: Messages of the channel that could not be decoded to their end.
        plugin_malformed: Datagrams of the vLLM plugin that were none.
        plugin_rows: Rows of the vLLM plugin that were taken, and that it says it could not deliver.
        folded: Names that were replaced by `unknown` or `other`, by dimension.
        waiting: Requests in flight without output, when it was last looked.
    """

    channel_lag_s: float = 0.0
    clock_steps: int = 0
    malformed_messages: int = 0
    plugin_malformed: int = 0
    plugin_rows: Mapping[str, int] = field(default_factory=lambda: {"taken": 0, "lost": 0})
    folded: Mapping[str, int] = field(default_factory=dict[str, int])
    waiting: int = 0


class ObserverMetrics(Collector):
    """The families of one observer.

    Args:
        counts: Of the observer.
        vitals: Of the observer.
        series: Counts of finished requests.
        info: What is configured of the endpoint: the labels of `endpoint_info`, in their order.

    Attributes:
        lanes: Returns the accounting of the spool, by lane; set once the spool is open.
        spool_events: Returns what the spool met, by name; set likewise.
        shipping_events: Returns what the shipper did and met, by name; set likewise.
        otlp_exports: Returns the exports by OTLP, by result; set once there are any.
    """

    def __init__(
        self, counts: Counts, vitals: Vitals, series: Series | None = None, info: tuple[str, ...] | None = None
    ) -> None:
        self.lanes: Callable[[], Mapping[str, LaneCounters]] = dict
        self.spool_events: Callable[[], Mapping[str, int]] = dict
        self.shipping_events: Callable[[], Mapping[str, int]] = dict
        self.otlp_exports: Callable[[], Mapping[str, int]] = dict
        self._counts = counts
        self._vitals = vitals
        self._series = series or Series()
        self._info = info

    def families(self) -> Iterator[Family]:
        """Yield every family with its present values."""
        yield from measured(self._series.read(partial(sleep, _PAUSE_S)))
        yield from _lane_families(self.lanes())
        yield from self._own_counts()
        counts, vitals = self._counts, self._vitals
        yield _by_label("plugin_rows", vitals.plugin_rows)
        yield _by_label("observer_desync", counts.desyncs)
        yield _by_label("cardinality_folded", vitals.folded)
        yield _by_label("spool_events", self.spool_events())
        yield _by_label("shipping_events", self.shipping_events())
        yield _by_label("otlp_exports", self.otlp_exports())
        yield _by_label("unparsed_connections", counts.unparsed_connections)
        yield family("endpoint_info", [] if self._info is None else [(self._info, 1)])

    def in_flight(self) -> tuple[int, int]:
        """Return the requests in flight, and those of them without output."""
        return self._counts.in_flight, self._vitals.waiting

    def collect(self) -> Iterator[Metric]:
        """Yield every family as the client library has it."""
        return map(_metric, self.families())

    def _own_counts(self) -> Iterator[Family]:
        counts, vitals = self._counts, self._vitals
        plain: dict[str, float] = {
            "requests_open": counts.in_flight,
            "requests_waiting": vitals.waiting,
            "requests_begun": counts.begun,
            "requests_recorded": counts.recorded,
            "requests_unparsed": counts.unparsed,
            "requests_folded": self._series.folded,
            "tee_frames_dropped": counts.lost_frames,
            "unobserved_bytes": counts.unobserved_bytes,
            "channel_messages_malformed": vitals.malformed_messages,
            "plugin_datagrams_malformed": vitals.plugin_malformed,
            "clock_steps": vitals.clock_steps,
            "channel_lag_seconds": vitals.channel_lag_s,
        }
        return (family(name, [((), value)]) for name, value in plain.items())


class MetricsServer:
    """Serves `/metrics` in a thread of its own.

    Args:
        metrics: What is served.
        host: Address.
        port: Port; 0 takes a free one.
        silence_s: How long a scraper may say and take nothing.

    Raises:
        OSError: The address cannot be taken.
    """

    def __init__(self, metrics: ObserverMetrics, *, host: str, port: int, silence_s: float = SILENCE_S_MAX) -> None:
        self._server, self._thread = start_http_server(port, addr=host, registry=metrics)

        class Handler(_Handler):
            timeout = silence_s

        # The library finds the address family and starts the thread; how a request is answered is ours.
        self._server.RequestHandlerClass = Handler
        self._server.set_app(application(metrics))

    @property
    def port(self) -> int:
        """The port that was taken."""
        return self._server.server_port

    def close(self) -> None:
        """Stop to serve."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(WSGIRequestHandler):
    """One connection; says nothing of it."""

    def handle(self) -> None:
        """Answer, if anything is asked in time."""
        with suppress(TimeoutError):
            super().handle()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the name is inherited
        """Say nothing."""


def application(metrics: ObserverMetrics) -> WSGIApplication:
    """Return what answers a scrape, on any path."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "GET":
            start_response("405 Method Not Allowed", [("Allow", "GET")])
            return []
        body, content_type = page(metrics, environ.get("HTTP_ACCEPT", ""))
        headers = [("Content-Type", content_type), ("Vary", "Accept, Accept-Encoding")]
        if "gzip" in environ.get("HTTP_ACCEPT_ENCODING", "").lower():
            body = gzip.compress(body, _GZIP_LEVEL)
            headers.append(("Content-Encoding", "gzip"))
        start_response("200 OK", [*headers, ("Content-Length", str(len(body)))])
        return [body]

    return answer


def page(metrics: ObserverMetrics, accept: str) -> tuple[bytes, str]:
    """Return the page in the form that an Accept header asks for, and the name of that form."""
    if prefers_protobuf(accept):
        return prometheus_wire.page(metrics.families()), prometheus_wire.CONTENT_TYPE
    encode, content_type = choose_encoder(accept)
    return encode(metrics), content_type


def prefers_protobuf(accept: str) -> bool:
    """Say whether an Accept header names our protobuf form, and nothing before it or with a higher weight.

    Source: RFC 9110 12.5.1 (weights); prometheus scrape/scrape.go (what it sends).
    """
    kinds = [[part.strip() for part in kind.split(";")] for kind in accept.lower().split(",")]
    weights = [_weight(parameters) for _, *parameters in kinds]
    best = next(kind for kind, weight in zip(kinds, weights, strict=True) if weight == max(weights))
    return best[0] == _PROTOBUF and "encoding=delimited" in best


def _weight(parameters: Iterable[str]) -> float:
    value = next((word[2:] for word in parameters if word.startswith("q=")), "1")
    return float(value) if value.replace(".", "", 1).isdigit() else 0.0


def _metric(family: Family) -> Metric:
    spec = family.spec
    metric = Metric(spec.full_name, spec.meaning, spec.kind, spec.unit)
    suffix = "_total" if spec.kind is Kind.COUNTER else ""
    for labels, value in family.points:
        named = dict(zip(spec.labels, labels, strict=True))
        if isinstance(value, Shown):
            _add_histogram(metric, named, value)
        else:
            metric.add_sample(spec.full_name + suffix, named, value)
    return metric


def _add_histogram(metric: Metric, labels: dict[str, str], shown: Shown) -> None:
    for at, (bound, count) in enumerate(zip((*shown.bounds, inf), shown.cumulative, strict=True)):
        worst = shown.exemplars.get(at)
        exemplar = worst and Exemplar(exemplar_labels(worst), worst.value / shown.per_unit, worst.ended_at / 1000)
        metric.add_sample(
            f"{metric.name}_bucket", {**labels, "le": "+Inf" if bound == inf else str(bound)}, count, exemplar=exemplar
        )
    metric.add_sample(f"{metric.name}_count", labels, shown.n)
    metric.add_sample(f"{metric.name}_sum", labels, shown.total)


def _by_label(name: str, values: Mapping[str, int]) -> Family:
    return family(name, [((key,), value) for key, value in sorted(dict(values).items())[:REASONS_MAX]])


def _lane_families(lanes: Mapping[str, LaneCounters]) -> Iterator[Family]:
    records: list[tuple[Labels, float]] = []
    reasons: Counter[str] = Counter()
    for lane, counters in sorted(lanes.items()):
        gone = sum(counters.dropped.values())
        states = {"accepted": counters.accepted, "stored": counters.stored, "dropped": gone, "dlq": counters.dlq}
        records += [((lane, state), value) for state, value in states.items()]
        reasons.update(counters.dropped)
    yield family("records", records)
    yield family("spooled_records", [((lane,), counters.spooled) for lane, counters in sorted(lanes.items())])
    yield family("dropped", [((reason,), value) for reason, value in sorted(reasons.items())])
