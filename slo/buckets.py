"""Knows counts over time: buckets of 30 s, windows and slices made of them, and spans that operators take out.

A span that is taken out leaves numerator and denominator alike: each bucket it touches weighs `100 - excluded_percent`
hundredths. Where spans overlap the largest percentage holds, so a maintenance that was entered twice counts once.

Source: spec/slo.md 4 (rolling windows, slices, adjustments); spec/store.md 4.5 (buckets).
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import attrgetter

from slo.counts import Counts, total
from slo.windows import BUCKET_S

_ALL_PERCENT = 100
_start_s = attrgetter("start_s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """What was counted in 30 s; a bucket that is not handed in had no requests.

    Attributes:
        start_s: First second, unix time, a multiple of `BUCKET_S`.
        counts: Requests whose outcome became known in it.
        blind: Whether telemetry was missing, so that the counts say nothing of the rest.
    """

    start_s: int
    counts: Counts
    blind: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjustment:
    """A span that counts less or not at all; each occurrence of a recurring one is a span of its own.

    Attributes:
        start_s: First second, unix time.
        end_s: The second after the last one.
        excluded_percent: How much of it is taken out, 0 to 100.
    """

    start_s: int
    end_s: int
    excluded_percent: int = _ALL_PERCENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A part of a period that is judged as one.

    Attributes:
        weight: 1, less what is taken out.
        eligible: Requests, weighed alike.
        bad: The bad of them, weighed alike.
        blind: Whether any bucket of it was blind.
    """

    weight: Fraction
    eligible: Fraction
    bad: Fraction
    blind: bool


def between(buckets: Sequence[Bucket], since_s: int, until_s: int) -> Sequence[Bucket]:
    """Return the buckets [since, until) of some that are given oldest first."""
    return buckets[bisect_left(buckets, since_s, key=_start_s) : bisect_left(buckets, until_s, key=_start_s)]


def in_window(buckets: Iterable[Bucket], at_s: int, window_s: int) -> Counts:
    """Return the counts of the window that ends at an instant, made of the buckets [at_s - window_s, at_s)."""
    return total(bucket.counts for bucket in buckets if at_s - window_s <= bucket.start_s < at_s)


def adjusted(buckets: Iterable[Bucket], adjustments: Sequence[Adjustment]) -> tuple[Fraction, Fraction]:
    """Return the eligible and the bad requests that are left when spans are taken out."""
    eligible = bad = 0
    for bucket in buckets:
        percent = _kept_percent(bucket.start_s, adjustments)
        eligible += bucket.counts.eligible * percent
        bad += bucket.counts.bad * percent
    return Fraction(eligible, _ALL_PERCENT), Fraction(bad, _ALL_PERCENT)


def slices(
    buckets: Iterable[Bucket], since_s: int, until_s: int, slice_s: int, adjustments: Sequence[Adjustment] = ()
) -> Iterator[Slice]:
    """Yield the whole slices of a period from its start on; the one that has not ended yet is not judged.

    Args:
        buckets: Those of the period; others are left out.
        since_s: Start of the first slice, unix time, a multiple of `BUCKET_S`.
        until_s: The instant that is asked about.
        slice_s: Length of a slice, a multiple of `BUCKET_S`.
        adjustments: Spans that count less or not at all.
    """
    of_start = {bucket.start_s: bucket for bucket in buckets}
    for start_s in range(since_s, until_s - slice_s + 1, slice_s):
        starts = range(start_s, start_s + slice_s, BUCKET_S)
        kept = sum(_kept_percent(start, adjustments) for start in starts)
        found = [of_start[start] for start in starts if start in of_start]
        eligible, bad = adjusted(found, adjustments)
        blind = any(bucket.blind for bucket in found)
        yield Slice(weight=Fraction(kept, _ALL_PERCENT * len(starts)), eligible=eligible, bad=bad, blind=blind)


def _kept_percent(start_s: int, adjustments: Sequence[Adjustment]) -> int:
    """Return how much of a bucket is left."""
    touching = [
        adjustment.excluded_percent
        for adjustment in adjustments
        if adjustment.start_s < start_s + BUCKET_S and adjustment.end_s > start_s
    ]
    return _ALL_PERCENT - max(touching, default=0)
