"""Knows which metrics of other systems say what our fields say, as data; refuses to read queries.

Source: spec/slo.md 1 (import maps vLLM, Envoy, nginx, generic `http_requests_total`); vLLM 0.32
v1/metrics/loggers.py (names and labels); Envoy, cluster statistics; ingress-nginx, Prometheus metrics.
"""

from collections.abc import Mapping

from telemetry.queries.bounds import Figure

STATUS_LABELS = frozenset({"code", "status", "status_code", "http_status", "response_code", "envoy_response_code"})
"""Labels that hold an HTTP status."""
CLASS_LABELS = frozenset({"envoy_response_code_class"})
"""Labels that hold the first digit of one."""


REQUESTS = frozenset(
    {
        "http_requests_total",
        "http_request_duration_seconds_count",
        "http_server_requests_seconds_count",
        "nginx_ingress_controller_requests",
        "envoy_cluster_upstream_rq",
        "envoy_cluster_upstream_rq_xx",
        "envoy_cluster_upstream_rq_total",
        "vllm:request_success_total",
        "vllm:e2e_request_latency_seconds_count",
        "inferometer_requests_total",
    }
)
"""Counters of requests."""
DURATIONS: Mapping[str, Figure] = {
    "http_request_duration_seconds": Figure.E2E_S,
    "nginx_ingress_controller_request_duration_seconds": Figure.E2E_S,
    "vllm:e2e_request_latency_seconds": Figure.E2E_S,
    "vllm:time_to_first_token_seconds": Figure.TTFT_S,
    "vllm:request_time_per_output_token_seconds": Figure.TPOT_S,
    "vllm:request_queue_time_seconds": Figure.SRV_QUEUE_S,
    "vllm:request_prefill_time_seconds": Figure.SRV_PREFILL_S,
}
"""Histograms of durations, by the name without `_bucket`."""
MODEL_LABELS = frozenset({"model_name"})
"""Labels that hold the model."""
