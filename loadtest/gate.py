"""Knows when a candidate may be released; refuses to know where its numbers come from, and to guess.

Each metric is compared with the baseline's runs (`loadtest.compare`) and judged by its margin m:

    fail          the interval excludes "no change" on the bad side, after Holm's correction, and the estimate is over m
    pass          the bad end of the interval is within m
    inconclusive  neither, or fewer values than its percentile's floor: how many would be needed is said

Where only the candidate's rank falls on a failure, the metric fails; where only the baseline's does, it passes.

Source: spec/loadtest.md 13; spec/measurement.md 11 (floors); S. Holm, A simple sequentially rejective multiple test
procedure, 1979.
"""

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from loadtest.compare import BLOCK_S, Blocks, Change, Comparison, blocked, count_change
from loadtest.quantiles import certification_floor
from loadtest.random_streams import stream
from loadtest.verdict import EXIT_CODES, Verdict, overall
from telemetry.percentile import P50, P95, P99

ALPHA = 0.05
"""Risk of a false alarm over all metrics together."""
LATENCY_MARGIN, THROUGHPUT_MARGIN, SHARE_MARGIN = 0.05, 0.03, 0.005
"""How much worse may pass: of latencies, of tokens a second, of shares in points."""


class Metric(StrEnum):
    """What is gated."""

    TTFT_P50 = "ttft_p50"
    TTFT_P95 = "ttft_p95"
    TTFT_P99 = "ttft_p99"
    TPOT_P50 = "tpot_p50"
    TPOT_P95 = "tpot_p95"
    MAX_GAP_P99 = "max_gap_p99"
    TOKENS_PER_S = "tokens_per_s"
    ATTAINMENT = "attainment"
    BAD_RATIO = "bad_ratio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request of the population.

    Attributes:
        at_s: Planned arrival after the start of the run.
        ttft_s: Time to the first token; None if none came.
        tpot_s: Time per output token; None if there is none, which is nobody's wait.
        max_gap_s: Longest gap between tokens; None if there is none.
        is_bad: Whether its outcome is bad; then it is +infinity in every quantile.
        meets: Whether it met every objective; None if it does not count.
    """

    at_s: float
    ttft_s: float | None
    tpot_s: float | None
    max_gap_s: float | None
    is_bad: bool
    meets: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run.

    Attributes:
        since_s: Start of the population's window.
        until_s: Its end.
        requests: The population.
        tokens: (second after the start of the run, output tokens in it) by event time.
    """

    since_s: float
    until_s: float
    requests: Sequence[Request]
    tokens: Sequence[tuple[float, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One metric.

    Attributes:
        metric: Which.
        verdict: Of it.
        change: What was compared.
        margin: How much worse may pass.
        n_needed: Values that each arm would need; None if it is decided, or no number would help.
        reason: In a few words.
    """

    metric: Metric
    verdict: Verdict
    change: Change
    margin: float
    n_needed: int | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Gated:
    """The whole gate.

    Attributes:
        metrics: In the order of `Metric`.
        verdict: Over all.
    """

    metrics: tuple[Judged, ...]
    verdict: Verdict

    @property
    def exit_code(self) -> int:
        """What the process exits with."""
        return EXIT_CODES[self.verdict]


def gate(
    baseline: Sequence[Run],
    candidate: Sequence[Run],
    seed: int,
    *,
    paired: bool = False,
    metrics: Collection[Metric] = tuple(Metric),
) -> Gated:
    """Judge a candidate.

    Args:
        baseline: Its runs, at least one.
        candidate: Its runs, at least one.
        seed: Of the resamples.
        paired: Whether both come from one plan over two targets.
        metrics: What is judged. Leave out what the workload cannot have: a metric without a value is inconclusive.
    """
    changes = {
        metric: change
        for metric, change in _changes(baseline, candidate, seed, paired=paired).items()
        if metric in metrics
    }
    proven = holm([change.p for change in changes.values()])
    judged = tuple(
        _judged(metric, change, is_proven=is_proven)
        for (metric, change), is_proven in zip(changes.items(), proven, strict=True)
    )
    return Gated(metrics=judged, verdict=overall(one.verdict for one in judged))


def judge(change: Change, margin: float, *, is_proven: bool) -> Verdict:
    """Judge one change.

    Args:
        change: How much worse.
        margin: How much worse may pass.
        is_proven: Whether it is worse at all, after correction for all metrics.
    """
    if change.estimate is None:
        return Verdict.INCONCLUSIVE
    if change.low is None or change.high is None:
        return Verdict.FAILED if change.estimate > 0 else Verdict.PASSED
    if is_proven and change.low > 0 and change.estimate > margin:
        return Verdict.FAILED
    return Verdict.PASSED if change.high <= margin else Verdict.INCONCLUSIVE


def holm(ps: Sequence[float], alpha: float = ALPHA) -> list[bool]:
    """Return which hypotheses are rejected, so that a false rejection of any has at most probability alpha."""
    found, goes_on = [False] * len(ps), True
    for place, at in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        goes_on = goes_on and ps[at] <= alpha / (len(ps) - place)
        found[at] = goes_on
    return found


def _changes(baseline: Sequence[Run], candidate: Sequence[Run], seed: int, *, paired: bool) -> dict[Metric, Change]:
    arms = baseline, candidate
    lengths = [[len(_tokens(run)) for run in runs] for runs in arms]
    comparison = Comparison(lengths[0], lengths[1], stream(seed, "gate"), paired=paired)
    found: dict[Metric, Change] = {}
    for value, asked in _QUANTILES:
        before, after = ([_values(run, value) for run in runs] for runs in arms)
        found |= zip(asked, comparison.quantiles(before, after, list(asked.values())), strict=True)
    before, after = ([_tokens(run) for run in runs] for runs in arms)
    found[Metric.TOKENS_PER_S] = comparison.mean(before, after)
    found[Metric.ATTAINMENT] = count_change(_missed(baseline), _missed(candidate))
    found[Metric.BAD_RATIO] = count_change(_bad(baseline), _bad(candidate))
    return found


def _values(run: Run, value: Callable[[Request], float | None]) -> Blocks:
    points = ((one.at_s, math.inf if one.is_bad else value(one)) for one in run.requests)
    return blocked(((at_s, found) for at_s, found in points if found is not None), run.since_s, run.until_s)


def _tokens(run: Run) -> Blocks:
    """Return the tokens a second of each block, one value in each; none in a last block that is not whole.

    One answer more or less would decide a short block, which counts as much as a whole one in the mean.
    """
    blocks = blocked(((at_s, float(tokens)) for at_s, tokens in run.tokens), run.since_s, run.until_s)
    whole = math.floor(round((run.until_s - run.since_s) / BLOCK_S, 6))  # 60 s may come as 59.999999999
    return [[sum(block) / BLOCK_S] if at < whole else [] for at, block in enumerate(blocks)]


def _missed(runs: Sequence[Run]) -> tuple[int, int]:
    counted = [one.meets for run in runs for one in run.requests if one.meets is not None]
    return counted.count(False), len(counted)


def _bad(runs: Sequence[Run]) -> tuple[int, int]:
    bad = [one.is_bad for run in runs for one in run.requests]
    return sum(bad), len(bad)


_QUANTILES: tuple[tuple[Callable[[Request], float | None], dict[Metric, int]], ...] = (
    (lambda one: one.ttft_s, {Metric.TTFT_P50: P50, Metric.TTFT_P95: P95, Metric.TTFT_P99: P99}),
    (lambda one: one.tpot_s, {Metric.TPOT_P50: P50, Metric.TPOT_P95: P95}),
    (lambda one: one.max_gap_s, {Metric.MAX_GAP_P99: P99}),
)
_FLOORS = {metric: p_ppm for _, asked in _QUANTILES for metric, p_ppm in asked.items()}
_MARGINS = dict.fromkeys(_FLOORS, LATENCY_MARGIN) | {
    Metric.TOKENS_PER_S: THROUGHPUT_MARGIN,
    Metric.ATTAINMENT: SHARE_MARGIN,
    Metric.BAD_RATIO: SHARE_MARGIN,
}


def _judged(metric: Metric, change: Change, *, is_proven: bool) -> Judged:
    margin = _MARGINS[metric]
    floor = certification_floor(_FLOORS[metric]) if metric in _FLOORS else 1
    found = Judged(metric=metric, verdict=Verdict.PASSED, change=change, margin=margin, n_needed=None, reason="")
    if change.n < floor:
        return replace(found, verdict=Verdict.INCONCLUSIVE, n_needed=floor, reason="n too small")
    verdict = judge(change, margin, is_proven=is_proven)
    if verdict is not Verdict.INCONCLUSIVE:
        return replace(found, verdict=verdict, reason=_REASONS[verdict])
    if change.estimate is None:
        return replace(found, verdict=verdict, reason="fails in both")
    return replace(found, verdict=verdict, n_needed=_n_needed(change, margin), reason="too uncertain")


_REASONS = {Verdict.FAILED: "worse by more than the margin", Verdict.PASSED: "not worse by more than the margin"}


def _n_needed(change: Change, margin: float) -> int | None:
    """Return at which n the interval would be narrow enough for a verdict, if the estimate stayed; None for an end."""
    estimate, half = change.estimate or 0.0, ((change.high or 0.0) - (change.low or 0.0)) / 2
    room = estimate if estimate > margin else margin - estimate
    return math.ceil(change.n * (half / room) ** 2) if room > 0 and math.isfinite(half) else None
