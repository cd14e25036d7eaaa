"""Knows when a candidate may be released; refuses to know where its numbers come from, and to guess.

Each metric is compared with the baseline's runs (`loadtest.compare`) and judged by its margin m:

    fail          the interval excludes "no change" on the bad side, after Holm's correction, and the estimate is over m
    pass          the bad end of the interval is within m
    inconclusive  neither, or fewer values than its percentile's floor: how many would be needed is said

Where only the candidate's rank falls on a failure there is no ratio, and the metric fails if that is proven: by the
resamples, or since the candidate is proven to have more bad requests. Where only the baseline's does, it passes if that
is proven; else both are inconclusive.

Section 13 has such a metric fail or pass at once, which breaks its promise of at most 5 % false fails: where as many
requests are bad as lie above the rank, chance decides in each arm on which side the rank falls. Of the 60 identical
pairs of 1,000 requests with 1 % bad in `tests/system/test_gate.py`, 12 failed so.

Source: spec/loadtest.md 13; spec/measurement.md 11 (floors); S. Holm, A simple sequentially rejective multiple test
procedure, 1979.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from loadtest.compare import BLOCK_S, UNKNOWN, Blocks, Change, Comparison, blocked, count_change
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
        tokens: (second after the start of the run, output tokens in it) by event time; None if those of an answer are
            unknown.
    """

    since_s: float
    until_s: float
    requests: Sequence[Request]
    tokens: Sequence[tuple[float, int]] | None


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
    resamples: int | None = None,
) -> Gated:
    """Judge a candidate.

    Args:
        baseline: Its runs, at least one.
        candidate: Its runs, at least one.
        seed: Of the resamples.
        paired: Whether both come from one plan over two targets.
        metrics: What is judged. Leave out what the workload cannot have: a metric without a value is inconclusive.
        resamples: Draws of the bootstrap, at least twice the number of metrics over `ALPHA`; None is the usual number.
    """
    lengths = [[len(_tokens(run)) for run in runs] for runs in (baseline, candidate)]
    comparison = Comparison(lengths[0], lengths[1], stream(seed, "gate"), paired=paired, resamples=resamples)
    changes = _changes((baseline, candidate), comparison, metrics)
    worse = _proven(changes, lambda change: change.p)
    better = _proven(changes, lambda change: change.p_better)
    judged = tuple(
        _judged(metric, change, is_proven=metric in worse, is_better=metric in better)
        for metric, change in changes.items()
    )
    return Gated(metrics=judged, verdict=overall(one.verdict for one in judged))


def judge(change: Change, margin: float, *, is_proven: bool, is_better: bool = False) -> Verdict:
    """Judge one change.

    Args:
        change: How much worse.
        margin: How much worse may pass.
        is_proven: Whether it is worse at all, after correction for all metrics.
        is_better: Whether it is better at all, likewise.
    """
    if change.estimate is None:
        return Verdict.INCONCLUSIVE
    if change.low is None or change.high is None:  # only one arm fails
        if change.estimate > 0:
            return Verdict.FAILED if is_proven else Verdict.INCONCLUSIVE
        return Verdict.PASSED if is_better else Verdict.INCONCLUSIVE
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


def _proven(changes: Mapping[Metric, Change], p: Callable[[Change], float]) -> set[Metric]:
    """Return of which metrics a change is proven; with that of the bad ones, that a rank fails in one arm only."""
    found = {metric for metric, is_proven in zip(changes, holm([*map(p, changes.values())]), strict=True) if is_proven}
    if Metric.BAD_RATIO in found:
        found |= {metric for metric in QUANTILE_OF if metric in changes and changes[metric].low is None}
    return found


def _changes(
    arms: tuple[Sequence[Run], Sequence[Run]], comparison: Comparison, metrics: Collection[Metric]
) -> dict[Metric, Change]:
    found: dict[Metric, Change] = {}
    for value, all_asked in _QUANTILES:
        asked = {metric: p_ppm for metric, p_ppm in all_asked.items() if metric in metrics}
        before, after = ([_values(run, value) for run in runs] if asked else [] for runs in arms)
        found |= zip(asked, comparison.quantiles(before, after, list(asked.values())), strict=True)
    if Metric.TOKENS_PER_S in metrics:
        before, after = ([_tokens(run) for run in runs] for runs in arms)
        is_known = all(run.tokens is not None for runs in arms for run in runs)
        found[Metric.TOKENS_PER_S] = comparison.mean(before, after) if is_known else UNKNOWN
    for metric, counted in ((Metric.ATTAINMENT, missed), (Metric.BAD_RATIO, bad_ones)):
        if metric in metrics:
            found[metric] = count_change(*map(counted, arms))
    return found


def _values(run: Run, value: Callable[[Request], float | None]) -> Blocks:
    points = ((one.at_s, math.inf if one.is_bad else value(one)) for one in run.requests)
    return blocked(((at_s, found) for at_s, found in points if found is not None), run.since_s, run.until_s)


def _tokens(run: Run) -> Blocks:
    """Return the tokens a second of each block, one value in each; none in a last block that is not whole.

    One answer more or less would decide a short block, which counts as much as a whole one in the mean.
    """
    blocks = blocked(((at_s, float(tokens)) for at_s, tokens in run.tokens or ()), run.since_s, run.until_s)
    whole = math.floor(round((run.until_s - run.since_s) / BLOCK_S, 6))  # 60 s may come as 59.999999999
    return [[sum(block) / BLOCK_S] if at < whole else [] for at, block in enumerate(blocks)]


def missed(runs: Sequence[Run]) -> tuple[int, int]:
    """Return how many requests missed an objective, and of how many that is known."""
    counted = [one.meets for run in runs for one in run.requests if one.meets is not None]
    return counted.count(False), len(counted)


def bad_ones(runs: Sequence[Run]) -> tuple[int, int]:
    """Return how many requests ended badly, and how many there are."""
    bad = [one.is_bad for run in runs for one in run.requests]
    return sum(bad), len(bad)


_QUANTILES: tuple[tuple[Callable[[Request], float | None], dict[Metric, int]], ...] = (
    (lambda one: one.ttft_s, {Metric.TTFT_P50: P50, Metric.TTFT_P95: P95, Metric.TTFT_P99: P99}),
    (lambda one: one.tpot_s, {Metric.TPOT_P50: P50, Metric.TPOT_P95: P95}),
    (lambda one: one.max_gap_s, {Metric.MAX_GAP_P99: P99}),
)
QUANTILE_OF: dict[Metric, int] = {metric: p_ppm for _, asked in _QUANTILES for metric, p_ppm in asked.items()}
"""Quantile of each latency, in parts per million."""
VALUE_OF: dict[Metric, Callable[[Request], float | None]] = {
    metric: value for value, asked in _QUANTILES for metric in asked
}
"""What each latency is a quantile of, seconds; None is left out of its n."""
MARGINS = dict.fromkeys(QUANTILE_OF, LATENCY_MARGIN) | {
    Metric.TOKENS_PER_S: THROUGHPUT_MARGIN,
    Metric.ATTAINMENT: SHARE_MARGIN,
    Metric.BAD_RATIO: SHARE_MARGIN,
}
"""How much worse each metric may be and pass."""


def _judged(metric: Metric, change: Change, *, is_proven: bool, is_better: bool) -> Judged:
    margin = MARGINS[metric]
    floor = certification_floor(QUANTILE_OF[metric]) if metric in QUANTILE_OF else 1
    found = Judged(metric=metric, verdict=Verdict.PASSED, change=change, margin=margin, n_needed=None, reason="")
    if change.n < floor:
        return replace(found, verdict=Verdict.INCONCLUSIVE, n_needed=floor, reason="n too small")
    verdict = judge(change, margin, is_proven=is_proven, is_better=is_better)
    if verdict is not Verdict.INCONCLUSIVE:
        return replace(found, verdict=verdict, reason=_REASONS[verdict])
    if change.estimate is None:
        return replace(found, verdict=verdict, reason="fails in both")
    if change.low is None:
        return replace(found, verdict=verdict, reason="fails in one arm only, which may be chance")
    return replace(found, verdict=verdict, n_needed=_n_needed(change, margin), reason="too uncertain")


_REASONS = {Verdict.FAILED: "worse by more than the margin", Verdict.PASSED: "not worse by more than the margin"}


def _n_needed(change: Change, margin: float) -> int | None:
    """Return at which n the interval would be narrow enough for a verdict, if the estimate stayed; None for an end."""
    estimate, half = change.estimate or 0.0, ((change.high or 0.0) - (change.low or 0.0)) / 2
    room = estimate if estimate > margin else margin - estimate
    return math.ceil(change.n * (half / room) ** 2) if room > 0 and math.isfinite(half) else None
