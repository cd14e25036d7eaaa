import pytest

from collector.otlp_settings import INTERVAL_S_MAX, TIMEOUT_S_MAX, OtlpSettings, otlp_settings
from telemetry.semconv import OPT_IN, Generation

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h:4318"}


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        pytest.param({}, False, id="nothing set: off"),
        pytest.param(ENDPOINT, True, id="an endpoint for everything"),
        pytest.param({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://h:4318/v1/metrics"}, True, id="one for metrics"),
        pytest.param({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False, id="an empty variable is not set"),
        pytest.param({"OTEL_METRICS_EXPORTER": "otlp"}, True, id="asked for by name, at the standard's own address"),
        pytest.param({"OTEL_METRICS_EXPORTER": "console, OTLP"}, True, id="one of several"),
        pytest.param(ENDPOINT | {"OTEL_METRICS_EXPORTER": "none"}, False, id="an endpoint, but not for metrics"),
        pytest.param(ENDPOINT | {"OTEL_METRICS_EXPORTER": "prometheus"}, False, id="another exporter"),
        pytest.param(ENDPOINT | {"OTEL_SDK_DISABLED": "True"}, False, id="switched off"),
        pytest.param(ENDPOINT | {"OTEL_SDK_DISABLED": "false"}, True, id="not switched off"),
    ],
)
def test_metrics_are_sent_only_when_they_are_asked_for(environ: dict[str, str], wanted: bool) -> None:
    assert (otlp_settings(environ) is not None) == wanted


@pytest.mark.parametrize(
    ("environ", "settings"),
    [
        pytest.param({}, OtlpSettings(), id="the standard's own values"),
        pytest.param({"OTEL_METRIC_EXPORT_INTERVAL": "500"}, OtlpSettings(interval_s=0.5), id="milliseconds"),
        pytest.param({"OTEL_METRIC_EXPORT_INTERVAL": "1"}, OtlpSettings(interval_s=0.1), id="not without a pause"),
        pytest.param(
            {"OTEL_METRIC_EXPORT_INTERVAL": "1e9"}, OtlpSettings(interval_s=INTERVAL_S_MAX), id="not for ever"
        ),
        pytest.param({"OTEL_EXPORTER_OTLP_TIMEOUT": "3"}, OtlpSettings(timeout_s=3.0), id="time-out for everything"),
        pytest.param(
            {"OTEL_EXPORTER_OTLP_TIMEOUT": "3", "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT": "2"},
            OtlpSettings(timeout_s=2.0),
            id="time-out for metrics",
        ),
        pytest.param(
            {"OTEL_EXPORTER_OTLP_TIMEOUT": "10000"}, OtlpSettings(timeout_s=TIMEOUT_S_MAX), id="meant as milliseconds"
        ),
        pytest.param(
            {"OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": "BASE2_EXPONENTIAL_BUCKET_HISTOGRAM"},
            OtlpSettings(exponential=True),
            id="exponential histograms",
        ),
        pytest.param(
            {"OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta"}, OtlpSettings(delta=True), id="deltas"
        ),
        pytest.param(
            {"OTEL_SEMCONV_STABILITY_OPT_IN": f"http, {OPT_IN}"},
            OtlpSettings(generation=Generation.GENAI),
            id="newest names",
        ),
        pytest.param({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, OtlpSettings(), id="our protocol"),
    ],
)
def test_the_standard_variables_hold(environ: dict[str, str], settings: OtlpSettings) -> None:
    assert otlp_settings(ENDPOINT | environ) == settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/json"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "soon"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "0"),
        ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "inf"),
        ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "nan"),
    ],
)
def test_what_cannot_be_is_named(name: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: found {value}; allowed: "):
        otlp_settings(ENDPOINT | {name: value})
