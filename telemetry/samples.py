"""Knows the shape of one sample, the row that a probe makes; refuses to know how it was read.

Fields stand in the order of the insert columns of their table (`telemetry.schema`), so the msgpack array of a sample
is the row. None is what could not be read, 0 is measured.

Source: spec/store.md 3 (engine_metrics, engine_histograms, gpu_samples, probe_results; what load tests keep).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from uuid import UUID

import msgspec

from telemetry.accounting import Lane
from telemetry.load_records import ActRow, BaselineState, LoadRecord, LoadRun, LoadStep, ProfileRow
from telemetry.schema import Table
from telemetry.schema.ledger import AUDIT, DLQ
from telemetry.schema.loads import BASELINES, LOAD_RUNS, LOAD_STEPS, SCALING_PROFILES
from telemetry.schema.pipeline import CLOCK_EVENTS, HEARTBEATS
from telemetry.schema.samples import ENGINE_HISTOGRAMS, ENGINE_METRICS, GPU_SAMPLES, PROBE_RESULTS

NO_RECORD = UUID(int=0)
"""A record id that says: this result has no row in requests."""


class EngineSample(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One scrape of one engine; a scrape that failed is `up` 0 and nothing else.

    Attributes:
        ts: Wall time of the scrape, unix milliseconds.
        endpoint: Configured name of the endpoint.
        replica: Address or pod of the engine.
        engine: Which engine it is; empty if not known.
        model: Model it serves; empty if not known.
        up: 1 if it answered with a page that could be read.
        scrape_us: How long the scrape took.
        running: Requests that the engine works on.
        queued: Requests that wait in the engine.
        queued_capacity: Those of them that wait for memory.
        queued_deferred: Those of them that wait for something else.
        kv_used_ratio: Share of the KV cache in use, mean over its ranks.
        kv_used_ratio_max: The same, of the fullest rank.
        prompt_tokens_total: Counter as read.
        generation_tokens_total: Counter as read.
        preemptions_total: Counter as read.
        prefix_hits_total: Counter of tokens as read.
        prefix_queries_total: Counter of tokens as read.
        rejections_total: Counter as read.
        success_total: Finished requests by finish reason, counters as read.
        http_total: HTTP responses by status, counters as read.
        sleep_state: Awake, or how deep it sleeps; empty if it cannot.
        config_hash: Hash of the configuration that it reports; 0 if it reports none.
        reset: 1 if a counter fell since the last scrape.
        extra: Other metrics, by canonical name.
    """

    ts: int
    endpoint: str
    replica: str
    engine: str = ""
    model: str = ""
    up: int
    scrape_us: int
    running: int | None = None
    queued: int | None = None
    queued_capacity: int | None = None
    queued_deferred: int | None = None
    kv_used_ratio: float | None = None
    kv_used_ratio_max: float | None = None
    prompt_tokens_total: int | None = None
    generation_tokens_total: int | None = None
    preemptions_total: int | None = None
    prefix_hits_total: int | None = None
    prefix_queries_total: int | None = None
    rejections_total: int | None = None
    success_total: dict[str, int] = {}
    http_total: dict[str, int] = {}
    sleep_state: str = ""
    config_hash: int = 0
    reset: int = 0
    extra: dict[str, float] = {}


class EngineHistogram(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One histogram of one scrape, as the engine keeps it.

    Attributes:
        ts: Wall time of the scrape, unix milliseconds.
        endpoint: Configured name of the endpoint.
        replica: Address or pod of the engine.
        metric: Canonical name, for example `ttft`.
        le: Upper bounds, ascending, the last one infinite.
        cumulative: Observations at or below each bound.
        sum: Sum of the observations, in seconds where it is a time.
        reset: 1 if a bucket fell since the last scrape.
    """

    ts: int
    endpoint: str
    replica: str
    metric: str
    le: tuple[float, ...]
    cumulative: tuple[int, ...]
    sum: float
    reset: int = 0


class GpuRow(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One reading of one GPU or slice; the attributes are described at `probes.nvml_sample.GpuSample`."""

    ts: int
    node: str
    gpu_uuid: str
    mig_uuid: str
    gpu_name: str
    endpoint: str
    replica: str
    gpu_index: int
    gpu_util_ratio: float | None = None
    mem_busy_ratio: float | None = None
    sm_ratio: float | None = None
    sm_occ_ratio: float | None = None
    tensor_ratio: float | None = None
    dram_bw_ratio: float | None = None
    mem_used_bytes: int | None = None
    mem_total_bytes: int | None = None
    power_w: float | None = None
    power_limit_w: float | None = None
    temp_c: float | None = None
    mem_temp_c: float | None = None
    sm_mhz: int | None = None
    sm_max_mhz: int | None = None
    mem_mhz: int | None = None
    energy_j: float | None = None
    ecc_dbe: int | None = None
    nvlink_tx_bytes: int | None = None
    nvlink_rx_bytes: int | None = None
    throttle_bits: int | None = None
    xid: int | None = None
    remap_pending: int | None = None
    remap_failure: int | None = None
    missing: tuple[str, ...] = ()


class ProbeResult(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One synthetic question and its answer; a completion also has a row in requests with traffic `probe`.

    Attributes:
        ts: Wall time of the answer, unix milliseconds.
        target: Configured name of what was asked.
        probe: Configured name of the probe.
        outcome: Class of the ending, `telemetry.outcome.Outcome` or the probe's own word.
        ok: 1 if the answer is as it should be.
        duration_us: Question to answer.
        queue_wait_us: How long an asynchronous job waited.
        run_us: How long it ran.
        poll_interval_us: How often it was looked at: the error of both.
        value: The number that the probe is about; None if none.
        record_id: Its row in requests; zeros if none.
        detail: What else was found; never a body, never a secret.
    """

    ts: int
    target: str
    probe: str
    outcome: str
    ok: int
    duration_us: int | None = None
    queue_wait_us: int | None = None
    run_us: int | None = None
    poll_interval_us: int | None = None
    value: float | None = None
    record_id: UUID = NO_RECORD
    detail: dict[str, str] = {}


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One second of one collector, endpoint, model and class; totals are cumulative per boot.

    Attributes:
        ts: Wall time, unix milliseconds.
        collector: `<node>/<epoch8>` of the spool.
        endpoint: Configured name of the endpoint.
        model: Model named by the requests; empty for those that name none.
        workload_class: Configured class of the workload.
        boot: Number of the process's start.
        watermark: Every request that ended before is stored, unix milliseconds.
        seq_last: Last sequence number given out.
        accepted_total: Records offered to the spool.
        stored_total: Records that the store has acknowledged.
        dlq_total: Records set aside.
        spooled: Records that wait now.
        dropped_total: Records dropped, by reason.
        tee_frames_dropped_total: Frames lost between data plane and observer.
        unparsed_conns_total: Connections that are copied and not understood.
        arrivals_total: Requests that began.
        first_outputs_total: Requests whose first output came.
        tokens_out_total: Output tokens.
        in_flight: Requests that run now.
        waiting_first: Those of them without output.
        waiting_age_h: Histogram of their ages, `telemetry.histogram` index to requests.
        in_flight_age_h: The same of all that run.
        loop_lag_us_max: Longest time for which the loop was late.
        rss_bytes: Resident memory.
        cpu_us_total: Processor time since the process began.
        clock_offset_us: Wall clock less the anchor's.
    """

    ts: int
    collector: str
    endpoint: str
    model: str
    workload_class: str
    boot: int
    watermark: int
    seq_last: int
    accepted_total: int
    stored_total: int
    dlq_total: int
    spooled: int
    dropped_total: dict[str, int]
    tee_frames_dropped_total: int
    unparsed_conns_total: int
    arrivals_total: int
    first_outputs_total: int
    tokens_out_total: int
    in_flight: int
    waiting_first: int
    waiting_age_h: dict[int, int]
    in_flight_age_h: dict[int, int]
    loop_lag_us_max: int
    rss_bytes: int
    cpu_us_total: int
    clock_offset_us: int


class ClockEvent(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One step of a wall clock against the monotonic one.

    Attributes:
        ts: Wall time after the step, unix milliseconds.
        collector: `<node>/<epoch8>` of the spool.
        step_us: How far it stepped; negative is back.
        wall_before: Wall clock that was expected, unix milliseconds.
        wall_after: Wall clock that was found, unix milliseconds.
    """

    ts: int
    collector: str
    step_us: int
    wall_before: int
    wall_after: int


class SetAside(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One record that the store refused: an index, the payload stays in the dead letter queue.

    Attributes:
        at: Wall time at which it was set aside, or its state changed, unix milliseconds.
        collector: `<node>/<epoch8>` of the spool that holds it.
        lane: Lane of the spool.
        dlq_id: Its number in the queue; its sequence number.
        seq: Its spool sequence number.
        code: Error code of the store; empty if it named none.
        error: Message of the store.
        bytes: Size of the payload.
        state: `new`, `replayed` or `discarded`.
    """

    at: int
    collector: str
    lane: str
    dlq_id: int
    seq: int
    code: str
    error: str
    bytes: int
    state: str = "new"


Sample = EngineSample | EngineHistogram | GpuRow | ProbeResult | Heartbeat | SetAside | LoadRecord | ClockEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Where samples of one shape go.

    Attributes:
        table: Their table.
        lane: Their lane in the spool.
    """

    table: Table
    lane: Lane


SAMPLES: Mapping[type[Sample], Kind] = MappingProxyType(
    {
        EngineSample: Kind(table=ENGINE_METRICS, lane=Lane.ENGINE),
        EngineHistogram: Kind(table=ENGINE_HISTOGRAMS, lane=Lane.ENGINE),
        GpuRow: Kind(table=GPU_SAMPLES, lane=Lane.GPU),
        ProbeResult: Kind(table=PROBE_RESULTS, lane=Lane.PROBES),
        Heartbeat: Kind(table=HEARTBEATS, lane=Lane.HEARTBEATS),
        SetAside: Kind(table=DLQ, lane=Lane.CONTROL),
        LoadRun: Kind(table=LOAD_RUNS, lane=Lane.CONTROL),
        LoadStep: Kind(table=LOAD_STEPS, lane=Lane.CONTROL),
        BaselineState: Kind(table=BASELINES, lane=Lane.CONTROL),
        ProfileRow: Kind(table=SCALING_PROFILES, lane=Lane.CONTROL),
        ActRow: Kind(table=AUDIT, lane=Lane.CONTROL),
        ClockEvent: Kind(table=CLOCK_EVENTS, lane=Lane.CONTROL),
    }
)
