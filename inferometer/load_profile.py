"""Knows how a search becomes the profile that is handed over; refuses to search, and to say how many replicas to run.

The mix is told as it came, in the target's own tokens: words of a prompt may be more tokens than were asked for, and a
live workload is compared in tokens.

Source: spec/loadtest.md 19.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from inferometer.load_key import Engine
from inferometer.load_opening import Opening, max_num_seqs
from inferometer.load_options import Options, plan_spec
from inferometer.load_roofline import served
from loadtest.achievable import Achieved, Alone, Seen, achieved
from loadtest.baseline import mix_id
from loadtest.fitness import Fit
from loadtest.planner import build
from loadtest.roofline import Setup
from loadtest.scaling_profile import VALID_S, Limits, ProfileMix, ScalingProfile, Thresholds, queue_limits
from loadtest.search import Next
from loadtest.sweep import Tried, knee_rps, prefill_tokens_per_s, step_model
from telemetry.clock import wall_ms
from telemetry.outcome import DEFS_VERSION

_US = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search came to.

    Attributes:
        steps: Each rate that was tried.
        bracket: Highest accepted and lowest rejected rate.
        code: Exit code of the run that ended it early; 0 if none did.
        run_ids: Runs that it rests on.
    """

    steps: tuple[Tried, ...]
    bracket: Next
    code: int
    run_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What other verbs know of a target.

    Attributes:
        baseline_id: Newest promoted baseline of the key of the sweep's runs; empty if there is none.
        ready_to_stable_s: From the first request to the first quick one, of the newest `load cold`; None without one.
    """

    baseline_id: str = ""
    ready_to_stable_s: float | None = None


_NOTHING = Beside()


def made(found: Found, opening: Opening, options: Options, engine: Engine, known: Beside = _NOTHING) -> ScalingProfile:
    """Return the profile of a search that accepted a rate.

    Args:
        found: The search.
        opening: What closed loops showed before it, if there were any.
        options: What was typed.
        engine: What is known of the engine.
        known: What other verbs know of this target.
    """
    accepted = found.bracket.accepted_rps or 0.0
    best = next(one for one in found.steps if one.step.rate_rps == accepted)
    model = step_model(found.steps, options.goodput_ratio, opening.alone)
    prefill = prefill_tokens_per_s(*opening.alone) if opening.alone else None
    limit, now_ms = options.objectives, wall_ms()
    reached = _reached(best, opening, engine)
    return ScalingProfile(
        baseline_id=known.baseline_id,
        run_ids=(*opening.run_ids, *found.run_ids),
        defs_version=DEFS_VERSION,
        made_at=_iso(now_ms),
        valid_until=_iso(now_ms + VALID_S * 1000),
        gpus_per_replica=engine.gpus,
        slo=Limits(ttft_s=limit.ttft_s, tpot_s=limit.tpot_s, target=options.goodput_ratio),
        mix=_mix(options, best),
        goodput_rps=accepted,
        accepted_rps=accepted,
        rejected_rps=found.bracket.rejected_rps,
        knee_rps=knee_rps(found.steps),
        tokens_out_per_s=best.point.tokens_out_per_s,
        curve=tuple(sorted((one.point for one in found.steps), key=lambda point: point.rate_rps)),
        thresholds=_thresholds(limit.ttft_s, best, prefill),
        fit=Fit.FIT,
        repeats=best.repeats,
        cv=best.tokens_cv,
        prefill_tokens_per_s=prefill,
        step_alpha_us=None if model is None else model.alpha_s * _US,
        step_beta_us=None if model is None else model.beta_s * _US,
        step_gamma_us=None if model is None else model.gamma_s * _US,
        step_r2=None if model is None else model.r2,
        kv_capacity_tokens=None if engine.roofline is None else engine.roofline.kv_tokens,
        max_num_seqs=max_num_seqs(engine),
        wall=None if reached is None else reached.wall,
        roofline_ratio=None if reached is None or reached.percent is None else reached.percent / 100,
        ready_to_stable_s=known.ready_to_stable_s,
    )


def _reached(best: Tried, opening: Opening, engine: Engine) -> Achieved | None:
    """Return what the best rate reached of the roofline; None where too little is known of model and device."""
    known = served(engine)
    if not isinstance(known, Setup) or not best.tokens_in_mean or not best.tokens_out_mean:
        return None
    alone = [
        Alone(tokens_in=one.tokens_in, ttft_s=one.ttft_p50_s, held_tokens=one.held_tokens, tpot_s=one.tpot_p50_s)
        for one in opening.alone
        if one.tokens_in is not None
    ]
    seen = Seen(
        tokens_in=best.tokens_in_mean,
        tokens_out=best.tokens_out_mean,
        tokens_out_per_s=best.point.tokens_out_per_s,
        in_flight=best.point.in_flight,
        tpot_s=best.tpot_p50_s,
        users=None,
        is_fit=True,
    )
    return achieved(known, seen, alone)


def _iso(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1000, UTC).isoformat(timespec="seconds")


def _mix(options: Options, best: Tried) -> ProfileMix:
    any_plan = build(plan_spec(replace(options, rate=1.0, seconds=None, count=1, closed=None)))
    return ProfileMix(
        mix_id=mix_id(any_plan),
        in_mean=best.tokens_in_mean,
        out_mean=best.tokens_out_mean,
        prefix_hit_ratio=best.prefix_hit_ratio,
    )


def _thresholds(limit_ttft_s: float | None, best: Tried, prefill_tokens_per_s: float | None) -> Thresholds:
    """Return what a scaler may watch; the queue is known where the speed of reading prompts is."""
    wait_s = queue = None
    if limit_ttft_s is not None and prefill_tokens_per_s and best.tokens_in_mean:
        wait_s, queue = queue_limits(limit_ttft_s, best.tokens_in_mean, prefill_tokens_per_s, best.step.rate_rps)
    return Thresholds(
        tau_q_s=wait_s,
        queue_star=queue,
        kv_at_mu_star=best.point.kv_used_p95,
        gpu_util_at_mu_star=best.point.gpu_util_ratio,
    )
