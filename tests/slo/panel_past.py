"""What else happened in that hour: an engine that was scraped, a GPU, probes, a load test, hints, clients that left."""

import json
from typing import Any

import msgspec
from query_store import Stored

from telemetry.outcome import Eligibility, Outcome, Phase
from telemetry.record import RequestRecord

Rows = list[dict[str, Any]]
REPORT: dict[str, Any] = {
    "metrics": [{"name": "ttft", "p": 95, "n": 240, "value_s": 0.4, "lo": 0.35, "hi": 0.45}],
    "throughput": {"offered_per_s": 4.0, "tokens_out_per_s": 280.0},
    "population": {"n": 240},
    "roofline": {"tokens_out_per_s_max": 400.0, "percent": 70.0, "wall": "bandwidth", "remedy": "fp8", "mbu": 0.7,
                 "mfu": 0.5, "fitted": ["mbu"]},
}  # fmt: skip
PROFILE: dict[str, Any] = {
    "run_ids": ["run-1"], "goodput_rps": 4.0, "knee_rps": None, "mix": {"in_mean": 100.0, "out_mean": 35.0},
    "curve": [{"rate_rps": 0.5, "ttft_p95_s": 0.2}, {"rate_rps": 4.0, "ttft_p95_s": 0.4},
              {"rate_rps": 6.0, "ttft_p95_s": 2.0}],
}  # fmt: skip
HINT: dict[str, Any] = {
    "signals": {"arrivals_rps": {"value": 9.0}},
    "forecast": {"p50_rps": 10.0, "p95_rps": 12.0, "lead_s": 240.0},
    "capacity": {"goodput_rps": 4.0},
}


def engine(end_ms: int, endpoint: str) -> Rows:
    """A scrape every ten seconds: 5 wait, 3 of them for memory; 2 preemptions; every other token found."""
    return [
        {
            "ts": at_ms / 1000, "endpoint": endpoint, "replica": "10.0.0.1:8000", "engine": "vllm", "up": 1,
            "running": 7, "queued": 5, "queued_capacity": 3, "queued_deferred": 1, "kv_used_ratio": 0.5,
            "kv_used_ratio_max": 0.6, "prompt_tokens_total": 100 * n, "generation_tokens_total": 70 * n,
            "preemptions_total": 2 * n, "prefix_hits_total": 50 * n, "prefix_queries_total": 100 * n,
            "rejections_total": n,
        }
        for n, at_ms in enumerate(range(end_ms - 3_600_000, end_ms, 10_000))
    ]  # fmt: skip


def gpus(end_ms: int, endpoint: str) -> Rows:
    """A sample every ten seconds; its clock is lowered for heat (bit 6) in the last half hour."""
    return [
        {
            "ts": at_ms / 1000, "node": "node", "gpu_uuid": "GPU-1", "gpu_name": "H100", "endpoint": endpoint,
            "sm_ratio": 0.8, "tensor_ratio": 0.4, "gpu_util_ratio": 1.0, "mem_used_bytes": 70 << 30,
            "mem_total_bytes": 80 << 30, "power_w": 600, "sm_mhz": 1_400, "throttle_bits": 64 if n >= 180 else 1,
        }
        for n, at_ms in enumerate(range(end_ms - 3_600_000, end_ms, 10_000))
    ]  # fmt: skip


def load(end_ms: int, endpoint: str) -> dict[str, Rows]:
    """One run of two rates."""
    start = (end_ms - 1_800_000) / 1000
    run = {"run_id": "run-1", "started_at": start, "ended_at": start + 120, "target": endpoint, "model": "m",
           "engine": "vllm", "fit": "fit", "verdict": "pass", "flags_hash": 255,
           "plan_json": json.dumps({"rate": {"points": [[0.0, 4.0]]}}), "report_json": json.dumps(REPORT)}  # fmt: skip
    profile = {"target": endpoint, "mu_star_per_s": 4.0, "made_at": start + 130, "valid_until": start + 30 * 86_400,
               "profile_json": json.dumps(PROFILE)}  # fmt: skip
    steps = [
        {"run_id": "run-1", "step": at, "kind": "measured", "mode": "open", "started_at": start + 60 * at,
         "ended_at": start + 60 * (at + 1), "rate_per_s": rate, "offered": 60 * rate, "completed": 60 * rate,
         "good": 60 * rate - at, "sched_lag_p99_us": 300, "read_lag_p99_us": 400, "state": "accepted"}
        for at, rate in enumerate((2, 4))
    ]  # fmt: skip
    return {"load_runs": [run], "load_steps": steps, "scaling_profiles": [profile]}


def hints(end_ms: int, endpoint: str) -> Rows:
    return [
        {"issued_at": end_ms / 1000 - 60, "instant": end_ms / 1000 - 60, "hint_id": "h1", "target": endpoint,
         "action": "scale_up", "ready": 2, "desired": 3, "confidence": 0.9, "reasons": ["queue_long"],
         "payload": json.dumps(HINT)}
    ]  # fmt: skip


def starts(end_ms: int, endpoint: str) -> Rows:
    """A replica that was ready after 240 s, of which a controller told 90 s of fetching the image."""
    one = {"at": end_ms / 1000 - 120, "target": endpoint, "replica": "10.0.0.1:8000"}
    return [
        {**one, "ready_us": 240_000_000, "image_us": None, "init_us": 100_000_000},
        {**one, "ready_us": None, "image_us": 90_000_000, "init_us": None},
    ]


def probes(end_ms: int, endpoint: str) -> Rows:
    return [{"ts": end_ms / 1000 - 30, "target": endpoint, "probe": "health", "outcome": "ok", "ok": 1}]


def others(whole: list[RequestRecord], end_ms: int) -> list[RequestRecord]:
    """Ten clients that left after 2 s, ten requests of the load test, ten probes, ten whose engine told its times."""
    made: list[RequestRecord] = []
    for n in range(40):
        one = msgspec.structs.replace(whole[n + 1], ended_at=end_ms - 100_000 + n, record_id=whole[n + 1].record_id)
        kinds: list[dict[str, Any]] = [
            {"outcome": Outcome.CLIENT_CANCELLED, "eligible": Eligibility.CENSORED, "phase": Phase.QUEUED,
             "ttft_us": None, "ttfo_us": None, "e2e_us": None, "n_out_events": 0, "elapsed_us": 2_000_000},
            {"traffic": "loadtest", "run_id": "run-1"},
            {"traffic": "probe"},
            {"srv_queue_us": 10_000, "srv_prefill_us": 20_000, "residual_us": 5_000, "tee_us": 100},
        ]  # fmt: skip
        made.append(msgspec.structs.replace(one, **kinds[n // 10]))
    return made


def fill(stored: Stored, whole: list[RequestRecord], end_ms: int, endpoint: str) -> None:
    """Store all of it."""
    stored.insert("node/others", others(whole, end_ms))
    tables = {
        "engine_metrics": engine(end_ms, endpoint),
        "gpu_samples": gpus(end_ms, endpoint),
        "hints": hints(end_ms, endpoint),
        "cold_starts": starts(end_ms, endpoint),
        "probe_results": probes(end_ms, endpoint),
        **load(end_ms, endpoint),
    }
    for table, rows in tables.items():
        stored.insert_rows(table, rows)
