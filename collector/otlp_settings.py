"""Knows what the standard OTEL_ variables ask of our metrics; refuses to know how metrics are sent.

Endpoint, headers, certificates and compression are left to the exporter, which reads their variables itself. A time-out
is in seconds, as opentelemetry-python reads it; the specification says milliseconds, so it is capped, for one that was
meant so must not hold an export for hours.

Source: OpenTelemetry specification, configuration/sdk-environment-variables.md and protocol/exporter.md;
opentelemetry/exporter/otlp/proto/http/_common (seconds).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from telemetry.semconv import Generation, generation

TIMEOUT_S_MAX = 30.0
"""Longest an export may take, whatever is asked for."""
INTERVAL_S_MAX = 3600.0
"""Longest time between exports."""

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_TIMEOUTS = ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT")
_OURS = "http/protobuf"
_INTERVAL_S_MIN = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class OtlpSettings:
    """How metrics are sent.

    Attributes:
        interval_s: From one export to the next.
        timeout_s: Longest an export may take, retries included.
        exponential: Histograms are exponential, not of explicit buckets.
        delta: Counts are those since the last export that arrived, not since the start.
        generation: Whose names.
    """

    interval_s: float = 60.0
    timeout_s: float = 10.0
    exponential: bool = False
    delta: bool = False
    generation: Generation = Generation.MAIN


def otlp_settings(environ: Mapping[str, str]) -> OtlpSettings | None:
    """Read the variables.

    Returns:
        None if nobody asks for metrics by OTLP: that is how it starts.

    Raises:
        ValueError: A variable holds what it may not, or asks for what we do not have; the message names it.
    """
    if not _is_wanted(environ):
        return None
    protocol, found = _first(environ, _PROTOCOLS, _OURS)
    if found != _OURS:
        raise ValueError(f"{protocol}: found {found}; allowed: {_OURS}")
    interval = ("OTEL_METRIC_EXPORT_INTERVAL", environ.get("OTEL_METRIC_EXPORT_INTERVAL") or "60000")
    return OtlpSettings(
        interval_s=min(max(_number(*interval) / 1000, _INTERVAL_S_MIN), INTERVAL_S_MAX),
        timeout_s=min(_number(*_first(environ, _TIMEOUTS, "10")), TIMEOUT_S_MAX),
        exponential=_word(environ, "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION")
        == "base2_exponential_bucket_histogram",
        delta=_word(environ, "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE") in {"delta", "lowmemory"},
        generation=generation(environ.get("OTEL_SEMCONV_STABILITY_OPT_IN", "")),
    )


def _is_wanted(environ: Mapping[str, str]) -> bool:
    if _word(environ, "OTEL_SDK_DISABLED") == "true":
        return False
    if exporters := _word(environ, "OTEL_METRICS_EXPORTER"):
        return "otlp" in [exporter.strip() for exporter in exporters.split(",")]
    return any(environ.get(name) for name in _ENDPOINTS)


def _word(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name, "").strip().lower()


def _first(environ: Mapping[str, str], names: tuple[str, ...], default: str) -> tuple[str, str]:
    """Return the first variable that is set, and its value."""
    return next(((name, value) for name in names if (value := environ.get(name))), (names[-1], default))


def _number(name: str, value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 < number < float("inf"):
        raise ValueError(f"{name}: found {value}; allowed: a number above 0")
    return number
