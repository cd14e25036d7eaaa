"""Knows how many replicas each signal asks for, and says why; refuses to choose among them, and to remember.

    capacity   ceil(h expected / goodput)                    more than they carry when a new one is ready
    backlog    ceil((rate I' + B / tau_d) / (0.85 V_P))      prompts that wait, within tau_d = max(tau_q, 15 s)
    queue      seed: r + max(1, ceil(W / 75) - r) from 75 waiting per ready replica
               derived: r + 1 from Q* (sizing is the backlog's job; ceil(W / Q*) would overshoot)
    kv         ceil(sum of cache use / 0.8)
    slo        n + ceil(n (s (r/n) / 0.55 - 1)) if s > 0.55; n - floor(n (1 - s / 0.40)) if s < 0.40
    gpu        one more, remembered in `slo.scaling.gpu`

Capacity and backlog are compared with the replicas that are asked for, so those that are warming up count. A signal
that is unknown asks for nothing; sums over replicas that did not all report are too small, never too large.

Source: spec/scaling.md 6.1; llm-d guides/workload-autoscaling/README.slo-aware.md (slo), dynamo#9294 (warming).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from slo.cost import RHO_MAX
from slo.scaling.codes import Reason
from slo.scaling.forecast import Forecast
from slo.scaling.thresholds import QUEUE_DEPTH_SAFE, QueueLimits

KV_RATIO = 0.8
SLO_BAND, SLO_CLAMP = (0.55, 0.40), 2.0
"""Low, because the slow tenth goes up steeply from here; to be raised where an idle engine is near its objectives."""
SLO_WINDOW_S = 45.0
DRAIN_S_MIN = 15.0
"""Shortest time in which a backlog is to be read."""

_ROUNDING = 1e-9


class QueueMode(StrEnum):
    """Which threshold a queue is held against."""

    SEED = "seed"
    DERIVED = "derived"


@dataclass(frozen=True, slots=True, kw_only=True)
class Want:
    """What one signal asks for.

    Attributes:
        code: Which.
        replicas: How many.
        raw: The same before rounding.
        signal: Name of what was looked at.
        value: What it was.
        threshold: What it is held against.
        unit: Of both.
        text: A sentence for people.
    """

    code: Reason
    replicas: int
    raw: float
    signal: str
    value: float
    threshold: float
    unit: str
    text: str


def capacity(of: Forecast, headroom: float, goodput_rps: float, replicas: int) -> Want:
    """Return what arrivals ask for.

    Args:
        of: What to expect.
        headroom: h.
        goodput_rps: What one replica carries; above 0.
        replicas: Asked for now.
    """
    demand = headroom * of.expected_rps
    raw = demand / goodput_rps
    count, carried = _up(raw), replicas * goodput_rps
    when = "arrive" if of.source is Reason.CAPACITY_NOW else f"expected in {of.lead_s / 60:.0f} min"
    return Want(
        code=of.source,
        replicas=count,
        raw=raw,
        signal="demand_rps_with_headroom",
        value=demand,
        threshold=carried,
        unit="rps",
        text=f"{of.expected_rps:.3g} rps {when}, {demand:.3g} with headroom {headroom:.2f}; "
        f"{replicas} replicas at {goodput_rps:.3g} rps goodput carry {carried:.3g}; {count} keep the objectives",
    )


def scheduled(name: str, replicas_min: int) -> Want:
    """Return what a schedule that names replicas asks for."""
    return Want(
        code=Reason.SCHEDULE,
        replicas=replicas_min,
        raw=float(replicas_min),
        signal="schedule_replicas",
        value=float(replicas_min),
        threshold=float(replicas_min),
        unit="replicas",
        text=f"schedule {name} asks for {replicas_min} replicas",
    )


def backlog(
    rate_rps: float, tokens_read: float, waiting_tokens: float, prefill_tokens_per_s: float, slack_s: float
) -> Want:
    """Return what prompts ask for, those that wait and those that arrive.

    Args:
        rate_rps: Arrivals.
        tokens_read: Uncached prompt tokens of one.
        waiting_tokens: B, prompt tokens that wait.
        prefill_tokens_per_s: V_P.
        slack_s: tau_q.
    """
    drain_s = max(slack_s, DRAIN_S_MIN)
    need, can = rate_rps * tokens_read + waiting_tokens / drain_s, RHO_MAX * prefill_tokens_per_s
    return Want(
        code=Reason.BACKLOG_PREFILL,
        replicas=_up(need / can),
        raw=need / can,
        signal="prefill_tokens_per_s",
        value=need,
        threshold=can,
        unit="tokens/s",
        text=f"{waiting_tokens:.0f} prompt tokens wait and {rate_rps * tokens_read:.0f} arrive each second; "
        f"one replica reads {can:.0f}; within {drain_s:.0f} s {_up(need / can)} are needed",
    )


def queue(waiting: int, ready: int, limits: QueueLimits, mode: QueueMode = QueueMode.SEED) -> Want:
    """Return what a queue asks for; as many as are ready if it is short.

    Args:
        waiting: W, requests that wait.
        ready: r, replicas that take requests.
        limits: Both thresholds.
        mode: Which of them decides; a derived one that is unknown leaves it to the fixed one.
    """
    per_replica = waiting / max(ready, 1)
    derived = limits.derived if mode is QueueMode.DERIVED else None
    threshold = limits.seed if derived is None else derived
    count = ready
    if waiting and per_replica >= threshold:
        count = ready + (max(1, _up(waiting / limits.seed) - ready) if derived is None else 1)
    return Want(
        code=Reason.QUEUE_DEPTH if derived is None else Reason.QUEUE_SLO,
        replicas=count,
        raw=float(count),
        signal="waiting_per_replica",
        value=per_replica,
        threshold=threshold,
        unit="requests",
        text=_queue_text(per_replica, limits),
    )


def kv(used_ratios: Sequence[float]) -> Want:
    """Return what caches ask for.

    Args:
        used_ratios: Of the replicas that reported.
    """
    total = sum(used_ratios)
    return Want(
        code=Reason.KV_PRESSURE,
        replicas=_up(total / KV_RATIO),
        raw=total / KV_RATIO,
        signal="kv_usage_sum",
        value=total,
        threshold=KV_RATIO,
        unit="caches",
        text=f"{total:.3g} caches are full, each may be {KV_RATIO:.0%}; {_up(total / KV_RATIO)} are needed",
    )


def saturation(
    seen_s: tuple[float | None, float | None],
    limits_s: tuple[float | None, float | None],
    idle_s: tuple[float, float] = (0.0, 0.0),
) -> float | None:
    """Return how far the slow tenth is from an idle engine to its objectives, 2 at most; None if neither is known.

    Args:
        seen_s: P90 of the time to the first token, and per later one.
        limits_s: Objectives for them.
        idle_s: The same of a request that is alone; what cannot be faster is no sign of load. One that leaves nothing
            of an objective is not counted: then replicas do not help.
    """
    found = [
        max(0.0, seen - idle) / (limit - idle)
        for seen, limit, idle in zip(seen_s, limits_s, idle_s, strict=True)
        if seen is not None and limit and idle < limit
    ]
    return min(max(found), SLO_CLAMP) if found else None


def slo(
    saturation_mean: float,
    replicas: int,
    ready: int,
    band: tuple[float, float] = SLO_BAND,
    *,
    bound: int | None = None,
) -> Want:
    """Return what the objectives ask for: llm-d's law, except that it never asks for less while the ratio is high.

    Args:
        saturation_mean: s, mean of the last 45 s.
        replicas: n, asked for.
        ready: r, of those.
        band: From where replicas are added, and below where they are taken away.
        bound: More than these it does not ask for; None without a bound. A tail says that there are too few, not how
            many: it stays for a while after those came that were missing, and the law would ask for as many again.
    """
    up, low = band
    credit = ready / replicas if 0 < ready < replicas else 1.0
    raw = float(replicas)
    if saturation_mean > up:
        wanted = replicas * saturation_mean * credit / up
        raw = max(raw, wanted if bound is None else min(wanted, bound))
    elif saturation_mean < low:
        raw = replicas * saturation_mean / low
    return Want(
        code=Reason.SLO_RATIO,
        replicas=_up(raw),
        raw=raw,
        signal="slo_ratio_p90",
        value=saturation_mean,
        threshold=up,
        unit="ratio",
        text=f"the slow tenth is at {saturation_mean:.0%} of its objective; replicas are added from {up:.0%}",
    )


def gpu(gpu_ratio: float, target: int, threshold: float) -> Want:
    """Return what busy GPUs ask for, with their witness.

    Args:
        gpu_ratio: Mean utilisation.
        target: How many were asked for.
        threshold: Utilisation from which they are.
    """
    return Want(
        code=Reason.GPU_BUSY,
        replicas=target,
        raw=float(target),
        signal="gpu_util",
        value=gpu_ratio,
        threshold=threshold,
        unit="ratio",
        text=f"GPUs were busy for five minutes, {gpu_ratio:.0%} now, and load or cache say so too",
    )


def _queue_text(per_replica: float, limits: QueueLimits) -> str:
    if limits.seed_wait_s is None:
        return (
            f"{per_replica:.3g} wait per replica, {limits.seed:.3g} are allowed; the goodput is unknown, so no seconds"
        )
    now_s = per_replica * limits.seed_wait_s / limits.seed
    text = f"{per_replica:.3g} wait per replica, {now_s:.3g} s at this goodput; {limits.seed:.3g} are "
    derived = "" if limits.derived is None else f"; {limits.derived:.2g} keep the time to first token"
    safe = " to ".join(f"{waiting * limits.seed_wait_s / limits.seed:.3g}" for waiting in QUEUE_DEPTH_SAFE)
    low, high = QUEUE_DEPTH_SAFE
    return f"{text}{limits.seed_wait_s:.3g} s{derived}; what the seed calls safe, {low} to {high}, is {safe} s"


def _up(raw: float) -> int:
    """Round up; what only rounding lifts above a whole number is that number."""
    return math.ceil(raw - _ROUNDING)
