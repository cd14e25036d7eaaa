"""Knows when a burn is proven, as soon as the requests prove it; refuses to know windows and states.

A long window waits until an hour's average is bad. This rule asks of every span that ends now whether its requests
could have come from a service that burns no faster than `burn`:

    S(q) = bad ln(q / p) + good ln((1 - q) / (1 - p))       p = burn * (1 - target), for some q above p

It is true if S of some span of the last hour, up to now, exceeds ln(3 A) for one of three q, the bad of that span are
`SPENT_RATIO` of the whole period's budget, and the last five minutes still burn faster than `burn`.

Error: S is Page's cumulative sum. While each request is bad with a probability of at most p, whatever happened before
it, the probability of a single false alarm within N instants is at most N / A (the Shiryaev-Roberts sum of each q is
at least exp(S), and grows by at most 1 an instant in the mean; optional stopping, and the sum over three q). With
A = 1,051,200 instants of 30 s that is one false alarm a year, at most. Bad requests that come together break the
premise: a replica that restarts fails many at once. `SPENT_RATIO` is for them: at a burn of 10 for half a minute a
service spends 0.01 % of a month's budget, and nobody is woken for that (the fastest burn window asks for 2 %).
Requests in flight for too long may stand as a last bucket; they are judged again at each instant, and the bound does
not cover them.

Source: E. S. Page, Continuous inspection schemes, 1954; M. Pollak, Optimal detection of a change in distribution, 1985
(the Shiryaev-Roberts sum); J. Shin, A. Ramdas, A. Rinaldo, E-detectors, 2022 (p as an upper limit, several q).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from slo.buckets import Bucket
from slo.counts import Counts, allowed_ratio, exact

INSTANTS = 365 * 86_400 // 30
"""A: instants to the first false alarm, on average and at least."""
SPENT_RATIO = 0.005
"""Share of the budget of the whole period that must be gone."""
LOOK_BACK_S = 3_600
"""Spans begin within this time."""

_LOG_ODDS = (0.75, 2.0, 5.0)  # how far above p the three q are: of 6 % they are 12, 32 and 90 %
_LEAST = math.log(INSTANTS * len(_LOG_ODDS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """The span that proves the most.

    Attributes:
        since_s: Its first second, unix time: an estimate of when the burn began.
        counts: Its requests.
        evidence: S, in natural units of log likelihood.
    """

    since_s: int
    counts: Counts
    evidence: float

    @property
    def is_enough(self) -> bool:
        """Whether a false alarm is as rare as promised."""
        return self.evidence > _LEAST


def proof(buckets: Sequence[Bucket], target: float, burn: float) -> Proof | None:
    """Return the span up to now that proves most that the service burns faster.

    Args:
        buckets: Of the last `LOOK_BACK_S`, oldest first; those without requests may be missing.
        target: Share that is to be good.
        burn: The burn rate that is to be exceeded.

    Returns:
        None if nothing speaks for it, or the burn is not possible.
    """
    p = float(exact(burn) * allowed_ratio(target))
    if not 0 < p < 1:
        return None
    found = [_best(buckets, p, _above(p, odds)) for odds in _LOG_ODDS]
    return max((one for one in found if one), key=lambda one: one.evidence, default=None)


def is_spent(counts: Counts, target: float, expected: float | None) -> bool:
    """Return whether what was bad is worth waking somebody.

    Args:
        counts: Of the span that proves the burn.
        target: Share that is to be good.
        expected: Requests of the whole period; None if unknown, which keeps nobody from being told.
    """
    if not expected:
        return True
    return counts.bad >= exact(SPENT_RATIO) * allowed_ratio(target) * exact(expected)


def _above(p: float, odds: float) -> float:
    return 1 / (1 + (1 - p) / p * math.exp(-odds))


def _best(buckets: Sequence[Bucket], p: float, q: float) -> Proof | None:
    """Return the best span for one q, going back from now."""
    of_bad, of_good = math.log(q / p), math.log((1 - q) / (1 - p))
    eligible = bad = 0
    best: Proof | None = None
    for bucket in reversed(buckets):
        eligible += bucket.counts.eligible
        bad += bucket.counts.bad
        evidence = bad * of_bad + (eligible - bad) * of_good
        if evidence > (best.evidence if best else 0.0):
            best = Proof(since_s=bucket.start_s, counts=Counts(eligible=eligible, bad=bad), evidence=evidence)
    return best
