"""Knows what the runs at one rate come to for a search, and what a whole search hands over; refuses to run any.

Requests in flight are counted at every second of the measured part, each from its planned arrival to its end: where
they keep growing, the rate is more than the target can carry.

Source: spec/loadtest.md 6 (overload), 7 (steps, knee), 19 (curve, step model).
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run of a step.

    Attributes:
        rows: Every row.
        window_ns: Beginning and end of its measured part, after the start of the plan.
    """

    rows: Sequence[Row]
    window_ns: tuple[int, int]

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
        good_tokens_per_s: Output tokens of requests that met every objective.
        held_tokens: Mean tokens that a request in flight holds; None without an answer.
    """

    step: Step
    point: CurvePoint
    e2e_p50_s: float | None
    tpot_p50_s: float | None
    good_tokens_per_s: float
    held_tokens: float | None


def tried(rate_rps: float, runs: Sequence[Measured], limits: Mapping[str, Objectives]) -> Tried:
    """Return what the runs at a rate come to.

    Args:
        rate_rps: Planned arrivals a second.
        runs: At least one; more if the step went on.
        limits: Objectives of each workload class.
    """
    found = [goodput(run.rows, limits) for run in runs]
    good, judged = (sum(getattr(one.joint, name) for one in found) for name in ("good", "judged"))
    flights = [in_flight(run) for run in runs]
    step = Step(
        rate_rps=rate_rps,
        offered=judged,
        good=good,
        completed=sum(one.completed for one in found),
        overload=any(is_overload(flight) for flight in flights),
        lengths=len(runs),
    )
    records = [row.record for run in runs for row in population(run.rows)]
    tokens_per_s = sum(_tokens(run) for run in runs) / sum(run.span_s for run in runs)
    low, high = wilson(good, judged) if judged else (0.0, 1.0)
    share = good / judged if judged else 0.0
    point = CurvePoint(
        rate_rps=rate_rps,
        attainment=share,
        lo=low,
        hi=high,
        ttft_p95_s=_quantile(records, "ttft_us", P95),
        tpot_p95_s=_quantile(records, "tpot_us", P95),
        in_flight=fmean(sample for flight in flights for sample in flight) if any(flights) else None,
        kv_used_p95=None,
        gpu_util_ratio=None,
        tokens_out_per_s=tokens_per_s,
    )
    return Tried(
        step=step,
        point=point,
        e2e_p50_s=_quantile(records, "e2e_us", P50),
        tpot_p50_s=_quantile(records, "tpot_us", P50),
        good_tokens_per_s=share * tokens_per_s,
        held_tokens=_held(records),
    )


def in_flight(run: Measured) -> list[float]:
    """Return the requests in flight at each whole second of the measured part."""
    starts = sorted(row.t_sched_us for row in run.rows if row.record.attempt == 1)
    ends = sorted(row.t_sched_us + row.record.elapsed_us for row in run.rows if row.record.attempt == 1)
    first_s, until_s = (edge_ns / _NS for edge_ns in run.window_ns)
    seconds = [first_s + at for at in range(int(until_s - first_s) + 1)]
    return [float(bisect_right(starts, at_s * _US) - bisect_right(ends, at_s * _US)) for at_s in seconds]


def knee_rps(steps: Sequence[Tried]) -> float | None:
    """Return the rate with the most goodput for its time; None if nothing was completed."""
    return knee((one.step.rate_rps, one.good_tokens_per_s, one.e2e_p50_s or 0.0) for one in steps)


def step_model(steps: Sequence[Tried], target: float) -> StepModel | None:
    """Fit the time of a decode step to the accepted rates; None if they are too few."""
    points = [
        (one.point.in_flight, one.held_tokens, one.tpot_p50_s)
        for one in steps
        if step_verdict(one.step, target) is StepVerdict.ACCEPT
    ]
    return fitted_step([(b, ctx, s) for b, ctx, s in points if b is not None and ctx is not None and s is not None])


def _tokens(run: Measured) -> int:
    return sum(row.record.tokens_out or 0 for row in population(run.rows) if row.record.outcome is Outcome.OK)


def _held(records: Sequence[RequestRecord]) -> float | None:
    """Return prompt and half of the answer, on average."""
    known = [(one.tokens_in, one.tokens_out) for one in records]
    held = [tokens_in + tokens_out / 2 for tokens_in, tokens_out in known if tokens_in is not None and tokens_out]
    return fmean(held) if held else None


def _quantile(records: Sequence[RequestRecord], name: str, p_ppm: int) -> float | None:
    """Return a quantile over all requests, failures being infinite; None if it fails, or n is too small."""
    good = [getattr(one, name) for one in records if one.outcome is Outcome.OK]
    ordered = sorted(us for us in good if us is not None)
    value = percentile(ordered, p_ppm, failures=len(records) - len(good)).value
    return None if value is None else value / _US
