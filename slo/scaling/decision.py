"""Knows what to ask for, and why, from what is seen and remembered; refuses to say it in a schema.

    no data        stale, less than half seen, or no signal known: as many as are asked for now
    frozen         a person's word: the same
    infeasible     replicas do not help: the same
    up             the largest want, within bounds, at most max(n, 4) more in a minute
    down           one, if nothing speaks against it for max(300 s, 2 leads), longer after reversals
    zero           none, where the class allows it and it is cheaper; one as soon as anything waits

With half to nine tenths seen, or little trust, only safety asks for more: what is felt, what arrives now and what a
person scheduled; no forecast and no utilisation do. Nothing that is missing ever asks for less.

Source: spec/scaling.md 3, 6.1 to 6.6.
"""

from dataclasses import dataclass, replace

from slo.scaling import confidence, down
from slo.scaling.codes import Action, Level, Mode, Reason, Veto
from slo.scaling.confidence import Baseline, Trust
from slo.scaling.down import Against
from slo.scaling.freshness import Standing
from slo.scaling.schedule import Peak
from slo.scaling.settings import Freeze, Known, Settings
from slo.scaling.sizing import Sizing
from slo.scaling.state import TURNS_MAX, State
from slo.scaling.verdicts import cheaper_empty
from slo.scaling.wants import Want
from telemetry.scaling import Observation

STEP_MIN = 4
"""Replicas that may be added in a minute, or as many as there are if that is more."""
WAKE_S = 300
"""Shortest time between waking a target and emptying it, a lead apart."""

_UNSAFE = frozenset({Reason.CAPACITY_FORECAST, Reason.GPU_BUSY})
_QUEUE = frozenset({Reason.QUEUE_DEPTH, Reason.QUEUE_SLO})


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Everything that a decision is made of.

    Attributes:
        at_s: The instant.
        observation: What was seen.
        settings: What the target was told.
        known: What is known beside.
        state: What is remembered, this instant looked at.
        sizing: What the observation says.
        standing: How fresh it is.
        lead_s: How long a replica takes.
        peaks: Scheduled peaks that are near.
    """

    at_s: int
    observation: Observation
    settings: Settings
    known: Known
    state: State
    sizing: Sizing
    standing: Standing
    lead_s: float
    peaks: tuple[Peak, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is asked for.

    Attributes:
        action: What kind of change.
        mode: How it is meant to be used.
        desired: Replicas.
        raw: The binding want before rounding; None if no want binds.
        binding: What decided.
        other: Reasons beside it that no want gives.
        bounded_by: What held the number back: min, max, step.
        vetoes: What speaks against a smaller number.
        trust: How far to trust it.
        cut: The want that a step cut short; None if none was.
        quiet: Whether no signal speaks against a smaller number, and all were seen.
    """

    action: Action
    mode: Mode
    desired: int
    raw: float | None = None
    binding: Reason | None = None
    other: tuple[Reason, ...] = ()
    bounded_by: tuple[str, ...] = ()
    vetoes: tuple[Against, ...] = ()
    trust: Trust
    cut: Want | None = None
    quiet: bool = False


def decided(of: Seen) -> Decision:
    """Return what to ask for."""
    trust = _trust(of)
    if of.known.freeze is not None:
        return _frozen(of, of.known.freeze, trust)
    still = _still(of)
    if still is not None:
        action, reason = still
        score = Trust(score=0.0, why=trust.why) if action is Action.NO_DATA else trust
        return Decision(action=action, mode=of.settings.mode, desired=of.observation.spec, binding=reason, trust=score)
    safe = of.standing is Standing.PARTIAL or trust.level is Level.LOW
    mode = Mode.DEGRADED if of.standing is Standing.PARTIAL else of.settings.mode
    more = _more(of, trust, mode, safe)
    return _fewer(of, trust, mode, safe) if more is None else more


def _frozen(of: Seen, freeze: Freeze, trust: Trust) -> Decision:
    return Decision(
        action=Action.FROZEN,
        mode=Mode.FROZEN,
        desired=of.observation.spec,
        binding=Reason.FROZEN_BY_USER,
        vetoes=(Against(code=Veto.FROZEN, text=f"{freeze.who}: {freeze.reason}"),),
        trust=trust,
    )


def _still(of: Seen) -> tuple[Action, Reason] | None:
    """Return why nothing is to change, whatever the load; None if it may."""
    age_s = of.observation.oldest_s
    if age_s is None or age_s > of.settings.ttl_s:
        return Action.NO_DATA, Reason.NO_DATA_STALE
    if of.standing is Standing.STALE or not of.sizing.wants:
        return Action.NO_DATA, Reason.NO_DATA_COVERAGE
    return None if of.sizing.infeasible is None else (Action.INFEASIBLE, of.sizing.infeasible)


def _more(of: Seen, trust: Trust, mode: Mode, safe: bool) -> Decision | None:  # noqa: FBT001 - a fact, not a switch
    """Return the decision for more replicas; None if no more are asked for."""
    spec, low, high = of.observation.spec, of.settings.replicas_min, of.settings.replicas_max
    binding = _binding(of, safe)
    failed = len(of.state.starts.overdue(of.at_s, of.known.measured_lead))
    asked = (binding.replicas + failed if binding is not None else 0) or _waking(of)
    bounded = [name for name, bound in (("min", asked < low), ("max", asked > max(high, spec))) if bound]
    desired = min(max(asked, low), max(high, spec))
    _, base = of.state.base
    step = base + max(base, STEP_MIN)
    if desired > max(step, spec):
        desired, bounded = max(step, spec), [*bounded, "step"]
    if desired <= spec:
        return None
    code = Reason.MIN_BOUND if "min" in bounded or binding is None else binding.code
    return Decision(
        action=Action.SCALE_UP if spec else Action.ACTIVATE,
        mode=mode,
        desired=desired,
        raw=None if binding is None else binding.raw,
        binding=code if spec else Reason.ACTIVATION,
        other=(*_beside(of), *((Reason.MAX_BOUND,) if "max" in bounded else ())),
        bounded_by=tuple(bounded),
        trust=trust,
        cut=binding if "step" in bounded and binding not in of.state.cut_wants else None,
    )


def _fewer(of: Seen, trust: Trust, mode: Mode, safe: bool) -> Decision:  # noqa: FBT001 - a fact, not a switch
    """Return the decision for fewer replicas, or for as many."""
    spec, settings = of.observation.spec, of.settings
    binding = _binding(of, safe)
    full = binding is not None and binding.replicas > max(spec, settings.replicas_max)
    held = Decision(
        action=Action.HOLD,
        mode=mode,
        desired=spec,
        raw=None if binding is None else binding.raw,
        binding=Reason.MAX_BOUND if full else None,
        other=_beside(of),
        bounded_by=("max",) if full else (),
        trust=trust,
    )
    if spec > settings.replicas_max and not safe and of.observation.coverage >= 1:
        return _to(held, Action.SCALE_DOWN, settings.replicas_max, Reason.MAX_BOUND)
    if spec == 1 and settings.zero_allowed and settings.replicas_min == 0:
        return _zero(of, held, safe)
    if spec - 1 < max(settings.replicas_min, 1):
        return held
    return _one_less(of, held, safe)


def _one_less(of: Seen, held: Decision, safe: bool) -> Decision:  # noqa: FBT001 - a fact, not a switch
    signals = _signals(of)
    load = down.load_vetoes(signals)
    quiet = not load and signals.coverage >= 1 and not signals.holes and not safe
    vetoes = (*load, *down.state_vetoes(signals, _budget(of)), *_other_vetoes(of, safe), *_time_vetoes(of))
    if not vetoes:
        return _to(held, Action.SCALE_DOWN, of.observation.spec - 1, Reason.CONSOLIDATION, quiet=quiet)
    unique = tuple({one.code: one for one in reversed(vetoes)}.values())[::-1]
    return _to(held, held.action, held.desired, held.binding, vetoes=unique, quiet=quiet)


def _zero(of: Seen, held: Decision, safe: bool) -> Decision:  # noqa: FBT001 - a fact, not a switch
    signals, known = _signals(of), of.known
    steady = (*down.state_vetoes(signals, _budget(of)), *_other_vetoes(of, safe))
    woke_s, idle_s = of.state.woke_at_s, of.state.idle_since_s
    rested = woke_s is None or of.at_s - woke_s >= of.lead_s + WAKE_S
    idle = idle_s is not None and of.at_s - idle_s >= down.hold_s(of.lead_s, of.state.lengthened)
    cheaper = cheaper_empty(of.settings.usd_per_replica_hour, known.gap_s, known.cold_penalty_usd)
    if not steady and rested and idle and cheaper:
        return _to(held, Action.TO_ZERO, 0, Reason.IDLE)
    late = () if rested else (Against(code=Veto.COOLDOWN, text="it was woken a short time ago"),)
    return _to(held, held.action, held.desired, held.binding, vetoes=(*steady, *late))


def _to(
    of: Decision,
    action: Action,
    desired: int,
    binding: Reason | None,
    *,
    vetoes: tuple[Against, ...] = (),
    quiet: bool = False,
) -> Decision:
    return Decision(
        action=action,
        mode=of.mode,
        desired=desired,
        raw=of.raw,
        binding=binding,
        other=of.other,
        bounded_by=of.bounded_by,
        vetoes=vetoes,
        trust=of.trust,
        quiet=quiet,
    )


def _binding(of: Seen, safe: bool) -> Want | None:  # noqa: FBT001 - a fact, not a switch
    """Return the largest want; of equal ones the first. Without trust a forecast counts only as what arrives now.

    What the last step cut short is still wanted: else a burst that is over sooner is never followed. A queue that is
    short asks for nothing: as many as take requests is no want, and would keep the largest from ever being fewer.
    """
    ready = of.observation.ready
    wants = [*of.sizing.wants, *of.state.cut_wants]
    found = [
        want
        for want in wants
        if not (safe and want.code in _UNSAFE) and not (want.code in _QUEUE and want.replicas <= ready)
    ]
    return max(found, key=lambda want: want.replicas, default=None)


def _waking(of: Seen) -> int:
    """Return 1 where there is no replica and somebody needs one."""
    seen = of.observation
    return int(seen.spec == 0 and bool(seen.held or seen.arrivals_rps))


def _beside(of: Seen) -> tuple[Reason, ...]:
    """Return what is to be said beside the wants."""
    looks = (
        (of.sizing.burst is not None, Reason.BURST_UNFOLLOWABLE),
        (of.known.budget_kept, Reason.FROZEN_BY_BUDGET),
        (of.observation.warming > 0, Reason.COLD_START_IN_PROGRESS),
        (of.observation.strangers > 0, Reason.ROLLOUT_IN_PROGRESS),
        (of.sizing.capacity is None and not of.settings.has_objectives, Reason.NO_OBJECTIVE),
    )
    return tuple(code for holds, code in looks if holds)


def _signals(of: Seen) -> down.Signals:
    seen = of.observation
    wanted = [want.replicas for want in of.sizing.wants if want.code not in _QUEUE]
    return down.Signals(
        replicas=seen.spec,
        warming=seen.warming,
        draining=seen.draining,
        rho=of.sizing.rho,
        kv_used_ratio=of.sizing.kv_used_ratio,
        gpu_ratio=seen.gpu_util_ratio,
        saturation=of.state.saturation,
        waiting=None if seen.waiting is None or seen.held is None else seen.waiting + seen.held,
        wanted=max(wanted, default=0),
        coverage=seen.coverage,
        holes=_holes(of),
        has_gpu=of.state.has_gpu or seen.gpu_util_ratio is not None,
        saturation_limit=of.settings.slo_band[1],
        has_objectives=of.settings.has_objectives,
        rho_limit=down.MEASURED_RHO if of.sizing.capacity is not None and of.sizing.capacity.measured else down.RHO,
        waiting_allowed=down.waiting_allowed(of.sizing.limits.derived, seen.spec),
    )


def told_by(seen: Observation) -> dict[str, tuple[float, ...]]:
    """Return of each signal that replicas tell how old it is, once for each that told it.

    Args:
        seen: The observation, without replicas whose values are too old.
    """
    values = [(one.age_s or 0.0, one) for one in seen.replicas]
    return {
        "waiting": tuple(age_s for age_s, one in values if one.waiting is not None),
        "running": tuple(age_s for age_s, one in values if one.running is not None),
        "kv_usage_max": tuple(age_s for age_s, one in values if one.kv_used_ratio is not None),
        "gpu_util": tuple(age_s for age_s, one in values if one.gpu_util_ratio is not None),
    }


def _holes(of: Seen) -> tuple[str, ...]:
    """Return which signals some replicas did not tell; what no fleet tells that has no such samples is no hole."""
    ready, told = of.observation.ready, told_by(of.observation)
    asked = [name for name in ("waiting", "kv_usage_max") if len(told[name]) < ready]
    if (told["gpu_util"] or of.state.has_gpu) and len(told["gpu_util"]) < ready:
        asked.append("gpu_util")
    return tuple(f"{name} of {ready - len(told[name])} of {ready}" for name in asked)


def _budget(of: Seen) -> down.Budget:
    seen = of.observation
    return down.Budget(
        objective=seen.objective_ratio is not None,
        burn_1h=seen.burn_1h,
        left_ratio=seen.budget_left_ratio,
        kept=of.known.budget_kept,
    )


def _other_vetoes(of: Seen, safe: bool) -> tuple[Against, ...]:  # noqa: FBT001 - a fact, not a switch
    near = [peak.schedule.name for peak in of.peaks if peak.forbids_removal(of.at_s)]
    age_s = of.observation.oldest_s
    looks = (
        (bool(near), Veto.SCHEDULE_AHEAD, f"the peak {', '.join(near)} is near"),
        (safe, Veto.LOW_CONFIDENCE, "too little is known to take one away"),
        (not confidence.freshness(age_s, of.settings.ttl_s), Veto.STALE, "the observation is not fresh"),
        (of.observation.strangers > 0, Veto.ROLLOUT, "replicas of two configurations serve"),
    )
    return tuple(Against(code=code, text=text) for speaks, code, text in looks if speaks)


def _time_vetoes(of: Seen) -> tuple[Against, ...]:
    state, found = of.state, list[Against]()
    hold_s = down.hold_s(of.lead_s, state.lengthened)
    quiet_s = 0 if state.quiet_since_s is None else of.at_s - state.quiet_since_s
    if quiet_s < hold_s:
        text = f"nothing else has spoken against it for {quiet_s} s of {hold_s:.0f} s"
        found.append(Against(code=Veto.COOLDOWN, text=text))
    ready_at_s = down_until_s(of)
    if ready_at_s is not None and ready_at_s > of.at_s:
        found.append(
            Against(code=Veto.COOLDOWN, text=f"the last one was taken {of.at_s - (state.fell_at_s or 0)} s ago")
        )
    if len(state.turns) >= TURNS_MAX:
        text = f"the direction changed {len(state.turns)} times within the hour, {TURNS_MAX} are allowed"
        found.append(Against(code=Veto.REVERSAL_LIMIT, text=text))
    return tuple(found)


def down_until_s(of: Seen) -> float | None:
    """Return until when no other one is taken away after the last; None if none was."""
    return None if of.state.fell_at_s is None else of.state.fell_at_s + down.EACH_S


def _trust(of: Seen) -> Trust:
    seen, test, capacity = of.observation, of.known.load_test, of.sizing.capacity
    base = None
    if test is not None and capacity is not None:
        base = Baseline(age_days=test.age_days, same_config=test.same_config, measured=capacity.measured)
    held = of.state.held
    forecasts, opinions = (sum(held), len(held)), (_model(of), _felt(of))
    found = confidence.trust(seen.oldest_s, seen.coverage, base, forecasts, opinions, of.settings.ttl_s)
    blind = seen.gpu_util_ratio is None and not of.state.has_gpu
    return replace(found, why=(*found.why, "no GPU signal")) if blind else found


def _model(of: Seen) -> int | None:
    """Return which way the load points that the capacity model gives for now; None without one."""
    rho, spec, capacity = of.sizing.rho, of.observation.spec, of.sizing.capacity
    if rho is None or capacity is None:
        return None
    if rho > capacity.rho_max:
        return 1
    return -1 if spec > 1 and rho * spec / (spec - 1) < down.RHO else 0


def _felt(of: Seen) -> int | None:
    """Return which way queue and objectives point; None if neither is known."""
    spec, tail = of.observation.spec, of.state.saturation
    found = [want for want in of.sizing.wants if want.code in _QUEUE or want.code is Reason.SLO_RATIO]
    if not found:
        return None
    if any(want.replicas > spec for want in found):
        return 1
    return -1 if tail is not None and tail < of.settings.slo_band[1] and not of.sizing.waiting else 0
