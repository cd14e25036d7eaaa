"""Knows how many requests of each arm a gate needs; refuses to know how they are sent.

Two questions of each metric, with a power (the probability that the gate says so):

    to pass   an unchanged candidate passes: its interval ends within the margin
    to catch  a candidate that is worse by a given change fails: it is proven worse after Holm's worst case, and its
              estimate is over the margin

Both follow from the standard error of the change, which falls with the root of the requests. It is taken from the width
of the interval that the baseline's runs have when they are compared with themselves: that holds their tails, their
queues and how they differ. Without a baseline, latencies are taken as lognormal of a given sigma and independent, and a
share of 1 % as bad: then the answer is a lower bound, since requests that share a queue say less.

Error: the width of a bootstrap of three runs is itself uncertain by about a third, so what is said from a baseline has
`SPARE` times as many requests as the width alone asks for.

Source: spec/loadtest.md 13 (planning table, margins), spec/measurement.md 11 (floors).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

from loadtest.compare import BLOCK_S, Change
from loadtest.gate import LATENCY_MARGIN, MARGINS, QUANTILE_OF, Metric, Run, bad_ones, gate, missed
from loadtest.quantiles import certification_floor, spread
from loadtest.wilson import Z_95

RUNS = 3
"""Of each arm, as a gate asks for."""
BAD_RATIO = 0.01
"""Share of bad requests that is assumed where no baseline says it."""
SPARE = 1.5
"""Without it, of 100 candidates with P95 +10 % and a power of 90 %, the gate caught 85 (seeded rows)."""
_NORMAL = NormalDist()
_SHARES = frozenset({Metric.ATTAINMENT, Metric.BAD_RATIO})


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What one metric needs.

    Attributes:
        metric: Which.
        floor: Requests of each arm below which nothing is said of it.
        to_pass: Requests of each arm at which an unchanged candidate passes; None where only a baseline could say it.
        to_catch: Requests of each arm at which one that is worse fails; None likewise.
        change: How much worse that is: a ratio less 1, or points of a share.
    """

    metric: Metric
    floor: int
    to_pass: int | None
    to_catch: int | None
    change: float

    @property
    def requests(self) -> int | None:
        """Requests of each arm that are enough for all of it."""
        return None if self.to_pass is None or self.to_catch is None else max(self.floor, self.to_pass, self.to_catch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked.

    Attributes:
        metrics: What is gated.
        change: Worsening of latencies that is to be caught, above their margin; others in proportion to theirs.
        power: Probability that the gate says so, above a half.
    """

    metrics: Sequence[Metric]
    change: float
    power: float


def assumed(question: Question, sigma: float) -> list[Need]:
    """Return what is needed if nothing is known.

    Args:
        question: What is asked.
        sigma: Spread of the logarithm of latencies.
    """
    errors: dict[Metric, float | None] = {metric: spread(p_ppm, sigma, RUNS) for metric, p_ppm in QUANTILE_OF.items()}
    return _needs(question, errors, dict.fromkeys(_SHARES, BAD_RATIO))


def measured(question: Question, baseline: Sequence[Run], seed: int) -> list[Need]:
    """Return what is needed by the spread of a baseline.

    Args:
        question: What is asked.
        baseline: Its runs, at least two.
        seed: Of the resamples.
    """
    found = gate(baseline, baseline, seed, metrics=question.metrics).metrics
    per_block = sum(len(run.requests) for run in baseline) / sum(_blocks(run) for run in baseline)
    errors: dict[Metric, float | None] = {}
    for one in found:
        values = one.change.n * (per_block if one.metric is Metric.TOKENS_PER_S else 1)  # that one has a value a block
        error = _error(one.metric, one.change)
        errors[one.metric] = None if error is None else error * math.sqrt(SPARE * values)
    counts = {Metric.ATTAINMENT: missed(baseline), Metric.BAD_RATIO: bad_ones(baseline)}
    return _needs(question, errors, {metric: (bad + 2) / (n + 4) for metric, (bad, n) in counts.items()})


def _needs(question: Question, errors: Mapping[Metric, float | None], shares: Mapping[Metric, float]) -> list[Need]:
    """Return the needs.

    Args:
        question: What is asked.
        errors: Standard error of each change, had it been found of one request of each arm; None is not known.
        shares: Share of bad requests of those metrics that are one.
    """
    found: list[Need] = []
    for metric in question.metrics:
        margin = MARGINS[metric]
        change = margin * question.change / LATENCY_MARGIN
        same = worse = errors.get(metric)
        if metric in shares:
            same, worse = (_share_error(shares[metric], shares[metric] + more) for more in (0.0, change))
        found.append(
            Need(
                metric=metric,
                floor=certification_floor(QUANTILE_OF[metric]) if metric in QUANTILE_OF else 1,
                to_pass=None if same is None else _to_pass(same, _room(metric, margin), question),
                to_catch=None if worse is None else _to_catch(worse, metric, change, question),
                change=change,
            )
        )
    return found


def _to_pass(error: float, margin: float, question: Question) -> int:
    return math.ceil((error * (Z_95 + _NORMAL.inv_cdf(question.power)) / margin) ** 2)


def _to_catch(error: float, metric: Metric, change: float, question: Question) -> int:
    z_power = _NORMAL.inv_cdf(question.power)
    z_proof = _NORMAL.inv_cdf(1 - 0.025 / len(question.metrics)) + z_power
    room, margin = _room(metric, change), _room(metric, MARGINS[metric])
    return math.ceil(max(error * z_proof / room, error * z_power / (room - margin)) ** 2)


def _share_error(before: float, after: float) -> float:
    """Return the standard error of the difference of two shares, had each arm one request."""
    after = min(after, 1.0)
    return math.sqrt(before * (1 - before) + after * (1 - after))


def _room(metric: Metric, change: float) -> float:
    """Return a change on the scale on which its error is alike in both directions."""
    return _SCALES.get(metric, math.log1p)(change)


def _error(metric: Metric, change: Change) -> float | None:
    """Return the standard error behind an interval; None if there is none."""
    if change.low is None or change.high is None or change.low <= -1:
        return None
    low, high = (_SCALES.get(metric, math.log1p)(end) for end in (change.low, change.high))
    return (high - low) / (2 * Z_95) if math.isfinite(high - low) else None


def _loss(change: float) -> float:
    return -math.log1p(-change) if change < 1 else math.inf


def _points(change: float) -> float:
    return change


_SCALES: dict[Metric, Callable[[float], float]] = {
    Metric.TOKENS_PER_S: _loss,
    **dict.fromkeys(_SHARES, _points),
}


def _blocks(run: Run) -> int:
    return max(1, math.floor((run.until_s - run.since_s) / BLOCK_S))
