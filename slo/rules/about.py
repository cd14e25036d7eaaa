"""Knows what people may read and set of every built-in rule, as data; refuses to know how a rule works.

Light on purpose: the configuration checks its keys against it.

Source: spec/slo.md 13, 14 (seeds S0 to S3 of the reading list; what the plain threshold says and where it misleads).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """One rule, for people.

    Attributes:
        seed: Where the rule comes from: S0 to S3, or `slo.md 14`.
        default: When it is true, and what it raises.
        misleads: What the plain threshold says, and where that is wrong.
        threshold: What the setting `threshold` is, with its default; empty if the rule has none.
        options: More numbers that may be set: name to meaning, with its default.
        without: Which of `window_s` and `min_events` the rule has no use for.
    """

    seed: str
    default: str
    misleads: str
    threshold: str = ""
    options: Mapping[str, str] = field(default_factory=dict[str, str])
    without: tuple[str, ...] = ()


_CLASS = "HTTP status share >= 0.5 % and 5 times the day before; errors in a stream and time-outs ride on 200"

_PRICE = "price of a GPU hour, USD; must be set, else what a token costs is unknown"
_GPUS = "GPUs of one replica; without it those that are sampled"


def _class(of: str, what: str, severity: str, misleads: str = _CLASS) -> About:
    return About(
        seed=of,
        default=f"error_rate_jump of {what}; {severity}",
        misleads=misleads,
        threshold="least share of requests, 0.005",
    )


ABOUT: Mapping[str, About] = {
    "p99_over_sla": About(
        seed="S3",
        default="more than 1 % of requests proven slower than 1.1 times the SLA over 5 m and 1 h; page",
        misleads="P99 of 5 m > 1.1 SLA; of 60 requests the P99 is the slowest, so one slow call pages",
        threshold="multiple of the SLA, 1.1",
        options={
            "sla_s": "longest request, seconds; else the objectives' limits, else 0.8 for the naive reading alone",
            "ttft_s": "longest time to the first token, seconds; else the objectives' limits",
        },
    ),
    "p99_drift": About(
        seed="S0",
        default="P99 of the time to first token proven 3 times its limit for most of a day (ticket), 10 times (page)",
        misleads="P99 day over day > 1.2; tenfold in 14 days is 18 % a day and never fires",
        threshold="multiple that is a ticket, 3",
        options={
            "page_ratio": "multiple that is a page, 10",
            "anchor_s": "limit, seconds; without it that of the objectives, and without one nothing is known",
            "anchor_s_per_token": "more of it for each input token, seconds, 0",
            "pinned_unix_s": "since when a day's P99 is the limit, such as a release; without `anchor_s`",
        },
    ),
    "ttft_p99_load_triple": About(
        seed="S1",
        default="P99 of the time to first token at load 3 times that off it, within equal prompts; page",
        misleads="P99 at peak / off peak >= 3; prompts are longer at the peak, and samples few",
        threshold="multiple, 3",
        options={"proven_ratio": "multiple that must be proven, 2"},
    ),
    "tail_spread": About(
        seed="S1",
        default="P99/P50 of time to first token beyond its prompt, and of time per token, 1.5 times usual; ticket",
        misleads="P99/P50 of whole requests > 2; answers of different lengths make it wide by nature",
        threshold="multiple of the usual spread, 1.5",
    ),
    "error_rate_jump": About(
        seed="S3",
        default="error rate proven above twice the day before and >= 0.5 %, over 5 m and 1 h; page (5 times) or ticket",
        misleads="rate >= 0.5 % and 5 times the day before; of 60 requests one error fires, 17 times a day",
        threshold="least error rate, 0.005",
    ),
    "error_rate_5xx": _class("S3", "server_error, overloaded, unavailable, engine_dead", "page"),
    "error_rate_timeout": _class("S3", "timeout_first_token, timeout_stream", "page"),
    "error_rate_oom": _class("S3", "oom", "page"),
    "error_rate_stream": _class("S3", "stream_error, stream_truncated", "page"),
    "error_rate_connect": _class("S3", "connect_error", "page"),
    "error_rate_auth": _class("slo.md 3", "auth, of all requests", "ticket", "no objective counts them"),
    "error_rate_not_found": _class("slo.md 3", "not_found, of all requests", "ticket", "no objective counts them"),
    "error_rate_peak": About(
        seed="S1",
        default="error rate proven above 0.3 % in the busiest tenth of minutes; page",
        misleads="share in the busiest hour; of 100 requests one error is 1 %",
        threshold="error rate, 0.003",
    ),
    "oom": About(
        seed="S3",
        default="any request that ended for want of memory within 10 m (ticket), 3 at one endpoint (page)",
        misleads="the same; it is told beside the error rates, which it explains",
        threshold="requests that are a page, 3",
        without=("min_events",),
    ),
    "abandonment": _class(
        "slo.md 14", "requests left before any output, of all", "ticket", "gateways count them as success"
    ),
    "throughput_below_expected": About(
        seed="S3",
        default="speed at the same load 20 % (ticket) or 40 % (page) below the baseline",
        misleads="tokens/s under a preset for the model and GPU; tokens/s follow demand",
        threshold="share below the baseline that is a ticket, 0.2",
        options={
            "page_ratio": "share below the baseline that is a page, 0.4",
            "preset_tokens_per_s": "tokens/s per GPU of the naive reading, 120",
        },
    ),
    "gpu_band": About(
        seed="S3",
        default="GPUs at peak load pinned, over-subscribed, over-provisioned or saturated unseen; ticket",
        misleads="mean utilisation at peak < 50 or > 95 %; NVML shows 100 % with one request",
    ),
    "cost_jump": About(
        seed="S3",
        default="cost per token 30 % above the median of 7 nights by more than traffic explains; ticket",
        misleads="today / yesterday > 1.3; a quiet night dilutes fixed cost",
        threshold="share above usual, 0.3",
        options={
            "gpu_usd_per_hour": _PRICE,
            "gpus_per_replica": _GPUS,
            "prefill_tokens_per_s": "input tokens that one replica reads in a second; must be set",
            "decode_tokens_per_s": "output tokens that one replica makes in a second; must be set",
            "headroom": "replicas kept over those needed, 1.24",
            "rho_max": "share of its time that a replica may work, 0.85",
            "replicas_min": "replicas that are always there, 1",
        },
    ),
    "wasting_compute": About(
        seed="S3",
        default="P99 proven 10 % up within equal prompts, cost per token flat, cost per token in time up; ticket",
        misleads="P99 +10 % and cost within 5 %; longer inputs raise P99 honestly",
        threshold="share by which P99 rises, 0.1",
        options={
            "gpu_usd_per_hour": _PRICE,
            "gpus_per_replica": _GPUS,
            "anchor_s": "limit of the time to first token, seconds, 1.0",
            "anchor_s_per_token": "more of it for each input token, seconds, 0.0002",
        },
    ),
    "queue_depth": About(
        seed="S3",
        default="what waits takes longer than it may to be worked off; ticket",
        misleads="75 waiting (50 to 100 are safe); a count is no time: at 3.24 requests/s it is 23 s",
        threshold="requests waiting of the naive reading, 75",
        options={"tau_q_s": "longest time that the queue may take, seconds, 1.887"},
        without=("min_events",),
    ),
    "stalled_engine": About(
        seed="slo.md 14",
        default="requests run and no token came for 30 s over 2 scrapes; page",
        misleads="/health stays 200, and nothing is logged",
        threshold="seconds without a token, 30",
        without=("window_s", "min_events"),
    ),
    "kv_thrash": About(
        seed="slo.md 14",
        default="more than 10 % of tokens are computed again after preemptions, for 10 m; ticket",
        misleads="use of the KV cache >= 90 %; a full one is well, and one that thrashes looks fine",
        threshold="share of tokens, 0.1",
        without=("min_events",),
    ),
    "prefix_cache_collapse": About(
        seed="slo.md 14",
        default="hit ratio halved within 60 m of a change, in equal prompts; ticket",
        misleads="hit ratio over all prompts; other lengths hit otherwise",
        threshold="relative fall, 0.5",
        without=("window_s",),
    ),
    "length_mix_shift": About(
        seed="slo.md 14",
        default="lengths of inputs or outputs are others than in the last 7 d (stability index > 0.25); ticket",
        misleads="stability index > 0.25 with the hours around; a nightly batch fires it, and so do few requests",
        threshold="population stability index, 0.25",
    ),
    "quality_canary": About(
        seed="slo.md 14",
        default="more repetition or empty answers, NaN, or outputs proven 40 % shorter than in the same hour; ticket",
        misleads="requests with a status of 5xx >= 0.5 %; bad answers come with 200 and good latencies",
        threshold="share by which the mean length has fallen, 0.4",
    ),
    "replica_outlier": About(
        seed="slo.md 14",
        default="a replica proven slower, or worse, and beyond 3 robust deviations of its peers, from 4 on; ticket",
        misleads="3 standard deviations of the mean; a bad one is in both, and of ten or fewer none is ever so far",
        threshold="robust deviations, 3",
    ),
    "telemetry_self": About(
        seed="slo.md 14",
        default="records dropped > 0.1 % or refused, clock steps, endings unseen > 1 %, watermark 30 s late; ticket"
        " (5 m late: page, once)",
        misleads="figures that look calm because rows are missing; heartbeats arrive while the store refuses requests",
        threshold="share of records that may be dropped, 0.001",
        options={
            "lag_s": "seconds that a watermark may be late, 30",
            "lag_page_s": "seconds late that are a page, 300",
            "unobserved_ratio": "share of requests whose ending may be unseen, 0.01",
        },
    ),
    "anomaly": About(
        seed="S3",
        default="6 robust deviations and 30 % from the weekday hours of 4 weeks, 3 times on end; ticket, from 7 d on",
        misleads="mean and standard deviation of the last hour; a daily rhythm fires it every morning",
        threshold="robust deviations, 6",
        without=("window_s",),
    ),
    "misfit_batch_on_serverless": About(
        seed="S0",
        default="long batch runs (> 10,000 inputs, or 10 min) billed at over twice the cost of an own replica; ticket",
        misleads="that a run is long; the seed's 5 to 10 times is what it may cost, and the ratio is measured here",
        threshold="bill over the cost of a replica of one's own, 2",
        options={
            "usd_per_mtok_in": "bill for a million input tokens, USD; must be set",
            "usd_per_mtok_out": "bill for a million output tokens, USD; must be set",
            "usd_per_mtok_cache_read": "bill for a million input tokens from a cache, USD; that of others",
            "gpu_usd_per_hour": _PRICE,
            "gpus_per_replica": "GPUs of a replica of one's own, 1",
            "prefill_tokens_per_s": "input tokens that one replica reads in a second; must be set",
            "decode_tokens_per_s": "output tokens that one replica makes in a second; must be set",
            "long_s": "seconds after which a run is long, 600",
        },
    ),
    "misfit_endpoint_on_batch_stack": About(
        seed="S0",
        default="> 50 % of the time to first token is the queue of an engine that is > 90 % full and fast; ticket",
        misleads="the queue's share alone, which a slow engine has too; one that is full and fast is made for batches",
        threshold="share of the time to the first token, 0.5",
        options={"max_num_seqs": "requests that one replica works on at most; must be set"},
    ),
    "misfit_workflow_stateless": About(
        seed="S0",
        default="in > 5 % of flows (proven) a prompt is half the one before, or that of step 1 again; ticket",
        misleads="the share itself > 5 %: of 20 flows two are enough",
        threshold="share of flows, 0.05",
    ),
}
"""Every rule by its name."""
