"""Knows what the runs at one rate come to for a search, and what a whole search hands over; refuses to run any.

Requests in flight are counted at every second of the measured part, each from its planned arrival to its end: where
they keep growing, the rate is more than the target can carry. A closed loop has no such rate: its points stand apart.

Source: spec/loadtest.md 6 (overload), 7 (steps, knee, closed loop), 15 (fit of two prompt lengths), 19 (curve, step
model).
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from loadtest.dispersion import variation
from loadtest.gate_rows import population
from loadtest.goodput import goodput
from loadtest.plan_spec import Objectives
from loadtest.rows import Row
from loadtest.scaling_profile import CurvePoint, StepModel, fitted_step
from loadtest.search import Step, StepVerdict, knee, step_verdict
from loadtest.steadiness import is_overload
from loadtest.wilson import wilson
from telemetry.outcome import Outcome
from telemetry.percentile import P50, P95, percentile
from telemetry.record import RequestRecord

_NS, _US = 1e9, 1e6
_ROUNDING_S = 1e-9  # so far below 0 a fit of equal times may be


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run of a step.

    Attributes:
        rows: Every row; they are looked at again and again.
        window_ns: Beginning and end of its measured part, after the start of the plan.
        kv_used_p95: Of the share of the engine's KV cache that was in use; None if nobody could see it.
        gpu_util_ratio: Mean use of the busiest GPU; None likewise.
        prefix_hit_ratio: Share of the prompts' tokens that the engine's prefix cache held; None likewise.
    """

    rows: Iterable[Row]
    window_ns: tuple[int, int]
    kv_used_p95: float | None = None
    gpu_util_ratio: float | None = None
    prefix_hit_ratio: float | None = None

    @property
    def span_s(self) -> float:
        """Length of the measured part."""
        return (self.window_ns[1] - self.window_ns[0]) / _NS


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A rate that was tried.

    Attributes:
        step: What the search judges.
        point: What the profile tells of it.
        e2e_p50_s: Median from end to end; None if it is not known.
        tpot_p50_s: Median time per output token; None likewise.
        good_tokens_per_s: Output tokens of requests that met every objective; None if they are not known.
        held_tokens: Mean tokens that a request in flight holds; None without an answer.
        tokens_in_mean: Mean prompt, in the target's tokens; None where it says nothing.
        tokens_out_mean: Mean answer, likewise.
        span_unix_ms: First arrival and last end; None where nothing was sent.
        prefix_hit_ratio: Mean over its runs; None unless all tell it.
        repeats: Runs.
        tokens_cv: Coefficient of variation of their output tokens a second; None of a single run, or of unknown tokens.
    """

    step: Step
    point: CurvePoint
    e2e_p50_s: float | None
    tpot_p50_s: float | None
    good_tokens_per_s: float | None
    held_tokens: float | None
    tokens_in_mean: float | None
    tokens_out_mean: float | None
    span_unix_ms: tuple[int, int] | None
    prefix_hit_ratio: float | None = None
    repeats: int = 1
    tokens_cv: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedPoint:
    """So many users of a closed loop; never to be compared with a rate.

    Attributes:
        users: Requests at a time.
        rate_rps: Answers a second, which is what the target made of it.
        tokens_out_per_s: Output tokens of good answers a second; None if the target does not count them.
        tokens_in: Median prompt; None without an answer, as the others.
        ttft_p50_s: Median time to first token.
        tpot_p50_s: Median time per output token.
        held_tokens: Mean tokens that a request in flight holds.
    """

    users: int
    rate_rps: float
    tokens_out_per_s: float | None
    tokens_in: float | None
    ttft_p50_s: float | None
    tpot_p50_s: float | None
    held_tokens: float | None


def tried(rate_rps: float, runs: Sequence[Measured], limits: Mapping[str, Objectives], length_s: float) -> Tried:
    """Return what the runs at a rate come to.

    Args:
        rate_rps: Planned arrivals a second.
        runs: At least one; more if the step went on.
        limits: Objectives of each workload class.
        length_s: Planned length of a step; each run counts as one at least.
    """
    found = [goodput(run.rows, limits) for run in runs]
    good, offered = sum(one.joint.good for one in found), sum(one.offered for one in found)
    flights = [in_flight(run) for run in runs]
    step = Step(
        rate_rps=rate_rps,
        offered=offered,
        good=good,
        completed=sum(one.completed for one in found),
        overload=any(is_overload(flight) for flight in flights),
        lengths=max(len(runs), round(sum(run.span_s for run in runs) / length_s)),
    )
    records = [row.record for run in runs for row in population(run.rows)]
    tokens_per_s = _tokens_per_s(runs)
    low, high = wilson(good, offered) if offered else (0.0, 1.0)
    share = good / offered if offered else 0.0
    point = CurvePoint(
        rate_rps=rate_rps,
        attainment=share,
        lo=low,
        hi=high,
        ttft_p95_s=_quantile(records, "ttft_us", P95),
        tpot_p95_s=_quantile(records, "tpot_us", P95),
        in_flight=fmean(sample for flight in flights for sample in flight) if any(flights) else None,
        kv_used_p95=_largest(run.kv_used_p95 for run in runs),
        gpu_util_ratio=_largest(run.gpu_util_ratio for run in runs),
        tokens_out_per_s=tokens_per_s,
    )
    return Tried(
        step=step,
        point=point,
        e2e_p50_s=_quantile(records, "e2e_us", P50),
        tpot_p50_s=_quantile(records, "tpot_us", P50),
        good_tokens_per_s=None if tokens_per_s is None else share * tokens_per_s,
        held_tokens=_held(records),
        tokens_in_mean=_mean([one.tokens_in for one in records]),
        tokens_out_mean=_mean([one.tokens_out for one in records]),
        span_unix_ms=_span([row.record for run in runs for row in run.rows]),
        prefix_hit_ratio=_mean_of_all([run.prefix_hit_ratio for run in runs]),
        repeats=len(runs),
        tokens_cv=_cv([_tokens_per_s([run]) for run in runs]),
    )


def in_flight(run: Measured) -> list[float]:
    """Return the requests in flight at each whole second of the measured part."""
    firsts = [array("q"), array("q")]  # 16 bytes a request, and not two objects
    for row in run.rows:
        if row.record.attempt == 1:
            firsts[0].append(row.t_sched_us)
            firsts[1].append(row.t_sched_us + row.record.elapsed_us)
    starts, ends = (array("q", sorted(times_us)) for times_us in firsts)
    first_s, until_s = (edge_ns / _NS for edge_ns in run.window_ns)
    seconds = [first_s + at for at in range(int(until_s - first_s) + 1)]
    return [float(bisect_right(starts, at_s * _US) - bisect_right(ends, at_s * _US)) for at_s in seconds]


def knee_rps(steps: Sequence[Tried]) -> float | None:
    """Return the rate with the most goodput for its time; None if nothing was completed, or tokens are not known."""
    return knee((one.step.rate_rps, one.good_tokens_per_s or 0.0, one.e2e_p50_s or 0.0) for one in steps)


def closed_point(users: int, run: Measured) -> ClosedPoint | None:
    """Return what a closed loop of so many users came to; None if it ended before anything counted."""
    if run.span_s <= 0:
        return None
    records = [row.record for row in population(run.rows)]
    prompts = [one.tokens_in for one in records if one.tokens_in is not None]
    return ClosedPoint(
        users=users,
        rate_rps=sum(one.outcome is Outcome.OK for one in records) / run.span_s,
        tokens_out_per_s=_tokens_per_s([run]),
        tokens_in=median(prompts) if prompts else None,
        ttft_p50_s=_quantile(records, "ttft_us", P50),
        tpot_p50_s=_quantile(records, "tpot_us", P50),
        held_tokens=_held(records),
    )


def prefill_tokens_per_s(short: ClosedPoint, long: ClosedPoint) -> float | None:
    """Return how fast a prompt is read, from two lengths of prompts of one user; None if longer took no longer."""
    if None in (short.tokens_in, short.ttft_p50_s, long.tokens_in, long.ttft_p50_s):
        return None
    more, more_s = (long.tokens_in or 0) - (short.tokens_in or 0), (long.ttft_p50_s or 0) - (short.ttft_p50_s or 0)
    return more / more_s if more > 0 and more_s > 0 else None


def step_model(steps: Sequence[Tried], target: float, alone: Sequence[ClosedPoint] = ()) -> StepModel | None:
    """Fit the time of a decode step to the accepted rates; None if they are too few, or it would be negative.

    Args:
        steps: Each rate that was tried.
        target: Share of requests that must meet every objective.
        alone: What one user at a time saw.
    """
    points = [
        (one.point.in_flight, one.held_tokens, one.tpot_p50_s)
        for one in steps
        if step_verdict(one.step, target) is StepVerdict.ACCEPT
    ]
    points += [(1.0, one.held_tokens, one.tpot_p50_s) for one in alone]
    known = [(b, ctx, s) for b, ctx, s in points if b is not None and ctx is not None and s is not None]
    model = fitted_step(known)
    if model is None or min(model.alpha_s, model.beta_s) < -_ROUNDING_S:
        return None
    return model


def _tokens_per_s(runs: Sequence[Measured]) -> float | None:
    """Return the output tokens of good answers a second; None unless those of each are known."""
    span_s = sum(run.span_s for run in runs)
    good = [row.record.tokens_out for run in runs for row in population(run.rows) if row.record.outcome is Outcome.OK]
    known = [tokens for tokens in good if tokens is not None]
    return sum(known) / span_s if len(known) == len(good) and span_s > 0 else None


def _held(records: Sequence[RequestRecord]) -> float | None:
    """Return prompt and half of the answer, on average."""
    known = [(one.tokens_in, one.tokens_out) for one in records]
    held = [tokens_in + tokens_out / 2 for tokens_in, tokens_out in known if tokens_in is not None and tokens_out]
    return fmean(held) if held else None


def _mean(values: Sequence[int | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _mean_of_all(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known and len(known) == len(values) else None


def _cv(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return variation(known) if len(known) == len(values) else None


def _span(records: Sequence[RequestRecord]) -> tuple[int, int] | None:
    if not records:
        return None
    began_ms = min(one.ended_at - one.elapsed_us // 1000 for one in records)
    return began_ms, max(one.ended_at for one in records)


def _largest(values: Iterable[float | None]) -> float | None:
    return max((value for value in values if value is not None), default=None)


def _quantile(records: Sequence[RequestRecord], name: str, p_ppm: int) -> float | None:
    """Return a quantile over all requests, failures being infinite; None if it fails, or n is too small."""
    good = [getattr(one, name) for one in records if one.outcome is Outcome.OK]
    ordered = sorted(us for us in good if us is not None)
    value = percentile(ordered, p_ppm, failures=len(records) - len(good)).value
    return None if value is None else value / _US
