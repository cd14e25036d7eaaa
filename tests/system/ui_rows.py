"""A fleet's last hours as rows: two endpoints, an incident at the end, engines, GPUs, load tests, hostile names."""

import json
from collections.abc import Iterator
from random import Random
from uuid import UUID

import msgspec

from telemetry.clock import wall_ms
from telemetry.load_records import LoadRun, LoadStep
from telemetry.outcome import Eligibility, Origin, Outcome, Phase, TtftQuality
from telemetry.record import RequestRecord
from telemetry.samples import EngineSample, GpuRow, Heartbeat, Sample
from telemetry.testing.memory_store import sample_request

HISTORY_S, INCIDENT_S = 2_700, 600
ENDPOINTS = {"chat-eu": ("Qwen/Qwen3-32B", 2.0), "chat-us": ("meta-llama/Llama-4-Scout", 1.0)}
REPLICAS = ("10.0.0.1:8000", "10.0.0.2:8000", "10.0.0.3:8000")
WILD = "<img src=x onerror=alert(1)>"
"""An endpoint's name that is none."""
HOSTILE = (
    WILD,
    "<script>alert(1)</script>",
    "</script><script>alert(2)</script>",
    '"><svg onload=alert(3)>',
    "javascript:alert(4)",
    "{{constructor.constructor('alert(5)')()}}",
    "${alert(6)}",
    "a\u202egpj.exe",
    "zero\u200bwidth",
    "\u2066isolated\u2069",
    '=HYPERLINK("http://x")',
    "../../etc/passwd",
    "%3Cimg%20src=x%3E",
    "';DROP TABLE requests;--",
    "very-long-" * 40,
    *(f'<a href="javascript:alert({n})">model {n}</a>' for n in range(35)),
)
_BOOT_MS = wall_ms() - 10_000_000
"""When the collectors began to count."""
_BAD = (
    (Outcome.STREAM_ERROR, Phase.STREAMING, Origin.SERVER),
    (Outcome.SERVER_ERROR, Phase.QUEUED, Origin.SERVER),
    (Outcome.OVERLOADED, Phase.CONNECT, Origin.SERVER),
    (Outcome.TIMEOUT_FIRST_TOKEN, Phase.QUEUED, Origin.SERVER),
)


def requests(end_ms: int, since_s: int, first: int, *, ails: bool) -> list[RequestRecord]:
    """Return the requests of both endpoints that ended in the seconds before an instant.

    Args:
        end_ms: The instant, unix milliseconds.
        since_s: How many seconds before it they begin.
        first: Number of the first.
        ails: Whether the last ten minutes of that time are an incident.
    """
    random = Random(first + 7)  # noqa: S311 -- a past, no secret
    made: list[RequestRecord] = []
    for endpoint, (model, rate) in ENDPOINTS.items():
        for n in range(int(since_s * rate)):
            ago_ms = int(1000 * n / rate) + random.randrange(400)
            hurts = ails and endpoint == "chat-eu" and ago_ms < INCIDENT_S * 1000
            made.append(_request(random, first + len(made), end_ms - ago_ms, endpoint, model, hurts=hurts))
    return made


def wild(end_ms: int, first: int) -> list[RequestRecord]:
    """Return one request for each hostile name."""
    return [
        msgspec.structs.replace(
            sample_request(first + n, end_ms - 2000 * n),
            record_id=_id(end_ms - 2000 * n, first + n),
            endpoint=WILD,
            model=name,
            replica=name[:200],
            tenant=name[:200],
        )
        for n, name in enumerate(HOSTILE)
    ]


def beats(end_ms: int, since_s: int, every_s: int = 10) -> list[Heartbeat]:
    """Return heartbeats of both collectors."""
    return [
        Heartbeat(
            ts=at_ms,
            collector=f"node-{at + 1}/1",
            endpoint=endpoint,
            model=model,
            workload_class="",
            boot=1,
            watermark=at_ms - 1_000,
            seq_last=n,
            accepted_total=n,
            stored_total=n,
            dlq_total=0,
            spooled=0,
            dropped_total={},
            tee_frames_dropped_total=0,
            unparsed_conns_total=0,
            arrivals_total=n,
            first_outputs_total=n,
            tokens_out_total=200 * n,
            in_flight=12,
            waiting_first=3,
            waiting_age_h={-20: 3},
            in_flight_age_h={-10: 12},
            loop_lag_us_max=900,
            rss_bytes=64 << 20,
            cpu_us_total=4_000 * n,
            clock_offset_us=40,
        )
        for at, (endpoint, (model, rate)) in enumerate(ENDPOINTS.items())
        for at_ms in range(end_ms - since_s * 1000, end_ms + 1, every_s * 1000)
        for n in [int((at_ms - _BOOT_MS) / 1000 * rate)]
    ]


def engines(end_ms: int, since_s: int, *, ails: bool) -> Iterator[Sample]:
    """Yield scrapes of engines and readings of GPUs."""
    random = Random(11)  # noqa: S311 -- a past, no secret
    for endpoint, (model, _) in ENDPOINTS.items():
        for n, at_ms in enumerate(range(end_ms - since_s * 1000, end_ms + 1, 15_000), 1):
            hurts = ails and endpoint == "chat-eu" and end_ms - at_ms < INCIDENT_S * 1000
            for at, replica in enumerate(REPLICAS if endpoint == "chat-eu" else REPLICAS[:1]):
                yield _scrape(random, endpoint, model, replica, at_ms, n, hurts=hurts)
                yield _gpu(random, endpoint, replica, at_ms, at, hurts=hurts)


def loads(end_ms: int) -> Iterator[Sample]:
    """Yield two load tests, the second one with a search for the knee."""
    for at, (run_id, verdict, fit) in enumerate((("run-0711", "pass", "fit"), ("run-0712", "fail", "unfit"))):
        began_ms = end_ms - (5 - at) * 3_600_000
        yield LoadRun(
            run_id=run_id,
            name=f"nightly {at}",
            git_sha="4f1c2d9",
            key_json="{}",
            plan_json="{}",
            plan_sha256="0" * 64,
            rows_sha256="0" * 64,
            receipt_json="{}",
            started_at=began_ms,
            ended_at=began_ms + 600_000,
            seed=7,
            defs_version=1,
            target="chat-eu",
            model=ENDPOINTS["chat-eu"][0],
            engine="vllm",
            engine_version="0.32.0",
            gpu_model="H100",
            gpu_count=1,
            tp=1,
            mix_id="chat",
            fit=fit,
            fit_checks="[]",
            verdict=verdict,
            report_json=json.dumps({"goodput": {"rate_per_s": 11.5}}),
        )
        for step, rate in enumerate((2.0, 4.0, 8.0, 12.0, 16.0)):
            offered = int(60 * rate)
            good = int(offered * min(1.0, 1.3 - rate / 30))
            yield LoadStep(
                run_id=run_id,
                step=step,
                kind="measured",
                mode="open",
                started_at=began_ms + step * 60_000,
                ended_at=began_ms + (step + 1) * 60_000,
                rate_per_s=rate,
                offered=offered,
                completed=offered,
                good=good,
                sched_lag_p99_us=900,
                read_lag_p99_us=400,
                state="accepted" if rate < 12 else "rejected",
                stats_json=json.dumps({"ttft_p95_s": 0.2 * 1.25**rate, "tpot_p95_s": 0.02 + rate / 900}),
            )


def _request(random: Random, n: int, ended_at: int, endpoint: str, model: str, *, hurts: bool) -> RequestRecord:
    ttft_us = int(random.lognormvariate(14.2 if hurts else 12.4, 0.45))
    tokens_out = random.randrange(40, 400)
    tpot_us = int(random.gauss(26_000, 3_000) * (1.5 if hurts else 1))
    one = msgspec.structs.replace(
        sample_request(n, ended_at),
        endpoint=endpoint,
        model=model,
        record_id=_id(ended_at, n),
        ttft_us=ttft_us,
        ttfo_us=ttft_us,
        ttft_service_us=ttft_us,
        tpot_us=tpot_us,
        tokens_in=random.randrange(60, 6_000),
        tokens_out=tokens_out,
        elapsed_us=ttft_us + tpot_us * tokens_out,
        e2e_us=ttft_us + tpot_us * tokens_out,
        icl_max_us=tpot_us * random.randrange(2, 9),
        replica=REPLICAS[n % 3],
        ttft_quality=TtftQuality.EXACT,
        headers_us=ttft_us - 2_000,
        first_event_us=ttft_us - 1_000,
    )
    drawn = random.random()
    if drawn < (0.25 if hurts else 0.01):
        return msgspec.structs.replace(
            one,
            outcome=Outcome.CLIENT_CANCELLED,
            eligible=Eligibility.CENSORED,
            phase=Phase.QUEUED,
            origin=Origin.CLIENT,
            ttft_us=None,
            ttfo_us=None,
            ttft_service_us=None,
            tpot_us=None,
            e2e_us=None,
            elapsed_us=min(ttft_us, 8_000_000),
            tokens_out=None,
            n_out_events=0,
            n_arrivals=0,
        )
    if drawn < (0.33 if hurts else 0.014):
        outcome, phase, origin = random.choice(_BAD)
        return msgspec.structs.replace(
            one,
            outcome=outcome,
            eligible=Eligibility.BAD,
            phase=phase,
            origin=origin,
            e2e_us=None,
            tokens_out=None,
            in_stream=int(outcome is Outcome.STREAM_ERROR),
            http_status=503 if outcome is Outcome.OVERLOADED else 200,
            **(
                {}
                if phase is Phase.STREAMING
                else {"ttft_us": None, "ttfo_us": None, "tpot_us": None, "n_out_events": 0}
            ),
        )
    return one


def _id(at_ms: int, n: int) -> UUID:
    """Return a UUIDv7. Source: RFC 9562, 5.7."""
    return UUID(int=(at_ms << 80) | (7 << 76) | (2 << 62) | n)


def _scrape(
    random: Random, endpoint: str, model: str, replica: str, at_ms: int, n: int, *, hurts: bool
) -> EngineSample:
    return EngineSample(
        ts=at_ms,
        endpoint=endpoint,
        replica=replica,
        engine="vllm",
        model=model,
        up=1,
        scrape_us=2_100,
        running=random.randrange(40, 60) if hurts else random.randrange(8, 16),
        queued=random.randrange(30, 60) if hurts else random.randrange(3),
        queued_capacity=20 if hurts else 0,
        queued_deferred=0,
        kv_used_ratio=0.93 if hurts else random.uniform(0.35, 0.5),
        kv_used_ratio_max=0.97 if hurts else random.uniform(0.5, 0.6),
        prompt_tokens_total=30_000 * n,
        generation_tokens_total=4_000 * n,
        preemptions_total=(n if hurts else n // 40),
        prefix_hits_total=9_000 * n,
        prefix_queries_total=30_000 * n,
        rejections_total=0,
        success_total={"stop": 20 * n},
    )


def _gpu(random: Random, endpoint: str, replica: str, at_ms: int, at: int, *, hurts: bool) -> GpuRow:
    return GpuRow(
        ts=at_ms,
        node="node-1",
        gpu_uuid=f"GPU-{endpoint}-{at}",
        mig_uuid="",
        gpu_name="H100",
        endpoint=endpoint,
        replica=replica,
        gpu_index=at,
        gpu_util_ratio=0.98,
        mem_busy_ratio=0.6,
        sm_ratio=0.82 if hurts else random.uniform(0.4, 0.5),
        tensor_ratio=0.4 if hurts else random.uniform(0.2, 0.3),
        dram_bw_ratio=0.7,
        mem_used_bytes=70 << 30,
        mem_total_bytes=80 << 30,
        power_w=random.uniform(480, 560),
        power_limit_w=700.0,
        temp_c=61.0,
        sm_mhz=1_755,
        sm_max_mhz=1_980,
        throttle_bits=0,
    )
