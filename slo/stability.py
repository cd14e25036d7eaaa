"""Knows how far a mix has moved from what it was, and how far chance alone moves it; refuses to know what is mixed.

The population stability index of shares p now and q before is `sum((p - q) ln(p / q))`: 0 for equal mixes, 0.25 by
custom for one that shifted. Half an observation is added to each bucket on both sides, so that a bucket that is new or
gone counts without being infinite.

Of two samples of one population the index is about `(1/n + 1/m) chi2` with one degree of freedom less than there are
buckets: 30 requests in 12 buckets show 0.37 on average although nothing moved. `noise` is its mean and three standard
deviations; what is above that and the limit is a shift.

Error: at 4 to 12 buckets and n from 30 on, at most 2 % of samples of one and the same population exceed their noise
(simulated, see the tests). Requests that come in bursts of one kind make the noise larger than it says here.

Source: spec/slo.md 14 (`length_mix_shift`); B. Yurdakul, Statistical properties of population stability index, 2018.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

_HALF = 0.5
_SIGMAS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """How far a mix moved.

    Attributes:
        index: The population stability index.
        noise: What chance alone hardly ever exceeds with so few observations.
        bucket: The bucket whose share grew most.
        share_before: Its share before, without the added half.
        share_now: Its share now.
    """

    index: float
    noise: float
    bucket: int
    share_before: float
    share_now: float


def moved(now: Mapping[int, int], before: Mapping[int, int]) -> Moved | None:
    """Return how far a mix moved.

    Args:
        now: Observations by bucket.
        before: The same of the reference.

    Returns:
        None without any observation on one side.
    """
    n, m = sum(now.values()), sum(before.values())
    if not n or not m:
        return None
    buckets = sorted(key for key in now.keys() | before.keys() if now.get(key) or before.get(key))
    index = 0.0
    for key in buckets:
        p = (now.get(key, 0) + _HALF) / (n + _HALF * len(buckets))
        q = (before.get(key, 0) + _HALF) / (m + _HALF * len(buckets))
        index += (p - q) * math.log(p / q)
    freedom = len(buckets) - 1
    grew = max(buckets, key=lambda key: now.get(key, 0) / n - before.get(key, 0) / m)
    return Moved(
        index=index,
        noise=(1 / n + 1 / m) * (freedom + _SIGMAS * math.sqrt(2 * freedom)),
        bucket=grew,
        share_before=before.get(grew, 0) / m,
        share_now=now.get(grew, 0) / n,
    )
