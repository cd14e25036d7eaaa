"""Knows by how much one set of runs is worse than another, and how sure that is; refuses to know what is tolerated.

Requests of the same ten seconds share a queue, so they are no independent samples. The interval is a bootstrap in two
steps: runs are drawn with replacement, then whole blocks of ten seconds inside each drawn run; a quantile is the
weighted nearest rank over the blocks' weights. Of two targets that shared one plan, blocks are drawn in pairs.

    change    candidate over baseline, less 1, with the sign that makes "worse" positive
    interval  2.5 % and 97.5 % of the changes of 2,000 resamples
    p         twice the share of resamples without a worsening, of which one always counts; p_better: likewise

Failures are +infinity. If only one arm's rank falls on one, there is an answer without a ratio; if both do, none.
A single run says nothing of how runs differ: then the interval is widened by how the baseline's do.

Error: with identical arms the interval excludes "no change" in at most about 5 % of comparisons. Where runs do not
differ it is too wide, for three runs of an arm by a factor of 1.29 (`loadtest.quantiles.requests_needed`); where they
differ much it is too narrow, since three of them show little of their spread.

Source: spec/loadtest.md 13, 14; B. Efron, R. Tibshirani, An Introduction to the Bootstrap, 1993, 8.6, 13.3.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain
from operator import mul
from statistics import NormalDist, stdev

from loadtest.random_streams import Uniform
from loadtest.wilson import Z_95, difference
from telemetry.percentile import rank
from telemetry.special import betainc

BLOCK_S = 10.0
"""Length of a block."""
RESAMPLES = 2_000
"""Draws of a bootstrap."""

Blocks = Sequence[Sequence[float]]
"""Values of one run, block by block; +infinity is a failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """How much worse the candidate is; below 0 it is better.

    Attributes:
        estimate: As a ratio less 1, or a difference of shares; infinite where only one arm's value is a failure, None
            where both are or an arm is empty.
        low: Lower end of the 95 % interval; None where there is no ratio.
        high: Upper end; None likewise.
        p: Two-sided probability of so much worsening without a change. Where only one arm's value is a failure, by
            the resamples in which it is not so.
        n: Values of the smaller arm.
        widened: Whether the interval stands for runs that were not made.
        p_better: As p, of so much betterment.
    """

    estimate: float | None
    low: float | None
    high: float | None
    p: float
    n: int
    widened: bool = False
    p_better: float = 1.0


UNKNOWN = Change(estimate=None, low=None, high=None, p=1.0, n=0)
"""Of arms one of which has no value."""


def blocked(points: Iterable[tuple[float, float]], since_s: float, until_s: float) -> list[list[float]]:
    """Return values by block.

    Args:
        points: (planned arrival in seconds, value); those outside the window are left out.
        since_s: Start of the window and of the first block.
        until_s: End of the window; a last block may be shorter.
    """
    blocks: list[list[float]] = [[] for _ in range(math.ceil((until_s - since_s) / BLOCK_S))]
    for at_s, value in points:
        if since_s <= at_s < until_s:
            blocks[int((at_s - since_s) / BLOCK_S)].append(value)
    return blocks


class Comparison:
    """Two arms, and the resamples of their blocks that all metrics share.

    Args:
        before: Number of blocks of each run of the baseline.
        after: The same of the candidate.
        uniform: Source of the resamples.
        paired: Whether block k of run r of both arms is of the same time.
        resamples: Draws; None is `RESAMPLES`.

    Raises:
        ValueError: The blocks are to be pairs, and the arms have not as many of them.
    """

    def __init__(
        self,
        before: Sequence[int],
        after: Sequence[int],
        uniform: Uniform,
        *,
        paired: bool = False,
        resamples: int | None = None,
    ) -> None:
        """Draw all resamples."""
        if paired and list(before) != list(after):
            raise ValueError(f"{list(before)} and {list(after)} blocks are no pairs")
        self._paired = paired
        self._weights: list[tuple[list[int], list[int]]] = []
        for _ in range(resamples or RESAMPLES):
            drawn = _drawn(before, uniform)
            self._weights.append((drawn, drawn if paired else _drawn(after, uniform)))

    def quantiles(self, baseline: Sequence[Blocks], candidate: Sequence[Blocks], p_ppms: Sequence[int]) -> list[Change]:
        """Compare quantiles, in parts per million, smaller ones being better."""
        arms = _Arm(baseline), _Arm(candidate)
        return [self._change(arms, _at(p_ppm)) for p_ppm in p_ppms]

    def mean(self, baseline: Sequence[Blocks], candidate: Sequence[Blocks]) -> Change:
        """Compare means, larger ones being better: a change of 0.1 is 10 % less."""
        found = self._change((_Arm(baseline), _Arm(candidate)), _over_mean)
        estimate, low, high = (None if end is None else _loss(end) for end in (found.estimate, found.low, found.high))
        return replace(found, estimate=estimate, low=low, high=high)

    def _change(self, arms: "tuple[_Arm, _Arm]", measure: "_Measure") -> Change:
        before, after = arms
        n = min(before.n, after.n)
        whole = [measure(arm, [1] * len(arm.sizes)) for arm in arms]
        estimate = _worsening(*whole)
        if estimate is None:
            return Change(estimate=None, low=None, high=None, p=1.0, n=n)
        pairs = [(measure(before, w), measure(after, v)) for w, v in self._weights]
        if any(map(_fails, whole)):
            p, p_better = (
                _twice(len(pairs) - sum(alone), len(pairs)) for alone in zip(*map(_alone, pairs), strict=True)
            )
            return Change(estimate=estimate, low=None, high=None, p=p, n=n, p_better=p_better)
        drawn = sorted(_worsening(*pair) or 0.0 for pair in pairs)
        low, high = (drawn[rank(p_ppm, len(drawn)) - 1] for p_ppm in (25_000, 975_000))
        p = _twice(sum(one <= 0 for one in drawn), len(drawn))
        p_better = _twice(sum(one >= 0 for one in drawn), len(drawn))
        found = Change(estimate=estimate, low=low, high=high, p=p, n=n, p_better=p_better)
        is_single = not self._paired and min(len(arm.runs) for arm in arms) == 1
        return _widened(found, max(arms, key=lambda arm: len(arm.runs)), measure) if is_single else found


def count_change(baseline: tuple[int, int], candidate: tuple[int, int]) -> Change:
    """Compare shares of bad requests, as a difference; exact for independent requests.

    p is of the binomial law that the bad ones follow, all of both arms given; the interval is Newcombe's.

    Args:
        baseline: (bad, all).
        candidate: (bad, all).
    """
    (bad_b, n_b), (bad_c, n_c) = baseline, candidate
    if not (n_b and n_c):
        return UNKNOWN
    worse, better = _tail(bad_c, bad_b, n_c / (n_b + n_c)), _tail(bad_b, bad_c, n_b / (n_b + n_c))
    low, high = difference(candidate, baseline)
    return Change(
        estimate=bad_c / n_c - bad_b / n_b,
        low=low,
        high=high,
        p=min(1.0, 2 * worse),
        n=min(n_b, n_c),
        p_better=min(1.0, 2 * better),
    )


def _tail(bad: int, others: int, share: float) -> float:
    """Return the probability that so many or more of all bad ones are of an arm that has this share of the requests."""
    return betainc(bad, others + 1, share) if bad else 1.0


def _twice(against: int, draws: int) -> float:
    """Return the two-sided p of resamples of which so many speak against it."""
    return min(1.0, 2 * (1 + against) / (draws + 1))


class _Arm:
    """The values of one arm, largest first, each with the number of its block."""

    def __init__(self, runs: Sequence[Blocks]) -> None:
        self.runs = runs
        self.sizes = [len(block) for block in chain.from_iterable(runs)]
        self.n = sum(self.sizes)
        numbered = enumerate(chain.from_iterable(runs))
        ordered = sorted(((value, at) for at, block in numbered for value in block), reverse=True)
        self.values = [value for value, _ in ordered]
        self.block_at = [at for _, at in ordered]

    def alone(self, run: int) -> list[int]:
        """Return the weights that leave one run."""
        return [int(at == run) for at, blocks in enumerate(self.runs) for _ in blocks]


_Measure = Callable[[_Arm, Sequence[int]], float | None]


def _drawn(lengths: Sequence[int], uniform: Uniform) -> list[int]:
    """Return how often each block is drawn: runs first, then blocks inside them."""
    firsts = [0, *accumulate(lengths)]
    found = [0] * firsts[-1]
    for _ in lengths:
        run = int(uniform() * len(lengths))
        first, length = firsts[run], lengths[run]
        for _ in range(length):
            found[first + int(uniform() * length)] += 1
    return found


def _at(p_ppm: int) -> _Measure:
    """Return the measure of a quantile."""

    def measure(arm: _Arm, weights: Sequence[int]) -> float | None:
        total = sum(map(mul, weights, arm.sizes))
        if not total:
            return None
        above = total - rank(p_ppm, total)
        reached = _reached(arm, weights, min(arm.n, int(1.5 * arm.n * above / total) + 64))  # most often far enough
        if reached[-1] <= above:
            reached = _reached(arm, weights, arm.n)
        return arm.values[bisect_right(reached, above)]

    return measure


def _reached(arm: _Arm, weights: Sequence[int], n: int) -> list[int]:
    """Return the weight of the largest values, summed up to each of the first n."""
    return list(accumulate(map(weights.__getitem__, arm.block_at[:n])))


def _over_mean(arm: _Arm, weights: Sequence[int]) -> float | None:
    """Return 1 over the mean."""
    total = sum(map(mul, weights, arm.sizes))
    found = sum(weights[at] * value for at, value in zip(arm.block_at, arm.values, strict=True))
    return (total / found if found else math.inf) if total else None


def _loss(growth: float) -> float:
    """Return how much less a mean is, as a share, if 1 over it grew so much: 1 - 1 / (1 + growth)."""
    if math.isinf(growth):
        return 1.0
    return growth / (1 + growth) if growth > -1 else -math.inf


def _worsening(before: float | None, after: float | None) -> float | None:
    """Return after over before, less 1; None if that is no ratio."""
    if before is None or after is None or (math.isinf(before) and math.isinf(after)):
        return None
    if not before:
        return math.inf if after else 0.0
    return after / before - 1


def _fails(value: float | None) -> bool:
    return value is not None and math.isinf(value)


def _alone(pair: tuple[float | None, float | None]) -> tuple[bool, bool]:
    """Return whether only the second value is a failure, and whether only the first is."""
    before, after = pair
    both_known = before is not None and after is not None
    return both_known and _fails(after) > _fails(before), both_known and _fails(before) > _fails(after)


def _widened(found: Change, runs: _Arm, measure: _Measure) -> Change:
    """Widen an interval by how the runs of the other arm differ, in logarithms."""
    alone = [measure(runs, runs.alone(run)) for run in range(len(runs.runs))]
    logs = [math.log(value) for value in alone if value and math.isfinite(value)]
    if len(logs) < 2 or found.estimate is None or found.low is None or found.high is None:  # noqa: PLR2004 -- no spread
        return found
    between = stdev(logs)
    low, middle, high = (math.log1p(max(end, -1 + 1e-12)) for end in (found.low, found.estimate, found.high))
    error = math.hypot((high - low) / (2 * Z_95), between)
    return replace(
        found,
        low=math.expm1(middle - math.hypot(middle - low, Z_95 * between)),
        high=math.expm1(middle + math.hypot(high - middle, Z_95 * between)),
        p=max(found.p, 2 * NormalDist().cdf(-middle / error)) if middle > 0 else 1.0,
        p_better=max(found.p_better, 2 * NormalDist().cdf(middle / error)) if middle < 0 else 1.0,
        widened=True,
    )
