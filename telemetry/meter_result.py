"""Knows the shape of what the meter returns; refuses to know how it is measured.

Source: spec/measurement.md 6 to 9.
"""

import msgspec

from telemetry.outcome import Eligibility, Origin, Outcome, Phase, TokSource, TokTimeQuality, TtftQuality, TtftSource


class MeterResult(msgspec.Struct, frozen=True, kw_only=True):
    """What the meter knows of one request; names, units and None as in `telemetry.record.RequestRecord`.

    Attributes:
        decided_at_ns: Stamp of the decision (body complete, abort), monotonic; last stamp seen while open.
        raw_type: The engine's own error type; empty if none.
        raw_code: The engine's own error code, or our detail (`empty`, `stall`, `total`, `undecodable`).
        tok_s0: Monotonic second of the first bin of `tok_by_s`; None without bins.
        n_bad_json: Events that could not be decoded.
        n_bad_utf8: Events that were not valid UTF-8.
        n_oversize: Events skipped for their size.
        n_framing_fault: Events whose framing was wrong but readable.
    """

    elapsed_us: int
    api: str
    outcome: Outcome
    phase: Phase
    origin: Origin
    finish_reason: str
    eligible: Eligibility
    http_status: int
    stream: int
    in_stream: int
    retryable: int
    flags: int
    e2e_us: int | None
    sched_lag_us: int | None
    connect_us: int | None
    send_us: int | None
    headers_us: int | None
    first_event_us: int | None
    ttft_us: int | None
    ttft_service_us: int | None
    ttfo_us: int | None
    tpot_us: int | None
    icl_p50_us: int | None
    icl_p99_us: int | None
    icl_max_us: int | None
    open_gap_us: int | None
    stall_us: int | None
    wire_gap_max_us: int | None
    stall_n: int
    n_arrivals: int
    n_out_events: int
    srv_queue_us: int | None
    srv_prefill_us: int | None
    srv_decode_us: int | None
    srv_mean_itl_us: int | None
    residual_us: int | None
    itl_h: dict[int, int]
    tok_by_s: tuple[int, ...]
    tokens_in: int | None
    tokens_out: int | None
    tokens_cache_read: int | None
    tokens_cache_write: int | None
    tokens_reasoning: int | None
    ttft_source: TtftSource
    ttft_quality: TtftQuality
    tok_source: TokSource
    tok_time_quality: TokTimeQuality
    decided_at_ns: int
    raw_type: str
    raw_code: str
    tok_s0: int | None
    n_bad_json: int
    n_bad_utf8: int
    n_oversize: int
    n_framing_fault: int
