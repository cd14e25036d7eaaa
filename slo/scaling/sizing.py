"""Knows what one observation says of a target: capacity, load, wants, verdicts; refuses to decide, and to remember.

Each figure is None where what it needs is unknown; a want without its figures is not there. Requests that wait before
any replica count as waiting. Where an engine does not tell how many prompt tokens wait, each waiting request counts as
one of the mean.

Source: spec/scaling.md 5, 6.1, 6.6.
"""

import math
from dataclasses import dataclass, replace

from slo.scaling import verdicts, wants
from slo.scaling.capacity import CORRECTION_BOUNDS, Capacity, Mix, by_curve, by_formula, idle_s
from slo.scaling.codes import Reason
from slo.scaling.forecast import Forecast, forecast
from slo.scaling.gpu import UP_RATIO
from slo.scaling.schedule import Peak
from slo.scaling.settings import Known, LoadTest, Settings
from slo.scaling.thresholds import QueueLimits, queue_limits, queue_slack_s, requests_that_fit
from slo.scaling.verdicts import Burst, Prompts
from slo.scaling.wants import Want
from telemetry.scaling import Observation


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What sizing takes from earlier instants.

    Attributes:
        lead_s: How long a replica takes.
        headroom: h.
        correction: c.
        saturation: The slow tenth against its objectives, mean of the last 45 s; None if unknown.
        gpu_target: What busy GPUs ask for; None if nothing.
        peaks: Scheduled peaks that are near.
        at_s: The instant.
        peak_rps: Highest rate of the last quarter of an hour; None if none was seen.
    """

    lead_s: float
    headroom: float
    correction: float
    saturation: float | None
    gpu_target: int | None
    peaks: tuple[Peak, ...]
    at_s: int
    peak_rps: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """What an observation says.

    Attributes:
        capacity: What one replica carries; None if unknown.
        prompts: How many are too long; None if unknown.
        rate_rps: Arrivals, without those that are too long; None if unknown.
        rho: Load of the ready replicas, those of another configuration left aside; None if unknown.
        waiting: Requests that wait; None if unknown.
        kv_used_ratio: Of the fullest cache; None if unknown.
        kv_fits: More requests that the fullest cache takes; None if unknown.
        limits: Thresholds of the queue.
        forecast: What to expect; None if nothing is known.
        wants: What each signal asks for.
        infeasible: Why replicas do not help; None if they do.
        burst: Bursts that cannot be followed; None if there are none.
    """

    capacity: Capacity | None
    prompts: Prompts | None
    rate_rps: float | None
    rho: float | None
    waiting: int | None
    kv_used_ratio: float | None
    kv_fits: int | None
    limits: QueueLimits
    forecast: Forecast | None
    wants: tuple[Want, ...]
    infeasible: Reason | None
    burst: Burst | None


def sized(seen: Observation, settings: Settings, known: Known, memory: Memory) -> Sizing:
    """Return what an observation says of a target."""
    prompts = _prompts(seen, settings, known.load_test)
    infeasible = _infeasible(seen, settings, known.load_test, prompts)
    rate = seen.arrivals_rps
    if rate is not None and prompts is not None and infeasible is None:
        rate *= 1 - prompts.too_long_ratio
    mix = _mix(seen, prompts)
    capacity = capacity_of(known.load_test, mix, settings.itl_s, memory.correction)
    waiting = _waiting(seen)
    limits = queue_limits(
        None if capacity is None else capacity.goodput_per_s,
        _slack_s(settings, known.load_test, mix),
        settings.queue_depth_hi,
    )
    expected = _expected(rate, known, memory)
    found = [
        *_capacity_wants(seen, capacity, expected, memory),
        *_queue_wants(seen, settings, known.load_test, mix, limits),
        *_other_wants(seen, settings, capacity, memory),
    ]
    return Sizing(
        capacity=capacity,
        prompts=prompts,
        rate_rps=rate,
        rho=None if rate is None or capacity is None else capacity.rho(rate, seen.ready - seen.strangers),
        waiting=waiting,
        kv_used_ratio=max(seen.kv_used_ratios, default=None),
        kv_fits=_kv_fits(seen, known.load_test, mix),
        limits=limits,
        forecast=expected,
        wants=tuple(found),
        infeasible=infeasible,
        burst=_burst(settings, known, capacity, memory),
    )


def capacity_of(test: LoadTest | None, mix: Mix | None, itl_s: float | None, correction: float) -> Capacity | None:
    """Return what one replica carries: measured if requests look like those of the test, else calculated.

    A measured rate stands in, unlike as requests may be, where nothing can be calculated.
    """
    if test is None:
        return None
    formula = None
    if test.engine is not None and mix is not None and itl_s is not None and mix.tokens_in + mix.tokens_out > 0:
        formula = by_formula(test.engine, mix, itl_s, correction)
    alike = mix is not None and test.mix is not None and mix.like(test.mix)
    if test.goodput_rps and (alike or formula is None):
        return by_curve(test.goodput_rps, formula, correction)
    return formula


def alone_s(seen: Observation, test: LoadTest | None) -> tuple[float, float]:
    """Return the time to the first token, and per later one, of a request that is alone; 0 where it is unknown."""
    mix = _mix(seen, None)
    if test is None or test.engine is None or mix is None:
        return 0.0, 0.0
    return idle_s(test.engine, mix)


def _prompts(seen: Observation, settings: Settings, test: LoadTest | None) -> Prompts | None:
    if test is None or test.engine is None or settings.ttft_s is None:
        return None
    limit = settings.ttft_s * test.engine.prefill_tokens_per_s
    return verdicts.prompts(seen.prompts, seen.tokens_in_mean, seen.prefix_hit_ratio or 0.0, limit)


def _infeasible(seen: Observation, settings: Settings, test: LoadTest | None, prompts: Prompts | None) -> Reason | None:
    if prompts is not None and verdicts.prefill_infeasible(prompts, seen.objective_ratio):
        return Reason.INFEASIBLE_PREFILL
    if test is None or test.engine is None or settings.itl_s is None:
        return None
    too_slow = verdicts.decode_infeasible(settings.itl_s, test.engine.step_alpha_s)
    return Reason.INFEASIBLE_DECODE if too_slow else None


def _mix(seen: Observation, prompts: Prompts | None) -> Mix | None:
    """Return what requests look like; those that are too long, few as they are, are left out."""
    hit = seen.prefix_hit_ratio or 0.0
    if seen.tokens_in_mean is None or seen.tokens_out_mean is None:
        return None
    read = None if prompts is None else prompts.tokens_read_mean
    tokens_in = seen.tokens_in_mean if read is None or hit >= 1 else read / (1 - hit)
    return Mix(tokens_in=tokens_in, tokens_out=seen.tokens_out_mean, prefix_hit_ratio=hit)


def _waiting(seen: Observation) -> int | None:
    known = [one for one in (seen.waiting, seen.held) if one is not None]
    return sum(known) if known else None


def _kv_fits(seen: Observation, test: LoadTest | None, mix: Mix | None) -> int | None:
    used = max(seen.kv_used_ratios, default=None)
    if used is None or mix is None or not mix.ctx_tokens or test is None or test.engine is None:
        return None
    return None if test.engine.kv_tokens is None else requests_that_fit(used, test.engine.kv_tokens, mix.ctx_tokens)


def _slack_s(settings: Settings, test: LoadTest | None, mix: Mix | None) -> float | None:
    if settings.ttft_s is None or test is None or test.engine is None or mix is None:
        return None
    return queue_slack_s(settings.ttft_s, mix.tokens_read, test.engine.prefill_tokens_per_s)


def _expected(rate: float | None, known: Known, memory: Memory) -> Forecast | None:
    """Return what to expect; where arrivals are unknown a schedule that asks for a rate still says something."""
    asked = [peak for peak in memory.peaks if peak.schedule.expected_rps is not None and peak.asks(memory.at_s)]
    if rate is None and not asked:
        return None
    growth = None if known.shape is None else known.shape.growth(memory.at_s, memory.lead_s)
    return forecast(rate or 0.0, memory.at_s, memory.lead_s, growth, memory.peaks, known.forecast_error_p95)


def _capacity_wants(
    seen: Observation, capacity: Capacity | None, expected: Forecast | None, memory: Memory
) -> list[Want]:
    found: list[Want] = []
    if capacity is not None and expected is not None:
        found.append(wants.capacity(expected, memory.headroom, capacity.goodput_per_s, seen.spec))
        if expected.source is not Reason.CAPACITY_NOW and expected.now_rps:
            now = replace(expected, expected_rps=expected.now_rps, source=Reason.CAPACITY_NOW, peak=None)
            found.append(wants.capacity(now, memory.headroom, capacity.goodput_per_s, seen.spec))
    asking = [peak.schedule for peak in memory.peaks if peak.asks(memory.at_s)]
    return [*found, *(wants.scheduled(one.name, one.replicas_min) for one in asking if one.replicas_min is not None)]


def _queue_wants(
    seen: Observation, settings: Settings, test: LoadTest | None, mix: Mix | None, limits: QueueLimits
) -> list[Want]:
    waiting = _waiting(seen)
    if waiting is None:
        return []
    found = [wants.queue(waiting, seen.ready, limits, settings.queue_mode)]
    if test is None or test.engine is None or mix is None or limits.derived_wait_s is None:
        return found
    if seen.arrivals_rps is None:
        return found
    tokens = seen.waiting_prompt_tokens
    waiting_tokens = waiting * mix.tokens_read if tokens is None else tokens + (seen.held or 0) * mix.tokens_read
    speed = test.engine.prefill_tokens_per_s
    return [*found, wants.backlog(seen.arrivals_rps, mix.tokens_read, waiting_tokens, speed, limits.derived_wait_s)]


def _other_wants(seen: Observation, settings: Settings, capacity: Capacity | None, memory: Memory) -> list[Want]:
    found: list[Want] = []
    if seen.kv_used_ratios:
        found.append(wants.kv(seen.kv_used_ratios))
    if memory.saturation is not None and seen.spec:
        bound = _slo_bound(seen, capacity, memory)
        found.append(wants.slo(memory.saturation, seen.spec, seen.ready, settings.slo_band, bound=bound))
    if memory.gpu_target is not None and seen.gpu_util_ratio is not None:
        found.append(wants.gpu(seen.gpu_util_ratio, memory.gpu_target, UP_RATIO))
    return found


def _slo_bound(seen: Observation, capacity: Capacity | None, memory: Memory) -> int | None:
    """Return how many the objectives may ask for; None where what replicas carry is unknown.

    As many as the highest rate of the last quarter of an hour needs, if the load test is as wrong as a correction may
    be. One more than there are where all were there long enough, and tails are late still.
    """
    if capacity is None or memory.peak_rps is None:
        return None
    worst = math.ceil(memory.peak_rps / (CORRECTION_BOUNDS[0] * capacity.rate_per_s))
    return max(worst, seen.spec + 1) if _settled(seen) else worst


def _settled(seen: Observation) -> bool:
    """Return whether tails are those with all replicas, through their window and that of the mean."""
    felt_s = seen.window_s + wants.SLO_WINDOW_S
    return not seen.warming and all(one.ready_for_s >= felt_s for one in seen.replicas)


def _burst(settings: Settings, known: Known, capacity: Capacity | None, memory: Memory) -> Burst | None:
    if known.bursts is None or capacity is None:
        return None
    return verdicts.burst(known.bursts, memory.lead_s, capacity.goodput_per_s, settings.usd_per_replica_hour)
