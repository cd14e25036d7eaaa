"""Knows the tables of what was sampled: engines, GPUs, probes; refuses to know how it was read.

What could not be read is NULL, and a scrape that failed is a row: `up` 0 and NULLs.

Source: spec/store.md 3 (engine_metrics, engine_histograms, gpu_samples, probe_results).
"""

from telemetry.schema.parts import (
    BY_SERIES,
    T64,
    ZSTD,
    Column,
    Table,
    counter,
    counts,
    gauge,
    label,
    number,
    real,
    stamp,
    us,
)

ENGINE_GAUGES = (
    gauge("running", "requests that the engine works on", "requests"),
    gauge("queued", "requests that wait in the engine", "requests"),
    gauge("queued_capacity", "those of them that wait for memory", "requests"),
    gauge("queued_deferred", "those of them that wait for something else", "requests"),
    real("kv_used_ratio", "share of the KV cache in use, mean over its ranks"),
    real("kv_used_ratio_max", "the same, of the fullest rank"),
)
ENGINE_COUNTERS = (
    counter("prompt_tokens_total", "prompt tokens since the engine began", "tokens"),
    counter("generation_tokens_total", "output tokens since the engine began", "tokens"),
    counter("preemptions_total", "requests that lost their memory to others", "requests"),
    counter("prefix_hits_total", "prompt tokens found in the prefix cache", "tokens"),
    counter("prefix_queries_total", "prompt tokens looked up in the prefix cache", "tokens"),
    counter("rejections_total", "requests that the engine refused", "requests"),
)
ENGINE_METRICS = Table(
    name="engine_metrics",
    writer="probes",
    meaning="one scrape of one engine",
    order_by="(endpoint, replica, ts)",
    time="ts",
    kept_days=14,
    shard_by=BY_SERIES,
    columns=(
        stamp("ts", "wall time of the scrape"),
        label("endpoint", "configured name of the endpoint"),
        label("replica", "address or pod of the engine"),
        label("engine", "which engine it is"),
        label("model", "model it serves"),
        number("up", "UInt8", "1 if it answered"),
        number("scrape_us", "UInt32", "how long the scrape took", "us", T64),
        *ENGINE_GAUGES,
        *ENGINE_COUNTERS,
        counts("success_total", "finished requests by finish reason", "requests"),
        counts("http_total", "HTTP responses by status", "requests"),
        label("sleep_state", "awake, or how deep it sleeps; empty if it cannot"),
        number("config_hash", "UInt64", "hash of the configuration that it reports"),
        number("reset", "UInt8", "1 if a counter fell: no rate goes across it"),
        Column(
            name="extra",
            type="Map(LowCardinality(String), Float64)",
            meaning="other metrics, by their own names",
            codec=ZSTD,
        ),
    ),
)

ENGINE_HISTOGRAMS = Table(
    name="engine_histograms",
    writer="probes",
    meaning="one histogram of one scrape; bucketed by the engine and never merged with our own",
    order_by="(endpoint, replica, metric, ts)",
    time="ts",
    kept_days=14,
    shard_by=("endpoint",),
    columns=(
        stamp("ts", "wall time of the scrape"),
        label("endpoint", "configured name of the endpoint"),
        label("replica", "address or pod of the engine"),
        label("metric", "name of the metric, the same for every engine"),
        number("le", "Array(Float64)", "upper bounds of the buckets", "", ZSTD),
        number("cumulative", "Array(UInt64)", "observations at or below each bound", "", ZSTD),
        number("sum", "Float64", "sum of the observations", "", ZSTD),
        number("reset", "UInt8", "1 if a bucket fell: no rate goes across it"),
    ),
)

GPU_GAUGES = (
    real("gpu_util_ratio", "share of the time in which a kernel ran"),
    real("mem_busy_ratio", "share of the time in which the memory was read or written"),
    real("sm_ratio", "share of the multiprocessors with work, over time"),
    real("sm_occ_ratio", "share of the warps resident, over time"),
    real("tensor_ratio", "share of the time in which tensor cores worked"),
    real("dram_bw_ratio", "share of the memory bandwidth used"),
    counter("mem_used_bytes", "memory in use", "bytes"),
    counter("mem_total_bytes", "memory there is", "bytes"),
    real("power_w", "power drawn", "W"),
    real("power_limit_w", "power allowed", "W"),
    real("temp_c", "temperature of the chip", "C"),
    real("mem_temp_c", "temperature of the memory", "C"),
    gauge("sm_mhz", "clock of the multiprocessors", "MHz"),
    gauge("sm_max_mhz", "the same at most", "MHz"),
    gauge("mem_mhz", "clock of the memory", "MHz"),
)
GPU_COUNTERS = (
    number("energy_j", "Nullable(Float64)", "energy since the driver was loaded", "J", ZSTD),
    gauge("ecc_dbe", "double bit errors since the driver was loaded", "errors"),
    counter("nvlink_tx_bytes", "bytes sent over NVLink", "bytes"),
    counter("nvlink_rx_bytes", "bytes received over NVLink", "bytes"),
)
GPU_SAMPLES = Table(
    name="gpu_samples",
    writer="probes",
    meaning="one sample of one GPU, or of one part of it; what cannot be read is NULL and named in `missing`",
    order_by="(node, gpu_uuid, ts)",
    time="ts",
    kept_days=14,
    shard_by=("node",),
    columns=(
        stamp("ts", "wall time of the sample"),
        label("node", "machine"),
        label("gpu_uuid", "UUID of the GPU"),
        label("mig_uuid", "UUID of the MIG instance; empty for a whole GPU"),
        label("gpu_name", "product name"),
        label("endpoint", "endpoint that runs on it; empty if unknown"),
        label("replica", "address or pod that runs on it; empty if unknown"),
        number("gpu_index", "UInt8", "index on its machine"),
        *GPU_GAUGES,
        *GPU_COUNTERS,
        number(
            "throttle_bits",
            "Nullable(UInt64)",
            "reasons for a lowered clock, as the driver has them; NULL if unread",
            "",
            T64,
        ),
        gauge("xid", "last Xid error; NULL if none"),
        gauge("remap_pending", "rows of memory that wait for a remap", "rows"),
        gauge("remap_failure", "1 if a remap failed"),
        number("missing", "Array(LowCardinality(String))", "columns that could not be read", "", ZSTD),
    ),
)

PROBE_RESULTS = Table(
    name="probe_results",
    writer="probes",
    meaning="one synthetic question and its answer; completions also have a row in requests with traffic `probe`",
    order_by="(target, probe, ts)",
    time="ts",
    kept_days=90,
    shard_by=("target",),
    columns=(
        stamp("ts", "wall time of the answer"),
        label("target", "what was asked"),
        label("probe", "health, completion, models, async_job, exposure, tls, dns or canary"),
        label("outcome", "class of the ending"),
        number("ok", "UInt8", "1 if the answer is as it should be"),
        us("duration_us", "question to answer"),
        us("queue_wait_us", "how long an asynchronous job waited"),
        us("run_us", "how long it ran"),
        us("poll_interval_us", "how often it was looked at: the error of both"),
        real("value", "the number that the probe is about; NULL if none"),
        number("record_id", "UUID", "its row in requests, else zeros", "", ZSTD),
        Column(name="detail", type="Map(LowCardinality(String), String)", meaning="what else was found", codec=ZSTD),
    ),
)

SAMPLE_TABLES = (ENGINE_METRICS, ENGINE_HISTOGRAMS, GPU_SAMPLES, PROBE_RESULTS)
