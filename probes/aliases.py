"""Knows what each engine calls a metric and what we call it; refuses to read a page.

One table per engine, as data. A name is compared by its key, so that Ray's and KServe's spellings and a counter's
`_total` mean nothing. Where the engines' own sources differ from the specification, the sources were followed:
TensorRT-LLM counts cached prompt tokens, not only blocks; older builds of llama.cpp had `kv_cache_usage_ratio`, newer
ones count cached prompt tokens; SGLang publishes each rank's view of one queue, and one series per priority beside the
total, so neither may be added up.

Source: spec/measurement.md 14; vLLM 0.32.0 v1/metrics/loggers.py, v1/metrics/perf.py and its page; SGLang 016d860
srt/observability/metrics_collector.py; TensorRT-LLM 050f80d tensorrt_llm/metrics/collector.py; LMDeploy
lmdeploy/metrics/loggers.py; llama.cpp tools/server (b10519 server-task.cpp); Text Generation Inference
docs/source/reference/metrics.md and router; Triton 067c1e9 docs/user_guide/metrics.md and the tensorrtllm_backend
README (23.11); LMDeploy docs "Production Metrics" and pull 4809 (the page is there unless --disable-metrics); NIM for
LLMs, "Observability" (docs.nvidia.com/nim/large-language-models/latest).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TypedDict, Unpack


class Engine(StrEnum):
    """An inference server whose page can be read."""

    VLLM = "vllm"
    SGLANG = "sglang"
    TRTLLM = "trt-llm"
    TRITON = "triton"
    LMDEPLOY = "lmdeploy"
    LLAMACPP = "llama.cpp"
    TGI = "tgi"
    NIM = "nim"


class Kind(StrEnum):
    """What sort of metric it is, whatever its page says of it."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"
    INFO = "info"
    """Always 1; what it says stands in its labels."""


class Fold(StrEnum):
    """How several label sets of one engine become one value."""

    SUM = "sum"
    MEAN = "mean"
    MAX = "max"


_NOTHING: Mapping[str, str] = MappingProxyType({})
_NO_SETS: Mapping[str, frozenset[str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where an engine keeps one canonical metric; sources of the same canonical name are added up.

    Attributes:
        canonical: Our name: a column of engine_metrics, a histogram's metric, or a name in `extra`.
        names: What the engine calls it, today's name first, then older ones; the first one on the page counts.
        kind: What sort of metric it is.
        divisor: What the engine's unit is divided by.
        where: Label values that a series must have; a label that is missing has the value "".
        by: Label whose values become the keys of a map; empty for a single value.
        fold: How label sets become one value.
        unless: Label values that a series must not have.
        needs: How to have the engine show it; empty if it always does.
        note: What it means here and not elsewhere.
    """

    canonical: str
    names: tuple[str, ...]
    kind: Kind
    divisor: float = 1.0
    where: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    by: str = ""
    fold: Fold = Fold.SUM
    unless: Mapping[str, frozenset[str]] = field(default_factory=lambda: _NO_SETS)
    needs: str = ""
    note: str = ""


_PREFIX = re.compile(r"^(?:ray_|kserve_)")
_TOTAL_IS_A_NAME = re.compile(r"(?:vllm|lmdeploy)_iteration_tokens_total")  # a histogram in spite of its suffix


def key(name: str) -> str:
    """Return what all spellings of a metric's name have in common; the name is one without `_bucket` and the like."""
    plain = _PREFIX.sub("", name).replace(":", "_")
    return plain if _TOTAL_IS_A_NAME.fullmatch(plain) else plain.removesuffix("_total")


class _More(TypedDict, total=False):
    divisor: float
    where: Mapping[str, str]
    by: str
    fold: Fold
    unless: Mapping[str, frozenset[str]]
    needs: str
    note: str


def _gauge(canonical: str, *names: str, **more: Unpack[_More]) -> Source:
    return Source(canonical=canonical, names=names, kind=Kind.GAUGE, **more)


def _counter(canonical: str, *names: str, **more: Unpack[_More]) -> Source:
    return Source(canonical=canonical, names=names, kind=Kind.COUNTER, **more)


def _histogram(canonical: str, *names: str, **more: Unpack[_More]) -> Source:
    return Source(canonical=canonical, names=names, kind=Kind.HISTOGRAM, **more)


def _info(canonical: str, *names: str, **more: Unpack[_More]) -> Source:
    return Source(canonical=canonical, names=names, kind=Kind.INFO, **more)


_STARTED = _gauge("process_start_unix_s", "process_start_time_seconds", fold=Fold.MAX)
_STEP = "one sample per engine step, not per token"
_MFU = "--enable-mfu-metrics"
_ITERATION = "enable_iter_perf_stats: true in the LLM arguments"
_REQUEST = "return_perf_metrics: true in the LLM arguments"
_ONE_MODEL = "the busiest model's: an ensemble counts each request once per step"
_FINISHED = "finished_reason"

_VLLM = (
    _gauge("running", "vllm:num_requests_running"),
    _gauge("queued", "vllm:num_requests_waiting"),
    _gauge("queued_capacity", "vllm:num_requests_waiting_by_reason", where={"reason": "capacity"}),
    _gauge("queued_deferred", "vllm:num_requests_waiting_by_reason", where={"reason": "deferred"}),
    _gauge("kv_used_ratio", "vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc", fold=Fold.MEAN),
    _counter("prompt_tokens_total", "vllm:prompt_tokens", note="aborted requests are in it, not in the histograms"),
    _counter("generation_tokens_total", "vllm:generation_tokens", note="aborted requests are in it"),
    _counter("preemptions_total", "vllm:num_preemptions"),
    _counter("prefix_hits_total", "vllm:prefix_cache_hits", "vllm:gpu_prefix_cache_hits"),
    _counter("prefix_queries_total", "vllm:prefix_cache_queries", "vllm:gpu_prefix_cache_queries"),
    _counter("rejections_total", "vllm:admission_rejections"),
    _counter("success_total", "vllm:request_success", by=_FINISHED),
    _counter("http_total", "http_requests", by="status"),
    _histogram("ttft", "vllm:time_to_first_token_seconds"),
    _histogram("itl", "vllm:inter_token_latency_seconds", note=_STEP),
    _histogram("tpot", "vllm:request_time_per_output_token_seconds", "vllm:time_per_output_token_seconds"),
    _histogram("e2e", "vllm:e2e_request_latency_seconds"),
    _histogram("queue_time", "vllm:request_queue_time_seconds"),
    _histogram("prefill_time", "vllm:request_prefill_time_seconds"),
    _histogram("decode_time", "vllm:request_decode_time_seconds"),
    _histogram("inference_time", "vllm:request_inference_time_seconds"),
    _histogram("request_prompt_tokens", "vllm:request_prompt_tokens"),
    _histogram("request_generation_tokens", "vllm:request_generation_tokens"),
    _histogram("iteration_tokens", "vllm:iteration_tokens_total"),
    _gauge("sleep_state", "vllm:engine_sleep_state", by="sleep_state"),
    _info("cache_config", "vllm:cache_config_info"),
    _counter("corrupted_requests_total", "vllm:corrupted_requests", needs="VLLM_COMPUTE_NANS_IN_LOGITS=1"),
    _counter("prompt_tokens_by_source", "vllm:prompt_tokens_by_source", by="source"),
    _counter("flops_per_gpu_total", "vllm:estimated_flops_per_gpu", needs=_MFU, note=f"0 without {_MFU}"),
    _STARTED,
)
_SGLANG_ALL = {"priority": ""}  # with priorities, the total is the series without one
_OURS = frozenset({"/metrics", "/health", "/health_generate", "/version", "/v1/models", "/server_info", "/model_info"})
_SGLANG = (
    _gauge("running", "sglang:num_running_reqs", where=_SGLANG_ALL),
    _gauge("queued", "sglang:num_queue_reqs", where=_SGLANG_ALL),
    _gauge("kv_used_ratio", "sglang:token_usage", fold=Fold.MEAN, note="of the fullest pool"),
    _counter("prompt_tokens_total", "sglang:prompt_tokens", note="counted when a request ends"),
    _counter("generation_tokens_total", "sglang:generation_tokens", note="counted when a request ends"),
    _counter("preemptions_total", "sglang:num_retracted_requests"),
    _counter("prefix_hits_total", "sglang:cached_tokens"),
    _counter("requests_total", "sglang:num_requests"),
    _counter("aborted_total", "sglang:num_aborted_requests"),
    _counter("http_total", "sglang:http_responses", by="status_code", unless={"endpoint": _OURS}),
    _histogram("ttft", "sglang:time_to_first_token_seconds"),
    _histogram("itl", "sglang:inter_token_latency_seconds"),
    _histogram("tpot", "sglang:request_time_per_output_token_seconds", "sglang:time_per_output_token_seconds"),
    _histogram("e2e", "sglang:e2e_request_latency_seconds"),
    _histogram("queue_time", "sglang:queue_time_seconds"),
    _histogram("request_prompt_tokens", "sglang:prompt_tokens_histogram"),
    _histogram("request_generation_tokens", "sglang:generation_tokens_histogram"),
    _gauge("prefix_hit_ratio", "sglang:cache_hit_rate", fold=Fold.MEAN, note="of the last log interval"),
    _gauge("generation_tokens_per_s", "sglang:gen_throughput", note="of the last log interval"),
    _gauge("kv_tokens_max", "sglang:max_total_num_tokens"),
    _STARTED,
)
_TRTLLM = (
    _gauge("running", "trtllm_num_requests_running", needs=_ITERATION),
    _gauge("queued", "trtllm_num_requests_waiting", needs=_ITERATION),
    _gauge("kv_used_ratio", "trtllm_kv_cache_utilization", fold=Fold.MEAN, needs=_ITERATION),
    _counter("prompt_tokens_total", "trtllm_prompt_tokens", needs=_REQUEST),
    _counter("generation_tokens_total", "trtllm_generation_tokens", needs=_REQUEST),
    _counter("prefix_hits_total", "trtllm_prompt_cached_tokens", needs=_REQUEST),
    _counter("success_total", "trtllm_request_success", by=_FINISHED, needs=_REQUEST),
    _counter("http_total", "trtllm_request_error", by="http_code", note="errors only"),
    _histogram("ttft", "trtllm_time_to_first_token_seconds", needs=_REQUEST),
    _histogram("tpot", "trtllm_time_per_output_token_seconds", needs=_REQUEST),
    _histogram("e2e", "trtllm_e2e_request_latency_seconds", needs=_REQUEST),
    _histogram("queue_time", "trtllm_request_queue_time_seconds", needs=_REQUEST),
    _histogram("prefill_time", "trtllm_request_prefill_time_seconds", needs=_REQUEST),
    _histogram("decode_time", "trtllm_request_decode_time_seconds", needs=_REQUEST),
    _histogram("inference_time", "trtllm_request_inference_time_seconds", needs=_REQUEST),
    _gauge("paused", "trtllm_num_paused_requests", needs=_ITERATION),
    _counter("prefix_hit_blocks_total", "trtllm_kv_cache_reused_blocks", needs=_ITERATION),
    _counter("prefix_miss_blocks_total", "trtllm_kv_cache_missed_blocks", needs=_ITERATION),
    _gauge("prefix_hit_ratio", "trtllm_kv_cache_hit_rate", fold=Fold.MEAN, needs=_ITERATION),
    _info("model_config", "trtllm_model_config_info"),
    _info("parallel_config", "trtllm_parallel_config_info"),
    _info("speculative_config", "trtllm_speculative_config_info", needs="speculative decoding"),
    _info("kv_cache_config", "trtllm_kv_cache_config_info"),
    _STARTED,
)
_REQUESTS, _BLOCKS = "nv_trt_llm_request_metrics", "nv_trt_llm_kv_cache_block_metrics"
_TRITON = (
    _gauge("running", _REQUESTS, where={"request_type": "scheduled"}, needs="the tensorrtllm backend"),
    _gauge("queued", _REQUESTS, where={"request_type": "waiting"}, needs="the tensorrtllm backend"),
    _gauge("kv_used_ratio", _BLOCKS, where={"kv_cache_block_type": "fraction"}, fold=Fold.MEAN, needs="that backend"),
    _gauge("pending", "nv_inference_pending_request_count", fold=Fold.MAX, note=_ONE_MODEL),
    _counter("success_total", "nv_inference_request_success", fold=Fold.MAX, note=_ONE_MODEL),
    _counter("failure_total", "nv_inference_request_failure", by="reason", fold=Fold.MAX, note=_ONE_MODEL),
    _counter("e2e_s_total", "nv_inference_request_duration_us", divisor=1e6, fold=Fold.MAX, note=_ONE_MODEL),
    _counter("queue_s_total", "nv_inference_queue_duration_us", divisor=1e6, fold=Fold.MAX, note=_ONE_MODEL),
    _histogram(
        "ttft",
        "nv_inference_first_response_histogram_ms",
        divisor=1e3,
        fold=Fold.MAX,
        needs="--metrics-config histogram_latencies=true",
        note="the first response of a decoupled model",
    ),
    _STARTED,
)
_LMDEPLOY = (
    _gauge("running", "lmdeploy:num_requests_running"),
    _gauge("queued", "lmdeploy:num_requests_waiting"),
    _gauge("queued", "lmdeploy:num_api_requests_waiting", note="before the engine"),
    _gauge("kv_used_ratio", "lmdeploy:gpu_cache_usage_perc", fold=Fold.MEAN),
    _counter("prompt_tokens_total", "lmdeploy:prompt_tokens"),
    _counter("generation_tokens_total", "lmdeploy:generation_tokens"),
    _counter("success_total", "lmdeploy:request_success", by=_FINISHED, note="every ending, errors too"),
    _counter("succeeded_total", "lmdeploy:num_requests_succeeded", note="a gauge that only rises"),
    _counter("failed_total", "lmdeploy:num_requests_failed", note="a gauge that only rises"),
    _histogram("ttft", "lmdeploy:time_to_first_token_seconds"),
    _histogram("itl", "lmdeploy:iter_token_latency", note=_STEP),
    _histogram("tpot", "lmdeploy:time_per_output_token_seconds"),
    _histogram("e2e", "lmdeploy:e2e_request_latency_seconds"),
    _histogram("queue_time", "lmdeploy:request_queue_time_seconds"),
    _histogram("prefill_time", "lmdeploy:request_prefill_time_seconds"),
    _histogram("decode_time", "lmdeploy:request_decode_time_seconds"),
    _histogram("inference_time", "lmdeploy:request_inference_time_seconds"),
    _histogram("request_prompt_tokens", "lmdeploy:request_prompt_tokens"),
    _histogram("request_generation_tokens", "lmdeploy:request_generation_tokens"),
    _histogram("iteration_tokens", "lmdeploy:iteration_tokens_total"),
    _info("backend_config", "lmdeploy:backend_config_info"),
    _STARTED,
)
_LLAMACPP = (
    _gauge("running", "llamacpp:requests_processing"),
    _gauge("queued", "llamacpp:requests_deferred"),
    _gauge("kv_used_ratio", "llamacpp:kv_cache_usage_ratio", fold=Fold.MEAN, needs="an older build"),
    _counter("prompt_tokens_total", "llamacpp:prompt_tokens", note="without cached ones"),
    _counter("generation_tokens_total", "llamacpp:tokens_predicted"),
    _counter("prefix_hits_total", "llamacpp:prompt_tokens_cached", needs="a build that counts them (b10519 does)"),
    _counter("prefill_s_total", "llamacpp:prompt_seconds"),
    _counter("decode_s_total", "llamacpp:tokens_predicted_seconds"),
    _gauge(
        "generation_tokens_per_s",
        "llamacpp:predicted_tokens_seconds",
        note="a mean; over which time depends on the build",
    ),
)
_TGI = (
    _gauge("running", "tgi_batch_current_size"),
    _gauge("queued", "tgi_queue_size"),
    _counter("success_total", "tgi_request_success"),
    _counter("failure_total", "tgi_request_failure", by="err"),
    _counter("requests_total", "tgi_request_count"),
    _counter("prompt_tokens_total", "tgi_request_input_length", note="sum of the histogram"),
    _counter("generation_tokens_total", "tgi_request_generated_tokens", note="sum of the histogram"),
    _histogram("tpot", "tgi_request_mean_time_per_token_duration", note="prefill is in it"),
    _histogram("e2e", "tgi_request_duration"),
    _histogram("queue_time", "tgi_request_queue_duration"),
    _histogram("inference_time", "tgi_request_inference_duration"),
    _histogram("request_prompt_tokens", "tgi_request_input_length"),
    _histogram("request_generation_tokens", "tgi_request_generated_tokens"),
)
_NIM = (
    _gauge("running", "num_requests_running"),
    _gauge("queued", "num_requests_waiting"),
    _gauge("kv_used_ratio", "gpu_cache_usage_perc", fold=Fold.MEAN),
    _counter("prompt_tokens_total", "prompt_tokens"),
    _counter("generation_tokens_total", "generation_tokens"),
    _counter("success_total", "request_finish", by=_FINISHED),
    _histogram("ttft", "time_to_first_token_seconds"),
    _histogram("tpot", "time_per_output_token_seconds"),
    _histogram("e2e", "e2e_request_latency_seconds"),
    _histogram("request_prompt_tokens", "request_prompt_tokens"),
    _histogram("request_generation_tokens", "request_generation_tokens"),
    _gauge("running_max", "num_request_max"),
    _STARTED,
)

TABLE: Mapping[Engine, tuple[Source, ...]] = MappingProxyType(
    {
        Engine.VLLM: _VLLM,
        Engine.SGLANG: _SGLANG,
        Engine.TRTLLM: _TRTLLM,
        Engine.TRITON: _TRITON,
        Engine.LMDEPLOY: _LMDEPLOY,
        Engine.LLAMACPP: _LLAMACPP,
        Engine.TGI: _TGI,
        Engine.NIM: _NIM,
    }
)
"""Every metric that is read, by engine."""

REPLICATED: Mapping[Engine, frozenset[str]] = MappingProxyType(
    {Engine.SGLANG: frozenset({"tp_rank", "pp_rank", "moe_ep_rank"})}
)
"""Labels whose values all tell the same thing: ranks of one scheduler; other label sets are apart."""
MODEL_LABELS = ("model_name", "model")
"""Labels that name the model."""

UNLOCKS: Mapping[Engine, str] = MappingProxyType(
    {
        Engine.VLLM: "start it without --disable-log-stats",
        Engine.SGLANG: "--enable-metrics",
        Engine.TRTLLM: _REQUEST,
        Engine.TRITON: "--allow-metrics=true, on --metrics-port (8002)",
        Engine.LMDEPLOY: "start it without --disable-metrics",
        Engine.LLAMACPP: "--metrics",
    }
)
"""What makes an engine have a page at all, where that is not always so."""


def histogram_keys(engine: Engine) -> frozenset[str]:
    """Return the keys of the metrics that are histograms on an engine's page."""
    return frozenset(key(name) for source in TABLE[engine] if source.kind is Kind.HISTOGRAM for name in source.names)
