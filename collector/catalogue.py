"""Knows every metric that an observer shows: name, kind, unit, labels, meaning; refuses to know the values.

Names are `inferometer_` and the name here; a counter's sample ends in `_total`. A set of labels whose values are a
closed set is shown from the first request on, with zeros, so that a rate sees the first event.

Source: Prometheus naming practice as `promtool check metrics` holds it; names of spec/store.md 2.1 and 12,
reliability.md 4.4, ui.md 10.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from collector.buckets import E2E, ICL_MAX, ITL, TPOT, TTFO, TTFT, Scale
from telemetry.semconv import INSTRUMENTS, Generation

PREFIX = "inferometer_"


class Kind(StrEnum):
    """Kinds of metric."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What one metric is.

    Attributes:
        name: Without the prefix, and without a counter's suffix.
        kind: Kind.
        meaning: In words, one sentence.
        labels: Names of its labels.
        scale: Buckets of a histogram.
    """

    name: str
    kind: Kind
    meaning: str
    labels: tuple[str, ...] = ()
    scale: Scale | None = None

    @property
    def full_name(self) -> str:
        """The name with the prefix."""
        return PREFIX + self.name

    @property
    def unit(self) -> str:
        """Its unit; empty if it counts."""
        return next((unit for unit in ("seconds", "bytes") if self.name.endswith(f"_{unit}")), "")


_MODEL = ("endpoint", "model")


def _counter(name: str, meaning: str, *labels: str) -> Spec:
    return Spec(name=name, kind=Kind.COUNTER, meaning=meaning, labels=labels)


def _gauge(name: str, meaning: str, *labels: str) -> Spec:
    return Spec(name=name, kind=Kind.GAUGE, meaning=meaning, labels=labels)


def _histogram(name: str, meaning: str, scale: Scale) -> Spec:
    return Spec(name=name, kind=Kind.HISTOGRAM, meaning=meaning, labels=_MODEL, scale=scale)


REQUESTS = (
    _counter("requests", "Finished requests by how they ended and how far they came.",
             *_MODEL, "api", "outcome", "phase"),
    _counter("requests_eligible", "Finished requests by how they count in an objective: good, bad, excluded, censored.",
             *_MODEL, "eligible"),
    _counter("in_stream_errors", "Requests with a fault seen under HTTP 200.", *_MODEL),
    _counter("client_cancels", "Requests whose client left first, by how far they had come; queued is before output.",
             *_MODEL, "phase"),
    _counter("tokens_in", "Prompt tokens, cache reads and writes included, as far as they are known.", *_MODEL),
    _counter("tokens_out", "Output tokens, reasoning included, as far as they are known.", *_MODEL),
    _counter("tokens_failed", "Output tokens of requests that did not end as ok; part of tokens_out.", *_MODEL),
    _counter("tokens_cache_read", "Prompt tokens read from a cache; part of tokens_in.", *_MODEL),
    _counter("tokens_cache_write", "Prompt tokens written to a cache; part of tokens_in.", *_MODEL),
    _counter("tokens_reasoning", "Output tokens spent on reasoning; part of tokens_out.", *_MODEL),
    _counter("requests_tokens_unknown", "Requests that ended as ok and whose output tokens are unknown.", *_MODEL),
    _histogram("ttft_seconds", "First request byte to first output, of streams that ended as ok.", TTFT),
    _histogram("ttfo_seconds", "First request byte to first visible output, of streams that ended as ok.", TTFO),
    _histogram("e2e_seconds", "First request byte to the finish event, of requests that ended as ok.", E2E),
    _histogram("tpot_seconds", "Time per output token after the first, of requests that ended as ok.", TPOT),
    _histogram("icl_max_seconds", "Largest gap between arrivals of output, one per request that ended as ok: its worst "
               "stall.", ICL_MAX),
    _histogram("itl_seconds", "Inter-token latencies of requests that ended as ok; each counts in the sum as its "
               "bucket's middle, within 2.2 %.", ITL),
)  # fmt: skip
"""Of finished requests, from `collector.series`."""

OBSERVER = (
    _gauge("endpoint_info", "What is configured of the endpoint; always 1.",
           "endpoint", "region", "workload_class", "variant", "engine"),
    _gauge("requests_open", "Requests in flight."),
    _gauge("requests_waiting", "Requests in flight without output."),
    _counter("requests_begun", "Requests whose first byte was interpreted."),
    _counter("requests_recorded", "Requests that ended as a record."),
    _counter("requests_unparsed", "Requests on connections that left HTTP/1.1."),
    _counter("requests_folded", "Requests counted under the model other, because there were too many label sets."),
    _counter("records", "Records by lane and whereabouts.", "lane", "state"),
    _gauge("spooled_records", "Records that wait for the store.", "lane"),
    _counter("dropped", "Records given up, by reason.", "reason"),
    _counter("tee_frames_dropped", "Frames that the tees dropped because the channel was full."),
    _counter("unobserved_bytes", "Payload bytes that were not interpreted."),
    _counter("channel_messages_malformed", "Channel messages that ended inside a frame."),
    _counter("plugin_datagrams_malformed", "Datagrams at the plugin's socket that were none of its own."),
    _counter("plugin_rows", "Rows of the vLLM plugin, by fate.", "fate"),
    _counter("clock_steps", "Steps of the wall clock against the monotonic one."),
    _counter("observer_desync", "Connections given up in doubt.", "reason"),
    _counter("cardinality_folded", "Names replaced by unknown or other, by dimension.", "dim"),
    _counter("spool_events", "What the spool met, by name.", "event"),
    _counter("shipping_events", "What the shipper did and met, by name.", "event"),
    _counter("otlp_exports", "Exports of metrics by OTLP, by result; none without an endpoint for them.", "result"),
    _counter("unparsed_connections", "Connections that left HTTP/1.1.", "kind"),
    _gauge("channel_lag_seconds", "Age of the newest frame when the observer took it."),
)  # fmt: skip
"""Of the observer itself."""

CATALOGUE = {spec.name: spec for spec in (*REQUESTS, *OBSERVER)}

_HEAD = """\
# Metrics

Generated by `inferometer config metrics`; change `collector/catalogue.py` or `telemetry/semconv.py` and generate it
again.

The observer serves them at `/metrics` of port 8200 in three forms, chosen by the Accept header: text 0.0.4, OpenMetrics
(with exemplars: trace id and record id of the worst request of a bucket), and protobuf (with native histograms, schema
4, and exemplars), which Prometheus asks for under `--enable-feature=native-histograms`. A histogram is there in both
kinds: classic buckets, whose bounds hold the usual thresholds, and native ones, 4.43 % wide.

A label set appears with its first request. One without a request for a day is dropped, and counts from zero if it comes
back; of more than 1000 label sets of `inferometer_requests_total` a new one has the model `other`.

Share of bad requests, as an SLO rule or Sloth's `error_query` over `total_query` needs it; what names no model is no
inference, a health check for example:

    sum(rate(inferometer_requests_eligible_total{model!="",eligible="bad"}[5m]))
      / sum(rate(inferometer_requests_eligible_total{model!="",eligible=~"good|bad"}[5m]))

Share of streams with a first output within 1 s, failures counting as slow:

    sum(rate(inferometer_ttft_seconds_bucket{le="1.0"}[5m]))
      / (sum(rate(inferometer_ttft_seconds_count[5m]))
         + sum(rate(inferometer_requests_eligible_total{model!="",eligible="bad"}[5m])))

Durations hold only requests that ended as ok, so the median of what succeeded is
`histogram_quantile(0.5, sum by (le) (rate(inferometer_ttft_seconds_bucket[5m])))`, or, of native histograms,
`histogram_quantile(0.5, sum(rate(inferometer_ttft_seconds[5m])))`.
"""
_OTEL = """\
## OpenTelemetry

Sent by OTLP over HTTP once `OTEL_EXPORTER_OTLP_ENDPOINT` or `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT` is set, or
`OTEL_METRICS_EXPORTER` is `otlp`; never with `OTEL_SDK_DISABLED=true`. The other standard variables hold: headers,
certificates, compression, time-out, interval, temporality, resource attributes, and
`OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION=base2_exponential_bucket_histogram`, which sends the same
scale-4 histograms as the store keeps. `OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental` switches the names.
"""


def page() -> str:
    """Return the list of metrics in Markdown."""
    parts = [_HEAD, "## Requests", "", *_rows(REQUESTS), "", "## Classic bounds", "", *_bounds()]
    parts += ["", "## The observer itself", "", *_rows(OBSERVER), "", _OTEL, *_otel()]
    return "\n".join(parts) + "\n"


def _rows(specs: Sequence[Spec]) -> Iterator[str]:
    yield "| metric | kind | unit | labels | meaning |"
    yield "|---|---|---|---|---|"
    for spec in specs:
        name = spec.full_name + ("_total" if spec.kind is Kind.COUNTER else "")
        labels = ", ".join(f"`{label}`" for label in spec.labels)
        yield f"| `{name}` | {spec.kind} | {spec.unit} | {labels} | {spec.meaning} |"


def _bounds() -> Iterator[str]:
    yield "| metric | `le`, seconds |"
    yield "|---|---|"
    for spec in REQUESTS:
        if spec.scale is not None:
            bounds = ", ".join(str(bound) for bound in spec.scale.classic_bounds)
            yield f"| `{spec.full_name}` | {bounds} |"


def _otel() -> Iterator[str]:
    yield "| name, by default | name, `gen_ai_latest_experimental` | unit | meaning |"
    yield "|---|---|---|---|"
    main, newest = INSTRUMENTS[Generation.MAIN], INSTRUMENTS[Generation.GENAI]
    for measure in dict.fromkeys((*main, *newest)):
        names = (f"`{names[measure].name}`" if measure in names else "" for names in (main, newest))
        instrument = main.get(measure) or newest[measure]
        yield f"| {' | '.join(names)} | `{instrument.unit}` | {instrument.meaning} |"
