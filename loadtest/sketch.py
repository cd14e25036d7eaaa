"""Knows durations as counts in buckets 2 % wide, which workers send and anyone may add up; refuses to keep values.

Bucket i holds what is nearest to 1.02^i microseconds on a logarithmic scale, so the value that stands for it errs by at
most 1 %. It serves the live view, and checks whose limits are round numbers; reports use the rows.

Source: spec/loadtest.md 3 (mergeable log-bucket sketches, 1 %; `stats.bucket_response_time`).
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping

BASE = 1.02
ERROR_RATIO_MAX = 0.01
"""Largest relative error of a value from 1 microsecond on."""
ZERO = -1
"""Bucket of what is below one microsecond."""
_LOG = math.log(BASE)

Sketch = dict[int, int]


def bucket(us: float) -> int:
    """Return the bucket of a duration in microseconds."""
    return round(math.log(us) / _LOG) if us >= 1 else ZERO


def value_us(i: int) -> float:
    """Return the duration that stands for a bucket; 0 for what is below one microsecond."""
    return 0.0 if i == ZERO else BASE**i


def add(sketch: Sketch, durations_us: Iterable[float]) -> None:
    """Count durations."""
    for us, n in Counter(durations_us).items():  # many are equal: a logarithm costs more than a look-up
        i = bucket(us)
        sketch[i] = sketch.get(i, 0) + n


def merged(parts: Iterable[Mapping[int, int]]) -> Sketch:
    """Return the sketch of everything that the parts count."""
    total: Sketch = {}
    for part in parts:
        for i, n in part.items():
            total[i] = total.get(i, 0) + n
    return total


def quantile_us(sketch: Mapping[int, int], q: float) -> float | None:
    """Return the nearest-rank quantile, microseconds; None of nothing.

    Args:
        sketch: The counts.
        q: 0 < q <= 1.
    """
    at = math.ceil(q * sum(sketch.values()) - 1e-9)
    below = 0
    for i in sorted(sketch):
        below += sketch[i]
        if below >= at > 0:
            return value_us(i)
    return None


def rounded_ms(ms: float) -> float:
    """Return a duration in milliseconds as its bucket's value: what Locust's statistics keep it under."""
    return value_us(bucket(ms * 1000)) / 1000
