"""Knows how many requests in flight are already too old, from the ages in heartbeats; refuses to know their ends.

Without them a total stall has no completions and looks like silence. They count as bad in the evaluation of the
current instant (`slo.counts.with_overdue`) and never in the stored budget.

Error: a bucket that the limit cuts is not counted, so requests up to 4.43 % older than the limit may be missed, and
none that is younger is ever counted.

Source: spec/slo.md 3 (overdue); spec/store.md 2 (`waiting_age_h` for the time to the first output, `in_flight_age_h`
for the whole request), 4.2 (buckets).
"""

from collections.abc import Mapping

from telemetry.histogram import index


def overdue(ages: Mapping[int, int], limit_us: int) -> int:
    """Return the requests that are older than a limit for certain.

    Args:
        ages: Bucket of `telemetry.histogram` to requests in flight.
        limit_us: The longest age that may still turn out well.
    """
    cut = index(limit_us)  # of the bucket that the limit lies in, up to its end, nothing is certain
    return sum(n for bucket, n in ages.items() if bucket > cut)
