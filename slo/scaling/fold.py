"""Knows how a target is followed: state and observation in, state and hint out; refuses to read, to store and to send.

`advance` is called once at each aligned instant, 15 s apart, with the state that the last one returned, or with
`State()` for a target that was never seen. It looks at no clock. A service that restarts reads the last state and goes
on: same state, same observation, same bytes, on every replica of it. Instants that were missed are not made up for.

Source: spec/scaling.md 1 (deterministic), 6.
"""

from dataclasses import replace
from typing import Final

from slo.scaling import lead
from slo.scaling.codes import Action
from slo.scaling.decision import Decision, Seen, decided
from slo.scaling.freshness import Standing, standing
from slo.scaling.hint import Hint, digest
from slo.scaling.schedule import Peak, peaks
from slo.scaling.settings import Known, Settings
from slo.scaling.sizing import Memory, alone_s, sized
from slo.scaling.state import TICK_S, Direction, State, foretold, looked, pointed, taught
from slo.scaling.wording import hint, issued
from telemetry.scaling import Observation

_DIRECTIONS: Final = {
    Action.SCALE_UP: Direction.UP,
    Action.ACTIVATE: Direction.UP,
    Action.SCALE_DOWN: Direction.DOWN,
    Action.TO_ZERO: Direction.DOWN,
}


def instant_s(unix_s: float) -> int:
    """Return the aligned instant at or before a time."""
    return int(unix_s // TICK_S) * TICK_S


def advance(state: State, settings: Settings, known: Known, observation: Observation) -> tuple[State, Hint]:
    """Follow a target by one instant.

    Args:
        state: What the last instant left.
        settings: What the target was told.
        known: What is known of it beside the observation.
        observation: What was seen; its time gives the instant.

    Returns:
        What to hand in next, and the hint of this instant.

    Raises:
        ValueError: The instant is not after the last one.
    """
    at_s = instant_s(observation.now_unix_s)
    if state.at_s is not None and at_s <= state.at_s:
        raise ValueError(f"instant {at_s} is not after {state.at_s}")
    if known.freeze is not None and known.freeze.until_s <= at_s:
        known = replace(known, freeze=None)
    observation = _without_old(observation, settings.ttl_s)
    state = looked(state, at_s, settings, observation, alone_s(observation, known.load_test))
    seen = _seen(state, at_s, settings, known, observation)
    decision = decided(seen)
    state = _decided(seen.state, at_s, decision, seen)
    return _said(state, at_s, seen, decision)


def _without_old(seen: Observation, ttl_s: float) -> Observation:
    """Return an observation without replicas whose values are too old, as of one that is gone: they count as unseen."""
    kept = tuple(one for one in seen.replicas if one.age_s is not None and one.age_s <= ttl_s)
    return seen if len(kept) == len(seen.replicas) else replace(seen, replicas=kept)


def _seen(state: State, at_s: int, settings: Settings, known: Known, observation: Observation) -> Seen:
    """Return what a decision is made of; what this instant teaches is part of it."""
    measured = state.lead(observation)
    lead_s = lead.UNMEASURED_S if measured is None else measured.p90_s
    near = peaks(settings.schedules, at_s, lead_s)
    known_as = standing(observation.oldest_s, observation.coverage, ttl_s=settings.ttl_s)
    if known_as is not Standing.STALE:
        first = sized(observation, settings, known, _memory(state, at_s, lead_s, near))
        state = taught(state, at_s, observation, known, first.rho)
    return Seen(
        at_s=at_s,
        observation=observation,
        settings=settings,
        known=known,
        state=state,
        sizing=sized(observation, settings, known, _memory(state, at_s, lead_s, near)),
        standing=known_as,
        lead_s=lead_s,
        peaks=near,
    )


def _memory(state: State, at_s: int, lead_s: float, near: tuple[Peak, ...]) -> Memory:
    return Memory(
        lead_s=lead_s,
        headroom=state.headroom,
        correction=state.correction,
        saturation=state.saturation,
        gpu_target=state.busy.target,
        peaks=near,
        at_s=at_s,
        peak_rps=max((rate for _, rate in state.rates), default=None),
    )


def _decided(state: State, at_s: int, decision: Decision, seen: Seen) -> State:
    quiet_since_s = at_s if state.quiet_since_s is None else state.quiet_since_s
    direction = _DIRECTIONS.get(decision.action, Direction.NONE)
    forecast = None if decision.action is Action.NO_DATA else seen.sizing.forecast
    capacity = seen.sizing.capacity
    carried_rps = 0.0 if capacity is None else decision.desired * capacity.goodput_per_s
    return replace(
        pointed(foretold(state, at_s, forecast, carried_rps), at_s, direction),
        cut=state.cut if decision.cut is None else (*state.cut, (at_s, decision.cut)),
        quiet_since_s=quiet_since_s if decision.quiet else None,
        desired=decision.desired,
    )


def _said(state: State, at_s: int, seen: Seen, decision: Decision) -> tuple[State, Hint]:
    """Return the hint, with the number of the instant at which what it says last changed."""
    now = hint(replace(seen, state=state), decision)
    said = digest(now)
    if said != state.digest:
        state = replace(state, digest=said, changed_at_s=at_s)
    return state, issued(now, state.changed_at_s, (state.changed_at_s - state.first_at_s) // TICK_S)
