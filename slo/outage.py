"""Knows an outage when all or nearly all fails, without a burn rate; refuses to know targets beyond the defaults.

A loose target makes burn rules late: at 95 % a total outage needs 43 minutes to burn 14.4, and 4.5 to be 90 % bad.

    outage          at least 90 % bad over 5 min AND 1 min, 20 requests or more in the 5 min
    outage_run      no good request since at least 5 bad ones, over 60 s or longer
    endpoint_down   3 failed probes in a row, 30 s apart

Source: spec/slo.md 5.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from slo.buckets import Bucket
from slo.counts import Counts
from slo.windows import BUCKET_S

LONG_S = 300
"""The long window of `outage`."""
SHORT_S = 60
"""The short window of `outage`."""

_STRICT_TARGET = 0.99
_BAD_PERCENT = 90
_EVENTS = 20
_RUN_BAD = 5
_RUN_S = 60
_PROBES = 3
_PROBES_S = 55  # two intervals of 30 s, less what a probe may be early


class OutageRule(StrEnum):
    """Rules that page without a burn rate."""

    OUTAGE = "outage"
    OUTAGE_RUN = "outage_run"
    PROVEN_BURN = "proven_burn"
    """Of `slo.sequential`; beside the catalogue's burn rules."""
    ENDPOINT_DOWN = "endpoint_down"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What failed without a success in between, up to now.

    Attributes:
        bad: How many failed.
        since_s: When the first of them did, or later.
        until_s: When the last of them did, or earlier.
    """

    bad: int
    since_s: float
    until_s: float

    @property
    def span_s(self) -> float:
        """Seconds from the first to the last."""
        return self.until_s - self.since_s


def default_rules(target: float) -> tuple[OutageRule, ...]:
    """Return the rules that an objective gets beside its burn rules."""
    loose = (OutageRule.OUTAGE,) if target < _STRICT_TARGET else ()
    return (*loose, OutageRule.OUTAGE_RUN, OutageRule.ENDPOINT_DOWN)


def is_outage(long: Counts, short: Counts) -> bool:
    """Return whether nearly all fails.

    Args:
        long: Counts of the last `LONG_S`.
        short: Counts of the last `SHORT_S`.
    """
    return long.eligible >= _EVENTS and all(
        counts.eligible > 0 and counts.bad * 100 >= counts.eligible * _BAD_PERCENT for counts in (long, short)
    )


def is_outage_run(run: Run | None) -> bool:
    """Return whether nothing succeeds any more, for services with few requests."""
    return run is not None and run.bad >= _RUN_BAD and run.span_s >= _RUN_S


def is_endpoint_down(run: Run | None) -> bool:
    """Return whether probes find nobody; several collectors that fail at the same time are one failure."""
    return run is not None and run.bad >= _PROBES and run.span_s >= _PROBES_S


def run_of(events: Sequence[tuple[float, bool]]) -> Run | None:
    """Return the run of failures that single events end with; None if the last one, or none, succeeded.

    Args:
        events: Unix time and whether it was good, oldest first.
    """
    trailing: list[float] = []
    for at_s, good in reversed(events):
        if good:
            break
        trailing.append(at_s)
    return Run(bad=len(trailing), since_s=trailing[-1], until_s=trailing[0]) if trailing else None


def run_of_buckets(buckets: Sequence[Bucket]) -> Run | None:
    """Return the run of all-bad buckets at the end, as short as it may have been; empty ones do not end it.

    Error: the span is up to two buckets too short, never too long, and bad requests of a bucket that had good ones
    are not counted.

    Args:
        buckets: Oldest first.
    """
    trailing: list[Bucket] = []
    for bucket in reversed(buckets):
        if bucket.counts.good:
            break
        if bucket.counts.bad:
            trailing.append(bucket)
    if not trailing:
        return None
    first_s, last_s = trailing[-1].start_s + BUCKET_S, trailing[0].start_s
    bad = sum(bucket.counts.bad for bucket in trailing)
    return Run(bad=bad, since_s=min(first_s, last_s), until_s=last_s)
