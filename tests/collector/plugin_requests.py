"""Requests as vLLM 0.32 tells of them, for the tests of the plugin and of its receiver."""

from inferometer_vllm.datagrams import Source, datagrams
from vllm.v1.engine import FinishReason
from vllm.v1.metrics.stats import FinishedRequestStats

NOW_MS = 1_790_000_000_000
SOURCE = Source(pid=4_000_000_000, engine=3, model="tiny")


def finished(number: int = 0, name: str = "") -> FinishedRequestStats:
    return FinishedRequestStats(
        finish_reason=FinishReason.LENGTH,
        request_id=name or f"chatcmpl-{number:032x}",
        e2e_latency=1.25 + number,
        num_prompt_tokens=100 + number,
        num_generation_tokens=5,
        queued_time=0.001,
        prefill_time=0.02,
        decode_time=0.4,
        num_cached_tokens=64,
    )


def datagram(*rows: FinishedRequestStats, source: Source = SOURCE, dropped: int = 0, at_ms: int = NOW_MS) -> bytes:
    """Return the one datagram of some requests."""
    [(made, _)] = datagrams(rows, source, at_unix_s=at_ms / 1000, dropped=dropped)
    return made
