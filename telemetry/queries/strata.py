"""Knows how requests are sorted into strata whose durations can be compared; refuses to know which duration is asked.

A stratum is a band of input lengths, named by its lower end (512 holds 512 to 1023 tokens), and whether half of the
input or more was read from a cache. A longer prompt takes longer to read, and a cached one is not read again.

Durations are counted in fine buckets, 32 to a doubling of microseconds, which are 2.2 % wide; `telemetry.histogram` has
half as many, and its figures are kept for ever.

Source: spec/slo.md 13 (strata input length x cache hit); spec/scaling.md 8.2 (outer edges of buckets).
"""

PER_DOUBLING = 32
"""Fine buckets to a doubling."""
STRATUM = (
    "if(isNull(tokens_in), '', toString(roundToExp2(assumeNotNull(tokens_in)))) AS band",
    "if(isNull(tokens_cache_read + tokens_in), '', if(tokens_cache_read * 2 < tokens_in, 'miss', 'hit')) AS cache",
)
"""Columns that name the stratum of a request; empty where it is not known."""
STRATUM_KEYS = ("band", "cache")


def fine(us: str) -> str:
    """Return the expression for the fine bucket of a duration; a measured zero counts as one microsecond.

    Args:
        us: Expression of whole microseconds that are not NULL.
    """
    return f"toInt16(floor(log2(greatest({us}, 1)) * {PER_DOUBLING}))"
