"""Knows how `load gate --plan` tells what a gate needs: requests and minutes of each arm; refuses to run or judge any.

Source: spec/loadtest.md 13 (planning table; `load gate --plan` prints the duration at the chosen rate).
"""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from inferometer import listing
from inferometer.errors import ConfigurationError
from inferometer.load_gate import judgeable
from inferometer.load_kept import Kept
from inferometer.load_objectives import are_asked
from loadtest.gate import LATENCY_MARGIN, MARGINS, Metric
from loadtest.gate_plan import BAD_RATIO, Need, Question, assumed, measured

COLUMNS = ("metric", "margin", "change", "floor", "to_pass", "to_catch", "requests_per_arm", "seconds_per_arm")
RUNS_LEAST = 2
"""Runs of a baseline whose spread can be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was typed; described at the options of `load gate`.

    Attributes:
        rate: Arrivals a second of a run; None is that of the baseline.
        metrics: Names of metrics; none is all that the workload has.
        change: Worsening of latencies that is to be caught.
        power: Probability.
        sigma: Of latencies, where there is no baseline.
    """

    rate: float | None
    metrics: tuple[str, ...]
    change: float
    power: float
    sigma: float


def show(asked: Asked, baseline: Sequence[Kept], seed: int, output: str) -> int:
    """Print what a gate needs and return the exit code.

    Args:
        asked: What was typed.
        baseline: Its runs; none if there is no baseline.
        seed: Of the resamples.
        output: Format on stdout.

    Raises:
        ConfigurationError: It cannot be told.
    """
    if asked.change <= LATENCY_MARGIN:
        raise ConfigurationError(f"--change: found {asked.change:g}; allowed: above the margin of {LATENCY_MARGIN:g}")
    if 0 < len(baseline) < RUNS_LEAST:
        raise ConfigurationError(f"--against: found {len(baseline)} run; allowed: {RUNS_LEAST} or more, or a baseline")
    all_of_it, rate, source = _needs(asked, baseline, seed)
    found = _named(asked, all_of_it)
    rows = [row(one, rate) for one in found]
    listing.show(rows, COLUMNS, f"needed with a power of {asked.power:g}, at {rate:g} requests/s, {source}", output)
    known = [one.requests for one in found if one.requests is not None]
    if known:
        minutes = max(known) / rate / 60
        sys.stderr.write(f"all of them: {max(known)} requests of each arm, {minutes:.0f} min in three runs or more\n")
    return 0


def row(need: Need, rate: float) -> dict[str, object]:
    """Return what is printed of one metric; None is not known without a baseline."""
    n = need.requests
    return {
        "metric": need.metric.value,
        "margin": MARGINS[need.metric],
        "change": round(need.change, 6),
        "floor": need.floor,
        "to_pass": need.to_pass,
        "to_catch": need.to_catch,
        "requests_per_arm": n,
        "seconds_per_arm": None if n is None else math.ceil(n / rate),
    }


def _needs(asked: Asked, baseline: Sequence[Kept], seed: int) -> tuple[list[Need], float, str]:
    """Return the needs, the rate, and where the spread is from."""
    if not baseline:
        if asked.rate is None:
            raise ConfigurationError("--plan: allowed: --rate, or a baseline (--against) whose rate it takes")
        question = Question(metrics=list(Metric), change=asked.change, power=asked.power)
        source = f"sigma {asked.sigma:g} and {BAD_RATIO:.0%} bad assumed"
        return assumed(question, asked.sigma), asked.rate, source
    runs = [run.gated() for run in baseline]
    seconds = sum(run.until_s - run.since_s for run in runs)
    rate = asked.rate or sum(len(run.requests) for run in runs) / seconds
    has_objectives = any(are_asked(run.spec.plan) for run in baseline)
    metrics = judgeable(runs, has_objectives=has_objectives)
    question = Question(metrics=metrics, change=asked.change, power=asked.power)
    return measured(question, runs, seed), rate, "by the spread of the baseline"


def _named(asked: Asked, needs: Sequence[Need]) -> list[Need]:
    """Return the metrics that were named; a gate corrects for all of them nevertheless."""
    allowed = [one.metric.value for one in needs]
    for name in asked.metrics:
        if name not in allowed:
            raise ConfigurationError(f"--metric: found {name!r}; allowed: {', '.join(allowed)}")
    return [one for one in needs if not asked.metrics or one.metric.value in asked.metrics]
