"""Knows how to invent finished requests that look like a chat endpoint's; the same seed gives the same records."""

from random import Random
from uuid import UUID

from telemetry.outcome import Eligibility, Origin, Outcome, Phase, TokSource, TokTimeQuality, TtftQuality
from telemetry.record import RequestRecord

MODELS = ("llama-3-8b", "llama-3-70b", "qwen3-4b")
SPAN_MS = 600_000
"""Time over which the records of one call are spread."""
_CENTRE = -97
"""Histogram bucket of an inter-token latency of 15 ms (spec/store.md 4.2)."""


def records(count: int, first_unix_ms: int, random: Random) -> tuple[RequestRecord, ...]:
    """Return records in the order in which they ended."""
    return tuple(_record(first_unix_ms + at * SPAN_MS // count, random) for at in range(count))


def _record(ended_at: int, random: Random) -> RequestRecord:
    ttft_us = int(random.lognormvariate(12, 0.6))
    tpot_us = int(random.lognormvariate(9.6, 0.3))
    n_out = random.randrange(20, 400)
    e2e_us = ttft_us + tpot_us * n_out
    is_ok = random.random() < 0.97
    seconds = 1 + e2e_us // 1_000_000
    return RequestRecord(
        ended_at=ended_at,
        elapsed_us=e2e_us,
        endpoint="chat-prod",
        model=random.choice(MODELS),
        region="eu",
        workload_class="chat",
        replica=f"10.0.0.{random.randrange(8)}:8000",
        api="openai_chat",
        record_id=UUID(int=ended_at << 80 | 7 << 76 | random.getrandbits(12) << 64 | 2 << 62 | random.getrandbits(62)),
        outcome=Outcome.OK if is_ok else Outcome.CLIENT_CANCELLED,
        phase=Phase.DONE if is_ok else Phase.STREAMING,
        origin=Origin.NONE if is_ok else Origin.CLIENT,
        finish_reason="stop" if is_ok else "",
        eligible=Eligibility.GOOD if is_ok else Eligibility.EXCLUDED,
        http_status=200,
        stream=1,
        e2e_us=e2e_us if is_ok else None,
        connect_us=random.randrange(200),
        send_us=random.randrange(300),
        headers_us=ttft_us - random.randrange(2000),
        first_event_us=ttft_us - random.randrange(500),
        ttft_us=ttft_us,
        ttft_service_us=ttft_us,
        ttfo_us=ttft_us,
        tpot_us=tpot_us if is_ok else None,
        icl_p50_us=tpot_us + random.randrange(200),
        icl_p99_us=tpot_us * 2 + random.randrange(2000),
        icl_max_us=tpot_us * 4 + random.randrange(9000),
        stall_us=0,
        wire_gap_max_us=ttft_us,
        n_arrivals=n_out,
        n_out_events=n_out,
        srv_queue_us=random.randrange(2000),
        srv_prefill_us=ttft_us // 2,
        srv_decode_us=e2e_us - ttft_us,
        residual_us=ttft_us // 3,
        tee_us=random.randrange(40),
        itl_h=_histogram(n_out, random),
        tok_by_s=(n_out // seconds,) * seconds,
        tokens_in=random.randrange(50, 4000),
        tokens_out=n_out,
        tokens_cache_read=random.randrange(50),
        ttft_quality=TtftQuality.EXACT,
        tok_source=TokSource.USAGE,
        tok_time_quality=TokTimeQuality.EXACT,
        bytes_in=random.randrange(500, 20_000),
        bytes_out=n_out * 230,
    )


def _histogram(n_out: int, random: Random) -> dict[int, int]:
    counts: dict[int, int] = {}
    for _ in range(min(n_out, 60)):
        bucket = _CENTRE + int(random.gauss(0, 2))
        counts[bucket] = counts.get(bucket, 0) + 1
    return counts
