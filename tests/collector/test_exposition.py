import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from finished import BROKEN, LEFT, finished
from finished import counted as series_of
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from collector import prometheus_wire
from collector.connection import Counts
from collector.exposition import (
    REASONS_MAX,
    SILENCE_S_MAX,
    MetricsServer,
    ObserverMetrics,
    Vitals,
    page,
    prefers_protobuf,
)
from collector.series import Series
from telemetry.accounting import LaneCounters

OPENMETRICS: Any = openmetrics
INFO = ("chat", "eu", "", "canary", "vllm")
# What Prometheus 2.42 sends: scrape/scrape.go, without and with native histograms.
TEXT = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,*/*;q=0.1"
NATIVE = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,"
    "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
LANES = {
    "requests": LaneCounters(accepted=10, stored=4, spooled=3, dropped={"quota": 1, "enospc": 1}, dlq=1),
    "details": LaneCounters(accepted=1, dropped={"quota": 1}),
}


def counted() -> Counts:
    counts = Counts()
    counts.begun, counts.recorded, counts.unparsed = 9, 5, 1
    counts.desyncs.update({"chunk_size": 2})
    counts.unparsed_connections.update({"ws": 1, "tls": 3})
    counts.lost_frames, counts.unobserved_bytes = 7, 1234
    return counts


def samples(page: str) -> dict[tuple[str, tuple[str, ...]], float]:
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def test_every_count_is_shown_under_its_name() -> None:
    folded = {"model": 4, "variant": 0}
    vitals = Vitals(channel_lag_s=0.25, clock_steps=2, malformed_messages=1, folded=folded, waiting=2)
    vitals.plugin_malformed, vitals.plugin_rows = 5, {"taken": 8, "lost": 6}
    metrics = ObserverMetrics(counted(), vitals)
    metrics.lanes = lambda: LANES
    metrics.spool_events, metrics.shipping_events = lambda: {"repaired": 3}, lambda: {"views_failed": 2}
    registry = CollectorRegistry()
    registry.register(metrics)

    shown = samples(generate_latest(registry).decode())

    assert shown == {
        ("inferometer_records_total", ("requests", "accepted")): 10,
        ("inferometer_records_total", ("requests", "stored")): 4,
        ("inferometer_records_total", ("requests", "dropped")): 2,
        ("inferometer_records_total", ("requests", "dlq")): 1,
        ("inferometer_records_total", ("details", "accepted")): 1,
        ("inferometer_records_total", ("details", "stored")): 0,
        ("inferometer_records_total", ("details", "dropped")): 1,
        ("inferometer_records_total", ("details", "dlq")): 0,
        ("inferometer_spooled_records", ("requests",)): 3,
        ("inferometer_spooled_records", ("details",)): 0,
        ("inferometer_dropped_total", ("quota",)): 2,
        ("inferometer_dropped_total", ("enospc",)): 1,
        ("inferometer_requests_begun_total", ()): 9,
        ("inferometer_requests_recorded_total", ()): 5,
        ("inferometer_requests_unparsed_total", ()): 1,
        ("inferometer_requests_open", ()): 3,
        ("inferometer_requests_waiting", ()): 2,
        ("inferometer_requests_folded_total", ()): 0,
        ("inferometer_tee_frames_dropped_total", ()): 7,
        ("inferometer_unobserved_bytes_total", ()): 1234,
        ("inferometer_channel_messages_malformed_total", ()): 1,
        ("inferometer_plugin_datagrams_malformed_total", ()): 5,
        ("inferometer_plugin_rows_total", ("taken",)): 8,
        ("inferometer_plugin_rows_total", ("lost",)): 6,
        ("inferometer_clock_steps_total", ()): 2,
        ("inferometer_observer_desync_total", ("chunk_size",)): 2,
        ("inferometer_unparsed_connections_total", ("tls",)): 3,
        ("inferometer_unparsed_connections_total", ("ws",)): 1,
        ("inferometer_channel_lag_seconds", ()): 0.25,
        ("inferometer_cardinality_folded_total", ("model",)): 4,
        ("inferometer_cardinality_folded_total", ("variant",)): 0,
        ("inferometer_spool_events_total", ("repaired",)): 3,
        ("inferometer_shipping_events_total", ("views_failed",)): 2,
    }


def test_a_family_has_no_more_labels_than_the_bound() -> None:
    counts = Counts()
    counts.desyncs.update({f"r{at}": 1 for at in range(REASONS_MAX + 1)})
    registry = CollectorRegistry()
    registry.register(ObserverMetrics(counts, Vitals()))

    shown = samples(generate_latest(registry).decode())

    assert sum(name == "inferometer_observer_desync_total" for name, _ in shown) == REASONS_MAX


def test_the_page_is_served_until_the_server_is_closed() -> None:
    server = MetricsServer(ObserverMetrics(counted(), Vitals()), host="127.0.0.1", port=0)
    url = f"http://127.0.0.1:{server.port}/metrics"

    assert "inferometer_requests_begun_total 9.0" in httpx.get(url, timeout=5).text
    server.close()
    with pytest.raises(httpx.ConnectError):
        httpx.get(url, timeout=5)


def test_a_taken_port_is_said_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        MetricsServer(ObserverMetrics(Counts(), Vitals()), host="127.0.0.1", port=taken.getsockname()[1])


def observed(series: Series) -> ObserverMetrics:
    return ObserverMetrics(Counts(), Vitals(), series, INFO)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Serve the metrics of a few requests."""
    series = series_of(finished(trace_id=b"\xab" * 16), finished(BROKEN), finished(LEFT))
    server = MetricsServer(observed(series), host="127.0.0.1", port=0)
    yield f"http://127.0.0.1:{server.port}/metrics"
    server.close()


def test_requests_are_shown_in_the_text_form(url: str) -> None:
    answer = httpx.get(url, timeout=5)
    shown = samples(answer.text)
    model = ("chat", "m")

    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert shown["inferometer_requests_eligible_total", ("bad", *model)] == 1
    assert shown["inferometer_requests_total", ("openai_chat", *model, "client_cancelled", "queued")] == 1
    assert shown["inferometer_in_stream_errors_total", model] == 1
    assert shown["inferometer_ttft_seconds_bucket", ("chat", "0.5", "m")] == 1
    assert shown["inferometer_ttft_seconds_bucket", ("chat", "0.45", "m")] == 0
    assert shown["inferometer_ttft_seconds_sum", model] == 0.5
    assert shown["inferometer_endpoint_info", ("chat", "vllm", "eu", "canary", "")] == 1


def test_openmetrics_carries_exemplars_that_name_the_request(url: str) -> None:
    text = httpx.get(url, headers={"Accept": TEXT}, timeout=5).text
    families = {family.name: family for family in OPENMETRICS.text_string_to_metric_families(text)}
    exemplars = [sample.exemplar for sample in families["inferometer_ttft_seconds"].samples if sample.exemplar]

    assert families["inferometer_ttft_seconds"].unit == "seconds"
    assert [(it.labels["trace_id"], set(it.labels), it.value) for it in exemplars] == [
        ("ab" * 16, {"trace_id", "record_id"}, 0.5)
    ]


def test_protobuf_is_served_to_who_prefers_it(url: str) -> None:
    answer = httpx.get(url, headers={"Accept": NATIVE}, timeout=5)

    assert answer.headers["Content-Type"] == prometheus_wire.CONTENT_TYPE
    assert b"inferometer_ttft_seconds" in answer.content


def test_a_page_is_packed_only_for_who_can_unpack_it(url: str) -> None:
    packed, plain = (
        httpx.get(url, headers={"Accept-Encoding": coding}, timeout=5) for coding in ("gzip, deflate", "identity")
    )

    assert (packed.headers.get("Content-Encoding"), plain.headers.get("Content-Encoding")) == ("gzip", None)
    assert packed.text == plain.text


def test_only_reading_is_allowed(url: str) -> None:
    assert httpx.post(url, timeout=5).status_code == 405


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        pytest.param(NATIVE, True, id="Prometheus with native histograms"),
        pytest.param(TEXT, False, id="Prometheus without"),
        pytest.param("", False, id="nothing said"),
        pytest.param("*/*", False, id="anything"),
        pytest.param("text/plain, " + NATIVE, False, id="text is named first and weighs as much"),
        pytest.param(
            "text/plain;q=0.5, application/vnd.google.protobuf;encoding=delimited;q=0.9", True, id="by weight alone"
        ),
        pytest.param("application/vnd.google.protobuf;encoding=text", False, id="a protobuf form that we have not"),
        pytest.param("application/vnd.google.protobuf;encoding=delimited;q=x, */*", False, id="a weight that is none"),
        pytest.param(",;,", False, id="noise"),
    ],
)
def test_the_form_follows_the_accept_header(accept: str, expected: bool) -> None:
    assert prefers_protobuf(accept) == expected


def test_every_form_counts_the_same() -> None:
    metrics = observed(series_of(*[finished(ttft_us=us) for us in range(0, 3_000_000, 50_000)]))
    text, _ = page(metrics, "")
    opened, _ = page(metrics, TEXT)
    plain = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.decode())
        for sample in family.samples
    }
    open_metrics = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in OPENMETRICS.text_string_to_metric_families(opened.decode())
        for sample in family.samples
    }

    assert plain == open_metrics
    assert plain["inferometer_ttft_seconds_count", (("endpoint", "chat"), ("model", "m"))] == 60


def test_a_scraper_that_says_nothing_is_let_go(capfd: pytest.CaptureFixture[str]) -> None:
    server = MetricsServer(observed(Series()), host="127.0.0.1", port=0, silence_s=SILENCE_S_MAX / 200)
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as silent:
        assert silent.recv(1) == b""
    server.close()

    assert capfd.readouterr().err == ""
