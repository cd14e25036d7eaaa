"""Knows what is remembered of a target from instant to instant, and how it changes; refuses to decide.

The state is a value: what was remembered and what is seen give what is remembered next, and nothing else does. So it is
stored at each instant and read back after a restart, and every replica of the service has the same one.

    starts         how long replicas took, and which are not ready yet
    correction     what production taught about the load test
    headroom       what past forecasts taught, once a minute
    forecasts      what was expected of instants to come
    held           which P95 forecasts held
    saturations    the slow tenth against its objectives, last 45 s
    rates          arrivals of the last quarter of an hour that no later one exceeds
    specs          replicas asked for, last minute
    cut            the largest want of each instant that a step cut short, until the next step
    foreign        when their number changed to one that no hint asked for, last hour
    turns          when the direction changed, last hour
    quiet_since_s  since when nothing speaks against taking one replica away
    idle_since_s   since when nothing arrives, waits or runs

Source: spec/scaling.md 1 (pure fold over instants), 3 (a second scaler), 6.3 (reversals), 6.5 (headroom).
"""

from dataclasses import dataclass, field, replace
from enum import IntEnum

from slo.scaling import capacity, gpu, headroom, lead
from slo.scaling.confidence import FORECASTS_MAX
from slo.scaling.forecast import Forecast
from slo.scaling.gpu import Busy
from slo.scaling.lead import Lead, Starts
from slo.scaling.settings import Known, Settings
from slo.scaling.thresholds import LoadDay, noted
from slo.scaling.wants import SLO_WINDOW_S, Want, saturation
from telemetry.scaling import Observation

TICK_S = 15
"""Between two instants."""
HOUR_S = 3_600
TURNS_MAX = 4
"""Changes of direction in an hour; at so many nothing is taken away."""
FORECASTS_PENDING_MAX = 240
"""Forecasts that are not due yet, at most: four hours of them."""
FOREIGN_MAX = 3
"""Changes in an hour that were not asked for; with more, something else scales the same target."""

LENGTHENED_MAX = 4
"""Times as long as without reversals, at most."""

_MINUTE_S = 60
_QUARTER_S = 900
GPU_EXPECTED_S = 7 * 86_400
"""How long after its last sample a GPU is missed; a fleet that lost its samples for longer is one without them."""
_CUT_S = _MINUTE_S + 2 * TICK_S  # until the next step is allowed, and one instant may be missed


class Direction(IntEnum):
    """Which way a hint points."""

    DOWN = -1
    NONE = 0
    UP = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A forecast.

    Attributes:
        at_s: Of which instant.
        expected_rps: What was expected.
        p95_rps: What was hardly to be exceeded; None if unknown.
        carried_rps: What the replicas carry that were asked for then; 0 if unknown.
    """

    at_s: float
    expected_rps: float
    p95_rps: float | None
    carried_rps: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What is remembered; see above.

    Attributes:
        first_at_s: The first instant.
        at_s: The last one; None before the first.
        changed_at_s: When the hint last changed.
        digest: Of that hint.
        desired: What it asked for.
        direction: Which way the last one pointed that pointed anywhere.
        fell_at_s: When fewer were asked for.
        woke_at_s: When the first one was asked for, after none.
        gpu_at_s: When utilisation was last told; None if it never was.
        gpu_loads: What the load was on each day while GPUs were at the threshold from which the seed adds.
        more_since_s: Since when more replicas answer than are asked for; None if they do not.
    """

    first_at_s: int = 0
    at_s: int | None = None
    changed_at_s: int = 0
    digest: str = ""
    desired: int | None = None
    direction: Direction = Direction.NONE
    fell_at_s: int | None = None
    woke_at_s: int | None = None
    gpu_at_s: int | None = None
    gpu_loads: tuple[LoadDay, ...] = ()
    more_since_s: int | None = None
    starts: Starts = field(default_factory=Starts)
    correction: float = 1.0
    headroom: float = headroom.START
    forecasts: tuple[Due, ...] = ()
    held: tuple[bool, ...] = ()
    saturations: tuple[tuple[int, float], ...] = ()
    rates: tuple[tuple[int, float], ...] = ()
    specs: tuple[tuple[int, int], ...] = ()
    cut: tuple[tuple[int, Want], ...] = ()
    foreign: tuple[int, ...] = ()
    turns: tuple[int, ...] = ()
    busy: Busy = field(default_factory=Busy)
    quiet_since_s: int | None = None
    idle_since_s: int | None = None

    @property
    def saturation(self) -> float | None:
        """Mean of the slow tenth against its objectives; None if it was not seen in 45 s."""
        values = [value for _, value in self.saturations]
        return sum(values) / len(values) if values else None

    @property
    def second_scaler(self) -> bool:
        """Whether something else scales the same target."""
        return len(self.foreign) > FOREIGN_MAX

    @property
    def lengthened(self) -> int:
        """By how much reversals lengthen the time of quiet."""
        return int(min(LENGTHENED_MAX, 2 ** len(self.turns)))

    @property
    def cut_wants(self) -> tuple[Want, ...]:
        """What steps cut short, until the next step is allowed."""
        return tuple(want for _, want in self.cut)

    def lead(self, seen: Observation) -> Lead | None:
        """Return how long a replica takes: as told, else as seen here; None if neither is known."""
        if seen.cold_start_p90_s is not None:
            p50_s = seen.cold_start_p90_s if seen.cold_start_p50_s is None else seen.cold_start_p50_s
            return Lead(p50_s=p50_s, p90_s=seen.cold_start_p90_s, n=lead.STARTS_MAX)
        return lead.lead(self.starts.took_s)

    @property
    def has_gpu(self) -> bool:
        """Whether utilisation was told lately, so that one that is not told now is missing."""
        return self.gpu_at_s is not None and self.at_s is not None and self.at_s - self.gpu_at_s <= GPU_EXPECTED_S

    @property
    def base(self) -> tuple[int, int]:
        """The first instant of the last minute that was looked at, and how many were asked for then."""
        return self.specs[0]


def looked(
    state: State, at_s: int, settings: Settings, seen: Observation, idle_s: tuple[float, float] = (0.0, 0.0)
) -> State:
    """Return what is remembered once an instant was looked at, before anything is decided.

    Args:
        state: Before.
        at_s: The instant.
        settings: What the target was told.
        seen: The observation.
        idle_s: Time to the first token, and per later one, of a request that is alone.
    """
    before = state.specs[-1][1] if state.specs else seen.spec
    foreign = [*state.foreign, *([] if seen.spec in (before, state.desired) else [at_s])]
    specs = [*state.specs, (at_s, seen.spec)]
    ratio = saturation((seen.ttft_p90_s, seen.tpot_p90_s), (settings.ttft_s, settings.itl_s), idle_s)
    if ratio is None and seen.arrivals_rps == 0:
        ratio = 0.0  # where nothing arrives nothing is late; an unknown tail of known arrivals stays unknown
    fresh = seen.oldest_s is not None and seen.oldest_s <= settings.ttl_s
    ratios = [*state.saturations, *([(at_s, ratio)] if ratio is not None and fresh else [])]
    return replace(
        state,
        first_at_s=at_s if state.at_s is None else state.first_at_s,
        at_s=at_s,
        starts=lead.seen(state.starts, at_s, seen.spec, seen.ready, seen.replicas),
        rates=_rates(state.rates, at_s, seen.arrivals_rps if fresh else None),
        specs=tuple(one for one in specs if one[0] >= at_s - _MINUTE_S),
        cut=tuple(one for one in state.cut if one[0] >= at_s - _CUT_S),
        foreign=tuple(changed_s for changed_s in foreign if changed_s > at_s - HOUR_S),
        saturations=tuple(one for one in ratios if one[0] > at_s - SLO_WINDOW_S),
        turns=tuple(turn_s for turn_s in state.turns if turn_s > at_s - HOUR_S),
        fell_at_s=at_s if seen.spec < before else state.fell_at_s,
        woke_at_s=at_s if seen.spec > before == 0 else state.woke_at_s,
        more_since_s=(at_s if state.more_since_s is None else state.more_since_s)
        if len(seen.replicas) > seen.spec
        else None,
        gpu_at_s=state.gpu_at_s if seen.gpu_util_ratio is None else at_s,
        idle_since_s=(at_s if state.idle_since_s is None else state.idle_since_s) if fresh and _idle(seen) else None,
    )


def taught(state: State, at_s: int, seen: Observation, known: Known, rho: float | None) -> State:
    """Return what is remembered once the figures of an instant are known: correction, headroom, busy GPUs."""
    actual, h, held = seen.arrivals_rps, state.headroom, list(state.held)
    for due in state.forecasts:
        if at_s - _MINUTE_S < due.at_s <= at_s and actual is not None:  # one that fell due unseen teaches nothing
            # More than was expected is no miss as long as the replicas that were there anyway could carry it.
            h = headroom.learnt(h, actual > max(h * due.expected_rps, due.carried_rps), seen.budget_left_ratio)
            held.extend([] if due.p95_rps is None else [actual <= due.p95_rps])
    witnessed = gpu.witnessed(rho, max(seen.kv_used_ratios, default=None))
    return replace(
        state,
        correction=capacity.learnt(state.correction, known.speed_ratio, rho),
        headroom=h,
        held=tuple(held[-FORECASTS_MAX:]),
        forecasts=tuple(due for due in state.forecasts if due.at_s > at_s),
        gpu_loads=noted(state.gpu_loads, at_s, seen.gpu_util_ratio, rho),
        busy=gpu.seen(state.busy, at_s, seen.gpu_util_ratio, witnessed, seen.spec),
    )


def foretold(state: State, at_s: int, of: Forecast | None, carried_rps: float = 0.0) -> State:
    """Return what is remembered with the forecast of this instant: once a minute, to be compared when it is due.

    Args:
        state: Before.
        at_s: The instant.
        of: The forecast; None without one.
        carried_rps: What the replicas carry that are asked for; 0 if unknown.
    """
    if of is None or at_s % _MINUTE_S >= TICK_S:
        return state
    due = Due(at_s=at_s + of.lead_s, expected_rps=of.expected_rps, p95_rps=of.p95_rps, carried_rps=carried_rps)
    return replace(state, forecasts=(*state.forecasts, due)[-FORECASTS_PENDING_MAX:])


def pointed(state: State, at_s: int, direction: Direction) -> State:
    """Return what is remembered once a hint points somewhere: a change of direction is a turn."""
    if direction is Direction.NONE or direction is state.direction:
        return state
    turned = state.direction is not Direction.NONE
    return replace(state, direction=direction, turns=(*state.turns, at_s) if turned else state.turns)


def _rates(before: tuple[tuple[int, float], ...], at_s: int, rate: float | None) -> tuple[tuple[int, float], ...]:
    kept = tuple(one for one in before if one[0] > at_s - _QUARTER_S)
    return kept if rate is None else (*(one for one in kept if one[1] > rate), (at_s, rate))


def _idle(seen: Observation) -> bool:
    """Return whether nothing arrives, waits or runs, and all of that is known."""
    return seen.arrivals_rps == 0 and seen.waiting == 0 and seen.running == 0 and not seen.held
