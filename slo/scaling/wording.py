"""Knows how a decision is said as a hint; refuses to change it.

Source: spec/scaling.md 1.
"""

from datetime import UTC, datetime

import msgspec

from slo.scaling import impact
from slo.scaling.codes import MEANINGS, Action, Reason
from slo.scaling.cold_start import ColdStarts
from slo.scaling.confidence import Trust
from slo.scaling.decision import Decision, Seen, down_until_s, told_by
from slo.scaling.gpu import UP_RATIO, band, contradiction
from slo.scaling.hint import (
    AckPart,
    CapacityPart,
    ColdStartPart,
    ConfidencePart,
    CooldownPart,
    ForecastPart,
    GpuPart,
    Hint,
    ImpactPart,
    LoadRangePart,
    PreviewPart,
    ReasonPart,
    ReplicasPart,
    SchedulePart,
    SignalPart,
    SloPart,
    SlowerPart,
    TargetPart,
    TookPart,
    VetoPart,
    hint_id,
)
from slo.scaling.preview import preview
from slo.scaling.settings import Target
from slo.scaling.state import TURNS_MAX
from slo.scaling.thresholds import LOAD_DAYS, load_at_gpu
from telemetry.scaling import Observation

_METHOD = "max(now,shape,schedule)"


def issued(of: Hint, at_s: int, seq: int) -> Hint:
    """Return a hint as it was issued: at the instant, of that number, at which what it says last changed."""
    of_then = hint_id(of.target.name, of.target.namespace, at_s)
    return msgspec.structs.replace(of, id=of_then, seq=seq, issued_at=_time(at_s), valid_from=_time(at_s))


def hint(seen: Seen, decision: Decision) -> Hint:
    """Return a decision as a hint that is not issued yet."""
    observation, settings = seen.observation, seen.settings
    observed_s = None if observation.oldest_s is None else observation.now_unix_s - observation.oldest_s
    lives_s = seen.at_s if decision.action is Action.FROZEN else observed_s  # a person's word needs no observation
    expires_s = seen.at_s if lives_s is None else max(lives_s + settings.ttl_s, seen.at_s)
    return Hint(
        id="",
        seq=0,
        mode=decision.mode,
        target=_target(settings.target),
        observed_at=None if observed_s is None else _time(observed_s),
        issued_at="",
        valid_from="",
        expires_at=_time(expires_s),
        ttl_s=settings.ttl_s,
        action=decision.action,
        replicas=_replicas(seen, decision),
        reasons=_reasons(seen, decision),
        vetoes=tuple(
            VetoPart(
                code=one.code, against=Action.TO_ZERO if observation.spec == 1 else Action.SCALE_DOWN, text=one.text
            )
            for one in decision.vetoes
        ),
        signals=_signals(seen),
        slo=SloPart(
            objective=observation.objective_ratio,
            attainment_1h=observation.attainment_1h_ratio,
            burn_1h=observation.burn_1h,
            budget_left=observation.budget_left_ratio,
        ),
        forecast=_forecast(seen),
        capacity=_capacity(seen),
        gpu=_gpu(seen),
        confidence=_confidence(decision.trust),
        cooldown=_cooldown(seen, decision),
        impact=_impact(seen, decision),
        hpa_preview=_preview(seen, decision),
        ack=AckPart(
            state="pending" if seen.known.acked_replicas is None else "applied", applied=seen.known.acked_replicas
        ),
        cold_start=None if seen.known.cold_starts is None else _cold_start(seen.known.cold_starts),
    )


def _target(of: Target) -> TargetPart:
    return TargetPart(
        name=of.name,
        namespace=of.namespace,
        variant=of.variant,
        role=of.role,
        gpus_per_replica=of.gpus_per_replica,
        replica_unit=of.replica_unit,
    )


def _replicas(seen: Seen, decision: Decision) -> ReplicasPart:
    return ReplicasPart(
        spec=seen.observation.spec,
        ready=seen.observation.ready,
        warming=seen.observation.warming,
        desired=decision.desired,
        raw=decision.raw,
        min=seen.settings.replicas_min,
        max=seen.settings.replicas_max,
        bounded_by=decision.bounded_by,
        draining=seen.observation.draining,
        strangers=seen.observation.strangers,
    )


def _reasons(seen: Seen, decision: Decision) -> tuple[ReasonPart, ...]:
    """Return the reasons, what decided first."""
    found = [
        ReasonPart(
            code=want.code,
            binding=want.code is decision.binding and want.raw == decision.raw,
            wants=want.replicas,
            signal=want.signal,
            value=want.value,
            threshold=want.threshold,
            unit=want.unit,
            text=want.text,
        )
        for want in seen.sizing.wants
    ]
    if decision.binding is not None and not any(one.binding for one in found):
        found.append(_plain(decision.binding, seen, binding=True))
    found.extend(_plain(code, seen, binding=False) for code in decision.other if code is not decision.binding)
    return tuple(sorted(found, key=lambda one: not one.binding))


def _plain(code: Reason, seen: Seen, *, binding: bool) -> ReasonPart:
    """Return a reason that no want gives."""
    floor = seen.sizing.burst.floor if code is Reason.BURST_UNFOLLOWABLE and seen.sizing.burst is not None else None
    return ReasonPart(
        code=code,
        binding=binding,
        wants=floor,
        signal=None,
        value=None,
        threshold=None,
        unit=None,
        text=_text(code, seen),
    )


def _text(code: Reason, seen: Seen) -> str:
    burst, prompts, settings = seen.sizing.burst, seen.sizing.prompts, seen.settings
    if code is Reason.BURST_UNFOLLOWABLE and burst is not None:
        cost = "" if burst.usd_per_month is None else f", ${burst.usd_per_month:.0f} a month"
        return (
            f"bursts of {burst.ratio:.0f} times the mean are over in {burst.length_s:.0f} s, a replica takes "
            f"{seen.lead_s:.0f} s: hold a floor of {burst.floor}{cost}, or queue"
        )
    if code is Reason.INFEASIBLE_PREFILL and prompts is not None:
        return (
            f"{prompts.too_long_ratio:.1%} of prompts have more than {prompts.shortest_tokens:.0f} tokens, which alone "
            f"take {settings.ttft_s} s or longer; shorter prompts or faster prefill, not replicas"
        )
    if code is Reason.INFEASIBLE_DECODE:
        return f"an empty step takes longer than {settings.itl_s} s; a faster engine, not replicas"
    if code is Reason.ROLLOUT_IN_PROGRESS:
        return f"{seen.observation.strangers} of {seen.observation.ready} replicas have another configuration than most"
    if code is Reason.NO_OBJECTIVE:
        return (
            "no replica is taken away, for nothing says what fewer carry: set ttft_s and itl_s, and let `inferometer "
            "load sweep` measure what one replica carries"
        )
    return MEANINGS[code]


def _signals(seen: Seen) -> dict[str, SignalPart]:
    of = seen.observation
    values: dict[str, float | None] = {
        "arrivals_rps": of.arrivals_rps,
        "waiting": seen.sizing.waiting,
        "running": of.running,
        "kv_usage_max": seen.sizing.kv_used_ratio,
        "gpu_util": of.gpu_util_ratio,
        "slo_ratio_p90": seen.state.saturation,
    }
    if of.gpu_util_ratio is None and not seen.state.has_gpu:
        del values["gpu_util"]  # of a fleet without samples of GPUs: nothing is missing
    told = told_by(of)
    if of.held is None:
        told["waiting"] = ()  # those in front of the replicas may be many: the sum is of no whole
    return {name: _signal(value, of, told.get(name)) for name, value in values.items()}


def _signal(value: float | None, of: Observation, ages_s: tuple[float, ...] | None) -> SignalPart:
    """Return a figure with the share of the replicas that told it, and the age of the oldest of those.

    Args:
        value: The figure; None if it is unknown, and so of no replica.
        of: The observation.
        ages_s: Of those that told it; None for one that no replica tells, but collectors.
    """
    if value is None:
        return SignalPart(value=None, age_s=None, coverage=0.0)
    if ages_s is None:
        return SignalPart(value=float(value), age_s=of.age_s, coverage=of.coverage)
    share = min(1.0, len(ages_s) / of.ready) if of.ready else 1.0
    return SignalPart(value=float(value), age_s=max(ages_s, default=of.age_s), coverage=min(of.coverage, share))


def _forecast(seen: Seen) -> ForecastPart:
    of, measured = seen.sizing.forecast, seen.state.lead(seen.observation)
    peak = next(iter(seen.peaks), None)
    return ForecastPart(
        lead_s=seen.lead_s,
        lead_basis="not measured: the seed's 15 minutes, less 2"
        if measured is None
        else seen.known.lead_basis or f"p90 of last {measured.n} cold starts",
        method=_METHOD,
        p50_rps=None if of is None else of.expected_rps,
        p95_rps=None if of is None else of.p95_rps,
        headroom=seen.state.headroom,
        schedule=None
        if peak is None
        else SchedulePart(name=peak.schedule.name, peak_at=_time(peak.at_s), pre_scale_at=_time(peak.pre_scale_at_s)),
    )


def _cold_start(of: ColdStarts) -> ColdStartPart:
    slower = of.slower
    return ColdStartPart(
        phases={phase: TookPart(p50_s=took.p50_s, p90_s=took.p90_s, n=took.n) for phase, took in of.phases.items()},
        failed_30d=of.failed,
        regression=None
        if slower is None
        else SlowerPart(
            phase=slower.phase,
            p90_s=slower.p90_s,
            before_p90_s=slower.before_p90_s,
            n=slower.n,
            before_n=slower.before_n,
            text=slower.text,
        ),
    )


def _capacity(seen: Seen) -> CapacityPart:
    of, limits, test = seen.sizing.capacity, seen.sizing.limits, seen.known.load_test
    return CapacityPart(
        goodput_rps=None if of is None else of.goodput_per_s,
        basis=None if test is None else test.basis,
        age_days=None if test is None else test.age_days,
        online_correction=seen.state.correction,
        bottleneck=None if of is None else of.bottleneck,
        rho=seen.sizing.rho,
        queue_depth_hi=limits.seed,
        queue_depth_hi_s=limits.seed_wait_s,
        queue_star=limits.derived,
        queue_star_s=limits.derived_wait_s,
        kv_fits=seen.sizing.kv_fits,
    )


def _gpu(seen: Seen) -> GpuPart:
    util = seen.observation.gpu_util_ratio
    then = load_at_gpu(seen.state.gpu_loads)
    return GpuPart(
        util=util,
        band=None if util is None else band(util),
        label=contradiction(util, seen.sizing.rho),
        rho_at_75=None if then is None else _load_range(*then),
    )


def _load_range(low: float, high: float, n: int) -> LoadRangePart:
    text = f"your {UP_RATIO:.0%} GPU was a load of {low:.2f} to {high:.2f} in the last {LOAD_DAYS} d"
    return LoadRangePart(low=low, high=high, n=n, text=text)


def _confidence(of: Trust) -> ConfidencePart:
    return ConfidencePart(score=of.score, level=of.level, why=of.why)


def _cooldown(seen: Seen, decision: Decision) -> CooldownPart:
    until_s = down_until_s(seen)
    base_s, _ = seen.state.base
    return CooldownPart(
        up_until=_time(base_s + 60) if "step" in decision.bounded_by else None,
        down_until=None if until_s is None or until_s <= seen.at_s else _time(until_s),
        reversals_1h=len(seen.state.turns),
        reversal_limit=TURNS_MAX,
    )


def _impact(seen: Seen, decision: Decision) -> ImpactPart:
    price, of, capacity = seen.settings.usd_per_replica_hour, seen.sizing.forecast, seen.sizing.capacity
    p50, p95 = (None, None) if of is None else (of.expected_rps, of.p95_rps)
    goodput = None if capacity is None else capacity.goodput_per_s
    carried = [None if goodput is None else count * goodput for count in (seen.observation.spec, decision.desired)]
    return ImpactPart(
        usd_per_h_now=impact.usd_per_hour(seen.observation.spec, price),
        usd_per_h_desired=impact.usd_per_hour(decision.desired, price),
        miss_risk_if_ignored=impact.miss_risk(p50, p95, carried[0]),
        miss_risk_if_followed=impact.miss_risk(p50, p95, carried[1]),
    )


def _preview(seen: Seen, decision: Decision) -> PreviewPart:
    of = preview(seen.observation.spec, decision.desired, seen.settings.hpa_tolerance)
    return PreviewPart(tolerance=of.tolerance, would_set=of.would_set, swallowed=of.swallowed, text=of.text)


def _time(unix_s: float) -> str:
    """Return a time as people write it, to the second; the fraction of an observation is cut."""
    return f"{datetime.fromtimestamp(int(unix_s), UTC):%Y-%m-%dT%H:%M:%SZ}"
