import socket
from pathlib import Path

import pytest
from finished import BROKEN, counted, finished
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData
from otlp_receiver import attributes, receiver

from collector.otlp_metrics import OtlpMetrics, target
from collector.otlp_points import Target
from collector.otlp_settings import OtlpSettings
from collector.series import Series
from telemetry.clock import sleep

OFTEN = OtlpSettings(interval_s=0.05, timeout_s=0.3)
STOP_S = 20.0
TARGET = Target(engine="vllm")


def sender(series: Series, settings: OtlpSettings = OFTEN) -> OtlpMetrics:
    return OtlpMetrics(series, lambda: (3, 1), settings, TARGET)


def test_a_receiver_on_a_socket_gets_the_conventions_names(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=t1")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
        sending = sender(counted(finished(), finished(BROKEN)))
        export = found.exports.get(timeout=30)
        assert sending.stop(STOP_S)

    ((scope,),) = [resource.scope_metrics for resource in export.resource_metrics]
    units = {metric.name: metric.unit for metric in scope.metrics}
    resource = attributes(export.resource_metrics[0].resource)
    assert (found.paths[0], found.headers[0]["x-tenant"]) == ("/v1/metrics", "t1")
    wanted = ("gen_ai.server.time_to_first_token", "gen_ai.server.request.duration", "gen_ai.client.token.usage")
    assert [units[name] for name in wanted] == ["s", "s", "{token}"]
    assert (resource["service.name"], resource["deployment.environment.name"]) == ("inferometer", "test")
    assert sending.counts()["failed"] == 0


def test_a_service_name_is_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver() as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", f"{found.url}/otlp/metrics")
        monkeypatch.setenv("OTEL_SERVICE_NAME", "chat-prod")
        sending = sender(Series())
        export = found.exports.get(timeout=30)
        sending.stop(STOP_S)

    assert attributes(export.resource_metrics[0].resource)["service.name"] == "chat-prod"
    assert found.paths[0] == "/otlp/metrics"


def test_the_end_is_exported_too(monkeypatch: pytest.MonkeyPatch) -> None:
    series = Series()
    with receiver() as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        sending = sender(series, OtlpSettings(interval_s=3600))
        series.add(finished())
        assert sending.stop(STOP_S)
        (point,) = found.metrics()["inferometer.requests"].sum.data_points

    assert point.as_int == 1
    assert sending.counts() == {"ok": 1, "failed": 0}


def test_deltas_lose_nothing_when_an_export_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    series = counted(finished())
    with receiver() as found:
        found.status = 400
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        sending = sender(series, OtlpSettings(interval_s=0.05, timeout_s=5, delta=True))
        while not sending.counts()["failed"]:
            sleep(0.01)
        series.add(finished())
        found.status = 200
        while sending.counts()["ok"] < 2:
            sleep(0.01)
        sending.stop(STOP_S)
        sent = [found.metrics() for _ in range(found.exports.qsize())]

    assert sum(point.as_int for metrics in sent for point in metrics["inferometer.requests"].sum.data_points) == 2


def test_a_receiver_that_never_answers_costs_a_counted_failure_and_no_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        series = counted(finished())
        sending = sender(series, OtlpSettings(interval_s=0.01, timeout_s=0.1))
        while not sending.counts()["failed"]:
            series.add(finished())
            sleep(0.01)

        assert sending.stop(STOP_S)
    assert sending.counts()["ok"] == 0


def test_a_receiver_that_is_gone_costs_counted_failures(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
    sending = sender(counted(finished()))
    while sending.counts()["failed"] < 2:
        sleep(0.01)

    assert sending.stop(STOP_S)
    assert capfd.readouterr().err == ""


class Stuck:
    """An exporter that hangs where nothing can interrupt it, and one that raises."""

    def __init__(self, gate: socket.socket | None) -> None:
        self.gate = gate

    def export(self, _: MetricsData, /) -> MetricExportResult:
        if self.gate is None:
            raise RuntimeError
        self.gate.recv(1)
        return MetricExportResult.SUCCESS

    def shutdown(self) -> None:
        """Nothing can be interrupted."""


def test_an_exporter_that_hangs_is_left_behind_in_time() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sending = OtlpMetrics(Series(), lambda: (0, 0), OFTEN, TARGET, Stuck(theirs))

        assert not sending.stop(0.2)
        ours.send(b"..")  # lets it go, or the thread would outlive the test
        while not sending.stop(STOP_S):
            pass


def test_an_exporter_that_raises_costs_a_counted_failure() -> None:
    sending = OtlpMetrics(Series(), lambda: (0, 0), OFTEN, TARGET, Stuck(None))
    assert sending.stop(STOP_S)
    assert sending.counts()["failed"] >= 1


def test_a_certificate_that_cannot_be_read_costs_counted_failures(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "https://127.0.0.1:1")
    sending = sender(Series())

    assert sending.stop(STOP_S)
    assert sending.counts()["failed"] >= 1


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        pytest.param("10.0.0.1:8000", Target(engine="e", address="10.0.0.1", port=8000), id="IPv4"),
        pytest.param("[::1]:80", Target(engine="e", address="::1", port=80), id="IPv6 without its brackets"),
        pytest.param("", Target(engine="e"), id="not known"),
    ],
)
def test_a_target_is_read_from_its_address(address: str, expected: Target) -> None:
    assert target("e", address) == expected
