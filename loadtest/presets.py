"""Knows published latency objectives and throughputs, with their source; refuses to judge by them.

Objectives may be chosen by name. Throughputs are shown for orientation and never gated on: the mix, the parallelism and
the numbers' formats differ.

Source: spec/loadtest.md 16; mlcommons/inference_policies `inference_rules.adoc`; mlcommons/inference
`loadgen/mlperf.conf`.
"""

from dataclasses import dataclass

from telemetry.percentile import P99

PRESET_P_PPM = P99
"""The percentile that MLPerf's limits are for, per request, with Poisson arrivals."""
PRESET_DURATION_S = 600
"""Least length of such a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """An objective.

    Attributes:
        ttft_s: Limit of the time to the first token.
        tpot_s: Limit of the time per output token.
        note: What to know; empty if nothing.
    """

    ttft_s: float
    tpot_s: float
    note: str = ""


PRESETS = {
    "llama2-70b": Preset(ttft_s=2.0, tpot_s=0.2),
    "llama2-70b-interactive": Preset(ttft_s=0.45, tpot_s=0.04),
    "llama3.1-8b": Preset(ttft_s=2.0, tpot_s=0.1),
    "llama3.1-8b-interactive": Preset(ttft_s=0.5, tpot_s=0.03),
    "llama3.1-405b": Preset(ttft_s=6.0, tpot_s=0.175),
    "llama3.1-405b-interactive": Preset(ttft_s=4.5, tpot_s=0.08),
    "mixtral-8x7b": Preset(ttft_s=2.0, tpot_s=0.2),
    "deepseek-r1": Preset(ttft_s=2.0, tpot_s=0.08),
    "deepseek-r1-interactive": Preset(ttft_s=1.5, tpot_s=0.015),
    "gpt-oss-120b": Preset(ttft_s=3.0, tpot_s=0.08),
    "gpt-oss-120b-interactive": Preset(
        ttft_s=2.0, tpot_s=0.02, note="the rules' text; mlperf.conf has a TPOT of 0.015 s"
    ),
}
"""Objectives by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A published throughput.

    Attributes:
        system: GPUs, model and number format.
        setting: The load.
        tokens_per_s: Output tokens a second of the whole system.
        gpus: How many GPUs that are.
        source: Who said so.
        tokens_in: Tokens of a prompt; None if it is a mix.
        tokens_out: Tokens of an answer; None if it is a mix.
    """

    system: str
    setting: str
    tokens_per_s: float
    gpus: int
    source: str
    tokens_in: int | None = None
    tokens_out: int | None = None


_TRT = "TensorRT-LLM docs, perf-overview"
_8B, _8B_H200, _70B = "1xH100, Llama-3.1-8B fp8", "1xH200, Llama-3.1-8B fp8", "2xH100, Llama-3.3-70B fp8, TP2"


def _trt(system: str, gpus: int, tokens: tuple[int, int], tokens_per_s: float) -> Known:
    return Known(
        system=system,
        setting="maximum load, no objective",
        tokens_per_s=tokens_per_s,
        gpus=gpus,
        source=_TRT,
        tokens_in=tokens[0],
        tokens_out=tokens[1],
    )


def _mlperf(system: str, setting: str, tokens_per_s: float, source: str, gpus: int = 8) -> Known:
    return Known(system=system, setting=setting, tokens_per_s=tokens_per_s, gpus=gpus, source=source)


_DGX = "mlcommons/inference_results_v4.1, NVIDIA DGX-H100"
_RED_HAT = "Red Hat, MLPerf v5.1"
KNOWN = (
    _mlperf("8xH100, Llama2-70B fp8", "MLPerf v4.1 Server, 75 requests/s", 21_605.8, _DGX),
    _mlperf("8xH100, Llama2-70B fp8", "MLPerf v4.1 Offline", 24_524.9, _DGX),
    _mlperf("8xH200, Llama2-70B", "MLPerf v5.1 Server", 34_029, "Nebius, quoted second-hand"),
    _mlperf("1xH100, Llama-3.1-8B fp8, vLLM 0.10.0", "MLPerf v5.1 Server: long in, short out", 5_103, _RED_HAT, 1),
    _mlperf("1xH100, Llama-3.1-8B fp8, vLLM 0.10.0", "MLPerf v5.1 Offline: long in, short out", 5_777, _RED_HAT, 1),
    _trt(_8B, 1, (128, 2048), 22_714),
    _trt(_8B, 1, (1000, 1000), 15_220),
    _trt(_8B, 1, (2048, 128), 3_450),
    _trt(_8B, 1, (5000, 500), 3_459),
    _trt(_8B_H200, 1, (128, 2048), 26_221),
    _trt(_8B_H200, 1, (1000, 1000), 17_744),
    _trt(_8B_H200, 1, (2048, 128), 3_538),
    _trt(_8B_H200, 1, (5000, 500), 3_902),
    _trt(_70B, 2, (128, 2048), 6_651),
    _trt(_70B, 2, (1000, 1000), 4_205),
    _trt(_70B, 2, (2048, 128), 762),
    _mlperf("1xH100, gpt-oss-120b", "maximum load, no objective", 4_685, _TRT, 1),
    _mlperf("1xH100, gpt-oss-20b", "maximum load, no objective", 11_557, _TRT, 1),
)
"""Output tokens a second, as published."""
