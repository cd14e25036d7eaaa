"""Knows the shape of one finished request, the row that every writer makes; refuses to know how it was measured.

Fields stand in the order of the insert columns of table `requests` (`telemetry.schema`), so the msgpack array of a
record is the row. `collector` and `seq` are added by the spool, `ingested_at` by the store.

Source: spec/store.md 2.1, spec/measurement.md 6 to 9.
"""

from uuid import UUID

import msgspec

from telemetry.outcome import (
    DEFS_VERSION,
    Eligibility,
    Origin,
    Outcome,
    Phase,
    TokSource,
    TokTimeQuality,
    TtftQuality,
    TtftSource,
)

NO_TRACE = bytes(16)
"""A trace id that says: the request carried none."""


class RequestRecord(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One finished request. Durations are integer microseconds on the monotonic clock; None is unknown, 0 is measured.

    Attributes:
        ended_at: Wall time at which the outcome was decided, unix milliseconds.
        elapsed_us: From `t_ref` (planned or actual issue) to the decision; always known.
        endpoint: Configured name of the endpoint.
        model: Model named by the request, after the cardinality guard; empty if none.
        region: Configured region; empty if not set.
        workload_class: Configured class of the workload; empty if not set.
        variant: Release or canary arm; empty if not set.
        traffic: `user`, `probe` or `loadtest`; `engine` where the engine tells of whatever reached it.
        replica: Address of the upstream that answered.
        tenant: Configured tenant; empty if not set.
        api: Dialect of the exchange, for example `openai_chat`; `http` for unknown traffic.
        point: Where the stamps were taken: `tee`, `client` or `engine_log`.
        record_id: UUIDv7 of this record.
        trace_id: W3C trace id of the request, 16 bytes; zeros if it carried none.
        run_id: Load-test run; empty if none.
        flow_id: Keyed hash of the workflow header; None if none.
        outcome: Class of the ending.
        phase: How far the request had come.
        origin: Which part caused the outcome.
        finish_reason: The engine's word; empty if none came.
        eligible: Default judgement in an objective.
        http_status: Status of the response head; 0 if no head came.
        attempt: 1 for a first attempt.
        stream: 1 if the response was streamed.
        in_stream: 1 if the fault was seen under HTTP 200.
        retryable: 1 if a client may retry.
        defs_version: Version of the measurement definitions.
        flags: Bits of `telemetry.outcome.Flag`.
        e2e_us: `t_ref` to the finish event; None without terminal evidence.
        sched_lag_us: Planned arrival to issue; None without a plan.
        connect_us: Issue to connection usable; 0 if reused.
        send_us: Connection usable to last request byte sent.
        headers_us: `t_ref` to response head complete.
        first_event_us: `t_ref` to first event of any kind but a comment.
        ttft_us: `t_ref` to first output event; None if none came or the body is not streamed.
        ttft_service_us: Issue to first output event.
        ttfo_us: `t_ref` to first visible output; None if none came.
        tpot_us: Time per output token after the first event's tokens.
        icl_p50_us: Median gap between arrivals, undivided.
        icl_p99_us: 99th percentile of the same gaps (nearest rank).
        icl_max_us: Largest of the same gaps: the worst stall.
        open_gap_us: Last output to the end, if no finish event came.
        stall_us: Summed length of the gaps above the stall threshold.
        wire_gap_max_us: Longest time without any body byte.
        stall_n: Number of gaps above the stall threshold.
        n_arrivals: Distinct stamps at which output came.
        n_out_events: Output events; events are not tokens.
        srv_queue_us: Queue time that the engine reported for this request.
        srv_prefill_us: Prefill time that the engine reported.
        srv_decode_us: Decode time that the engine reported.
        srv_mean_itl_us: Mean inter-token latency that the engine reported.
        residual_us: `ttft_service_us` less queue and prefill: network, gateway, API front end.
        tee_us: Delay added by our data plane.
        itl_h: Inter-token latencies as exponential histogram, bucket index to count.
        tok_by_s: Output tokens per second bin, from the first token on.
        tokens_in: Prompt tokens, cache reads and writes included.
        tokens_out: Output tokens, reasoning included; never counted from chunks.
        tokens_cache_read: Prompt tokens read from a cache.
        tokens_cache_write: Prompt tokens written to a cache.
        tokens_reasoning: Output tokens spent on reasoning.
        ttft_source: From which instant, and by whom.
        ttft_quality: How well the first-token instant is known.
        tok_source: Where the output token count comes from.
        tok_time_quality: How tokens were placed in time.
        bytes_in: Request bytes on the wire, heads and framing included.
        bytes_out: Response bytes on the wire, heads and framing included.
    """

    ended_at: int
    elapsed_us: int
    endpoint: str
    model: str
    region: str = ""
    workload_class: str = ""
    variant: str = ""
    traffic: str = "user"
    replica: str = ""
    tenant: str = ""
    api: str = "http"
    point: str = "tee"
    record_id: UUID
    trace_id: bytes = NO_TRACE
    run_id: str = ""
    flow_id: int | None = None
    outcome: Outcome
    phase: Phase
    origin: Origin = Origin.NONE
    finish_reason: str = ""
    eligible: Eligibility
    http_status: int = 0
    attempt: int = 1
    stream: int = 0
    in_stream: int = 0
    retryable: int = 0
    defs_version: int = DEFS_VERSION
    flags: int = 0
    e2e_us: int | None = None
    sched_lag_us: int | None = None
    connect_us: int | None = None
    send_us: int | None = None
    headers_us: int | None = None
    first_event_us: int | None = None
    ttft_us: int | None = None
    ttft_service_us: int | None = None
    ttfo_us: int | None = None
    tpot_us: int | None = None
    icl_p50_us: int | None = None
    icl_p99_us: int | None = None
    icl_max_us: int | None = None
    open_gap_us: int | None = None
    stall_us: int | None = None
    wire_gap_max_us: int | None = None
    stall_n: int = 0
    n_arrivals: int = 0
    n_out_events: int = 0
    srv_queue_us: int | None = None
    srv_prefill_us: int | None = None
    srv_decode_us: int | None = None
    srv_mean_itl_us: int | None = None
    residual_us: int | None = None
    tee_us: int | None = None
    itl_h: dict[int, int] = {}
    tok_by_s: tuple[int, ...] = ()
    tokens_in: int | None = None
    tokens_out: int | None = None
    tokens_cache_read: int | None = None
    tokens_cache_write: int | None = None
    tokens_reasoning: int | None = None
    ttft_source: TtftSource = TtftSource.TEE
    ttft_quality: TtftQuality = TtftQuality.NONE
    tok_source: TokSource = TokSource.NONE
    tok_time_quality: TokTimeQuality = TokTimeQuality.NONE
    bytes_in: int = 0
    bytes_out: int = 0


class RequestBatch(msgspec.Struct, frozen=True, kw_only=True):
    """Records of one partition day that travel to the store together, under one insert token.

    Attributes:
        collector: `<node>/<epoch8>`, the spool that they come from.
        seqs: Spool sequence numbers, ascending, one for each record.
        records: The records, in the order of `seqs`.
    """

    collector: str
    seqs: tuple[int, ...]
    records: tuple[RequestRecord, ...]
