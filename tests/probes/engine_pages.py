"""Pages of metrics for tests, and what each must become.

`vllm.txt` was recorded; the others are built here from what their engines document. One command writes them and the
goldens again:

    .venv/bin/python tests/probes/engine_pages.py
"""

import json
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from probes.aliases import Engine
from probes.normalise import Normalised, Scrape, normalise
from probes.page import read

HERE = Path(__file__).parent.parent / "fixtures" / "metrics"
PAGES = {
    "vllm": Engine.VLLM,
    "vllm_ray": Engine.VLLM,
    "vllm_kserve": Engine.VLLM,
    "vllm_old": Engine.VLLM,
    "sglang": Engine.SGLANG,
    "trt-llm": Engine.TRTLLM,
    "triton": Engine.TRITON,
    "lmdeploy": Engine.LMDEPLOY,
    "llama.cpp": Engine.LLAMACPP,
    "tgi": Engine.TGI,
    "nim": Engine.NIM,
}
MODELS = ("tiny-llama", "meta-llama/Llama-3.1-8B-Instruct", "tensorrt_llm")
MODEL = MODELS[1]


def page(name: str) -> bytes:
    return (HERE / f"{name}.txt").read_bytes()


def made(name: str) -> Normalised:
    scrape = Scrape(ts=1_700_000_000_000, endpoint="chat", replica="r0", engine=PAGES[name], models=MODELS)
    return normalise(read(page(name), PAGES[name]), scrape)


def golden(name: str) -> str:
    """What a page becomes, as JSON in a steady order."""
    told = made(name)
    sample = {field: value for field, value in msgspec.structs.asdict(told.sample).items() if field != "ts"}
    histograms = {
        one.metric: {
            "le": ["+Inf" if math.isinf(bound) else bound for bound in one.le],
            "cumulative": list(one.cumulative),
            "sum": one.sum,
        }
        for one in told.histograms
    }
    return json.dumps({"sample": sample, "histograms": histograms, "spelled": told.spelled}, indent=1, sort_keys=True)


Labels = Mapping[str, str]


def _braced(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}" if labels else ""


def single(name: str, kind: str, series: Iterable[tuple[Labels, float]]) -> str:
    lines = [f"# HELP {name} {name} as documented.", f"# TYPE {name} {kind}"]
    return "\n".join([*lines, *(f"{name}{_braced(labels)} {value}" for labels, value in series)]) + "\n"


def histogram(name: str, bounds: Iterable[float], observed: Iterable[float], *labels: Labels) -> str:
    """A histogram that saw the same observations in each label set."""
    seen = list(observed)
    lines = [f"# HELP {name} {name} as documented.", f"# TYPE {name} histogram"]
    for each in labels or ({},):
        for bound in bounds:
            at_most = sum(value <= bound for value in seen)
            lines.append(f"{name}_bucket{_braced({**each, 'le': str(bound)})} {float(at_most)}")
        lines.append(f"{name}_bucket{_braced({**each, 'le': '+Inf'})} {float(len(seen))}")
        lines += [f"{name}_count{_braced(each)} {float(len(seen))}", f"{name}_sum{_braced(each)} {round(sum(seen), 6)}"]
    return "\n".join(lines) + "\n"


E2E = (0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0, 480.0)
TTFT = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0)
TPOT = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5, 5.0)
LENGTHS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
SEEN = (0.031, 0.047, 0.052, 0.210, 0.330, 0.480, 1.9)  # seconds of seven requests
TOKENS = (12, 31, 64, 128, 200, 256, 700)


def sglang() -> str:
    """Two data-parallel ranks, each shown by two tensor-parallel ones, with priorities."""
    ranks = [
        {
            "model_name": MODEL,
            "engine_type": "unified",
            "tp_rank": tp,
            "pp_rank": "0",
            "moe_ep_rank": "0",
            "dp_rank": dp,
        }
        for dp in "01"
        for tp in "01"
    ]
    with_priority = [{**rank, "priority": ""} for rank in ranks]
    low = [{**rank, "priority": "7"} for rank in ranks]
    model = {"model_name": MODEL, "engine_type": "unified"}
    streaming, whole = {**model, "is_streaming": "true"}, {**model, "is_streaming": "false"}
    http = [{"endpoint": path, "status_code": "200", "method": "GET"} for path in ("/v1/chat/completions", "/metrics")]
    busy = {"endpoint": "/v1/chat/completions", "status_code": "503", "method": "POST"}
    return "".join(
        (
            single("sglang:num_running_reqs", "gauge", [(x, 8.0) for x in with_priority] + [(x, 3.0) for x in low]),
            single("sglang:num_queue_reqs", "gauge", [(x, 2.0) for x in with_priority] + [(x, 1.0) for x in low]),
            single("sglang:token_usage", "gauge", [(x, 0.5 if x["dp_rank"] == "0" else 0.75) for x in with_priority]),
            single("sglang:cache_hit_rate", "gauge", [(x, 0.25) for x in with_priority]),
            single("sglang:gen_throughput", "gauge", [(x, 610.5) for x in with_priority]),
            single("sglang:max_total_num_tokens", "gauge", [(x, 436_000.0) for x in with_priority]),
            single("sglang:fwd_occupancy", "gauge", [(x, math.nan) for x in with_priority]),
            single("sglang:num_retracted_requests_total", "counter", [(x, 4.0) for x in with_priority]),
            single("sglang:prompt_tokens_total", "counter", [(streaming, 9000.0), (whole, 1000.0)]),
            single("sglang:generation_tokens_total", "counter", [(streaming, 2500.0), (whole, 300.0)]),
            single("sglang:cached_tokens_total", "counter", [({**model, "cache_source": "device"}, 640.0)]),
            single("sglang:num_requests_total", "counter", [(streaming, 6.0), (whole, 1.0)]),
            single("sglang:num_aborted_requests_total", "counter", [(model, 2.0)]),
            single("sglang:http_responses_total", "counter", [(http[0], 7.0), (http[1], 99.0), (busy, 3.0)]),
            histogram("sglang:time_to_first_token_seconds", (0.1, 0.2, 0.4, 0.6, 0.8, 1, 2, 4), SEEN, streaming, whole),
            histogram("sglang:inter_token_latency_seconds", (0.002, 0.01, 0.04, 0.1, 0.4, 1.0), SEEN, model),
            histogram("sglang:request_time_per_output_token_seconds", TPOT, SEEN, model),
            histogram("sglang:e2e_request_latency_seconds", (0.1, 0.2, 0.4, 0.6, 1, 2, 4), SEEN, streaming, whole),
            histogram("sglang:queue_time_seconds", (0.0, 0.001, 0.01, 0.1, 0.5, 1, 2), SEEN, *with_priority),
            histogram("sglang:prompt_tokens_histogram", (100, 300, 500, 700, 1000), TOKENS, model),
        )
    )


def trtllm() -> str:
    model = {"model_name": MODEL, "engine_type": "trtllm"}
    one = [
        ("num_requests_running", "gauge", 5.0),
        ("num_requests_waiting", "gauge", 3.0),
        ("kv_cache_utilization", "gauge", 0.42),
        ("kv_cache_hit_rate", "gauge", 0.125),
        ("num_paused_requests", "gauge", 1.0),
        ("kv_cache_reused_blocks_total", "counter", 40.0),
        ("kv_cache_missed_blocks_total", "counter", 280.0),
        ("prompt_tokens_total", "counter", 1391.0),
        ("generation_tokens_total", "counter", 905.0),
        ("prompt_cached_tokens_total", "counter", 128.0),
        ("num_requests_completed_total", "counter", 7.0),
    ]
    ends = [({**model, "finished_reason": reason}, value) for reason, value in (("stop", 5.0), ("length", 2.0))]
    errors = [({**model, "http_code": "400"}, 1.0), ({**model, "http_code": "503"}, 2.0)]
    config = {**model, "page_size": "32", "enable_block_reuse": "True"}
    return "".join(
        (
            *(single(f"trtllm_{name}", kind, [(model, value)]) for name, kind, value in one),
            single("trtllm_request_success_total", "counter", ends),
            single("trtllm_request_error_total", "counter", errors),
            single("trtllm_kv_cache_config_info", "gauge", [(config, 1.0)]),
            histogram("trtllm_time_to_first_token_seconds", TTFT, SEEN, model),
            histogram("trtllm_time_per_output_token_seconds", TPOT, SEEN, model),
            histogram("trtllm_e2e_request_latency_seconds", E2E, SEEN, model),
            histogram("trtllm_request_queue_time_seconds", E2E, SEEN, model),
        )
    )


def triton() -> str:
    """An ensemble: each of its models counts the same requests."""
    models = [{"model": name, "version": "1"} for name in ("ensemble", "preprocessing", "tensorrt_llm")]
    backend = models[2]
    requests = {"context": 1, "scheduled": 6, "max": 512, "active": 8, "waiting": 2}
    blocks = {"tokens_per": 64, "used": 30, "free": 70, "max": 100, "fraction": 0.3}
    typed = [({**backend, "request_type": kind}, float(value)) for kind, value in requests.items()]
    kv = [({**backend, "kv_cache_block_type": kind}, float(value)) for kind, value in blocks.items()]
    failed = [({**backend, "reason": reason}, value) for reason, value in (("OTHER", 1.0), ("CANCELED", 4.0))]
    counts = [
        ("nv_inference_request_success", (7, 7, 7)),
        ("nv_inference_request_duration_us", (3_050_000, 12_000, 2_990_000)),
        ("nv_inference_queue_duration_us", (900, 700, 41_000)),
    ]
    return "".join(
        (
            *(single(name, "counter", list(zip(models, map(float, values), strict=True))) for name, values in counts),
            single("nv_inference_request_failure", "counter", failed),
            single("nv_inference_pending_request_count", "gauge", [(x, 2.0) for x in models]),
            single("nv_trt_llm_request_metrics", "gauge", typed),
            single("nv_trt_llm_kv_cache_block_metrics", "gauge", kv),
            histogram(
                "nv_inference_first_response_histogram_ms",
                (100, 500, 2000, 5000),
                [round(value * 1000, 3) for value in SEEN],
                models[0],
                backend,
            ),
            single("nv_gpu_utilization", "gauge", [({"gpu_uuid": "GPU-0"}, 0.8)]),
        )
    )


def lmdeploy() -> str:
    ranks = [{"model_name": MODEL, "engine": rank} for rank in "01"]
    reasons = ("SUCCESS", "FINISH", "CANCEL", "INTERNAL_ENGINE_ERROR")
    ends = [({**x, "finished_reason": f"ResponseType.{r}"}, float(n)) for x in ranks for n, r in enumerate(reasons)]
    gauges = [
        ("num_requests_running", 4.0),
        ("num_requests_waiting", 2.0),
        ("num_api_requests_waiting", 1.0),
        ("num_requests_succeeded", 7.0),
        ("num_requests_failed", 1.0),
        ("gpu_cache_usage_perc", 0.625),
    ]
    return "".join(
        (
            *(single(f"lmdeploy:{name}", "gauge", [(x, value) for x in ranks]) for name, value in gauges),
            single("lmdeploy:prompt_tokens_total", "counter", [(x, 1391.0) for x in ranks]),
            single("lmdeploy:generation_tokens_total", "counter", [(x, 905.0) for x in ranks]),
            single("lmdeploy:request_success_total", "counter", ends),
            single("lmdeploy:backend_config_info", "gauge", [({"tp": "1", "cache_max_entry_count": "0.8"}, 1.0)]),
            histogram("lmdeploy:iteration_tokens_total", (1, 8, 16, 32, 64), TOKENS, *ranks),
            histogram("lmdeploy:time_to_first_token_seconds", TTFT, SEEN, *ranks),
            histogram("lmdeploy:time_per_output_token_seconds", TPOT, SEEN, *ranks),
            histogram("lmdeploy:iter_token_latency", TPOT, SEEN, *ranks),
            histogram("lmdeploy:e2e_request_latency_seconds", E2E, SEEN, *ranks),
            histogram("lmdeploy:request_queue_time_seconds", E2E, SEEN, *ranks),
            histogram("lmdeploy:request_prompt_tokens", LENGTHS, TOKENS, *ranks),
        )
    )


def llamacpp() -> str:
    counters = {
        "prompt_tokens_total": 33065,
        "prompt_tokens_cached_total": 1200,
        "prompt_seconds_total": 235.743,
        "tokens_predicted_total": 7801,
        "tokens_predicted_seconds_total": 366.5,
        "n_decode_total": 7900,
        "n_tokens_max": 8192,
    }
    gauges = {"prompt_tokens_seconds": 140.3, "predicted_tokens_seconds": 21.28, "requests_processing": 3}
    gauges |= {"requests_deferred": 2, "n_busy_slots_per_decode": 2.5}
    kinds = [("counter", counters), ("gauge", gauges)]
    return "".join(
        single(f"llamacpp:{name}", kind, [({}, value)]) for kind, all_ in kinds for name, value in all_.items()
    )


def tgi() -> str:
    seconds = ("request_duration", "request_inference_duration", "request_queue_duration")
    return "".join(
        (
            single("tgi_queue_size", "gauge", [({}, 3)]),
            single("tgi_batch_current_size", "gauge", [({}, 9)]),
            single("tgi_request_count", "counter", [({}, 10)]),
            single("tgi_request_success", "counter", [({}, 7)]),
            single("tgi_request_failure", "counter", [({"err": "overloaded"}, 2), ({"err": "validation"}, 1)]),
            *(histogram(f"tgi_{name}", E2E, SEEN) for name in seconds),
            histogram("tgi_request_mean_time_per_token_duration", TPOT, SEEN),
            histogram("tgi_request_input_length", LENGTHS, TOKENS),
            histogram("tgi_request_generated_tokens", LENGTHS, [value // 2 for value in TOKENS]),
        )
    )


def nim() -> str:
    model = {"model_name": MODEL}
    gauges = {"gpu_cache_usage_perc": 0.31, "num_requests_running": 4.0, "num_requests_waiting": 1.0}
    ends = [({**model, "finished_reason": reason}, value) for reason, value in (("stop", 6.0), ("length", 1.0))]
    return "".join(
        (
            *(single(name, "gauge", [(model, value)]) for name, value in gauges.items()),
            single("num_request_max", "gauge", [(model, 256.0)]),
            single("prompt_tokens_total", "counter", [(model, 1391.0)]),
            single("generation_tokens_total", "counter", [(model, 905.0)]),
            single("prompt_tokens_created", "gauge", [(model, 1.7e9)]),
            single("request_finish_total", "counter", ends),
            histogram("time_to_first_token_seconds", TTFT, SEEN, model),
            histogram("time_per_output_token_seconds", TPOT, SEEN, model),
            histogram("e2e_request_latency_seconds", E2E, SEEN, model),
            histogram("request_prompt_tokens", LENGTHS, TOKENS, model),
            histogram("request_generation_tokens", LENGTHS, TOKENS, model),
        )
    )


def renamed(vllm: str) -> dict[str, str]:
    """What others make of vLLM's own page: Ray, OpenShift AI, and versions before the names of today."""
    old = vllm.replace("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc")
    old = re.sub(r"vllm:prefix_cache_(hits|queries)", r"vllm:gpu_prefix_cache_\1", old)
    return {
        "vllm_ray": re.sub(r"vllm:(\w+)\{", r'ray_vllm_\1{ReplicaId="x7",WorkerId="w1",', vllm).replace(
            "vllm:", "ray_vllm_"
        ),
        "vllm_kserve": vllm.replace("vllm:", "kserve_vllm:"),
        "vllm_old": old.replace("vllm:request_time_per_output_token_seconds", "vllm:time_per_output_token_seconds"),
    }


def main() -> None:
    built = {"sglang": sglang(), "trt-llm": trtllm(), "triton": triton(), "lmdeploy": lmdeploy()}
    built |= {"llama.cpp": llamacpp(), "tgi": tgi(), "nim": nim(), **renamed(page("vllm").decode())}
    for name, text in built.items():
        (HERE / f"{name}.txt").write_text(text)
    for name in PAGES:
        (HERE / f"{name}.json").write_text(golden(name) + "\n")


if __name__ == "__main__":
    main()
