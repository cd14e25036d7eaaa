import socket

import httpx
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from collector.connection import Counts
from collector.exposition import REASONS_MAX, MetricsServer, ObserverMetrics, Vitals
from telemetry.accounting import LaneCounters

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
    vitals = Vitals(channel_lag_s=0.25, clock_steps=2, malformed_messages=1, folded=folded)
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
        ("inferometer_tee_frames_dropped_total", ()): 7,
        ("inferometer_unobserved_bytes_total", ()): 1234,
        ("inferometer_channel_messages_malformed_total", ()): 1,
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
