"""Knows how to count calls as their client saw them: of several attempts the last one counts; refuses to know targets.

An attempt that failed is not the last one if another request of its trace, for the same model, began after it, ended
within `wait_s`, and was a later attempt or went to another region. So a failure counts `wait_s` after it ended, in that
bucket; what did not fail counts when it ends. A request without a trace id is a call by itself.

Error: a retry that takes longer than `wait_s`, or is not among the next `OTHERS_MAX` requests of its trace to end,
leaves the failure before it bad, and counts itself. Two calls of one trace at the same time may be taken for one; so
may a call that failed and the next one of its trace, in another region.

Source: spec/slo.md 2 (availability_multi_region: bad only if the client's last attempt failed).
"""

from dataclasses import dataclass

from telemetry.queries.asked import ENDED_WITHIN
from telemetry.queries.bounds import BAD
from telemetry.queries.counted import BUCKET_S, Counted, judged, tallied
from telemetry.queries.question import PAGE_S, Question, Select
from telemetry.queries.steps import group_key

WAIT_S_MAX = 3_600
"""Longest time that a failure waits for its retry."""
OTHERS_MAX = 64
"""Requests of a trace, after a failure, among which its retry is looked for."""
CLOCKS_US = 1_000_000
"""How far the clocks of two regions may be apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedCalls:
    """An objective of calls as the store counts it.

    Attributes:
        rows: Which requests are attempts.
        wait_s: How long a failure waits for its retry to end.
    """

    rows: Counted
    wait_s: float


def call_counts(one: CountedCalls, since_ms: int, until_ms: int) -> Question:
    """Ask for the counts of the buckets [since, until) of an objective of calls.

    Rows: as `counted.counts` gives them; `n_null` has the failures without a trace id, whose retry nobody could find.

    Args:
        one: The objective.
        since_ms: Start of the first bucket, unix milliseconds.
        until_ms: End of the last one, excluded.

    Raises:
        ValueError: It waits not at all, or longer than `WAIT_S_MAX`.
    """
    if not 0 < one.wait_s <= WAIT_S_MAX:
        raise ValueError(f"a retry within {one.wait_s} s; allowed is above 0 and at most {WAIT_S_MAX} s")
    rows, values = judged(
        one.rows,
        [
            "toUInt8(trace_id = toFixedString('', 16)) AS is_untraced",
            "if(is_untraced, toString(record_id), hex(trace_id)) AS call",
            "toString(model) AS for_model",
            "toString(region) AS in_region",
            "attempt AS try",
            "toString(outcome) AS ending",
            "toUnixTimestamp64Milli(ended_at) * 1000 AS ended_us",
            "ended_us - toInt64(elapsed_us) AS began_us",
            *(f"toString({dim.value}) AS of_{dim.value}" for dim in one.rows.group_by),
        ],
        ENDED_WITHIN,
    )
    attempts = Select(columns=["*", f"{_OTHERS} AS others"], source=rows)
    events = Select(
        columns=[
            *("{slo:String} AS slo", group_key(one.rows)),
            f"ended_us + if(verdict = {BAD}, {{wait:Int64}}, 0) AS known_us",
            f"intDiv(known_us, {BUCKET_S * 1_000_000}) * {BUCKET_S} AS t_unix_s",
            *("ending AS outcome", "class", "verdict", "toUInt64(1) AS rows"),
            f"map('trace_id', toUInt64(verdict = {BAD} AND is_untraced)) AS n_null",
        ],
        source=attempts,
        where=[
            "known_us >= {known:Int64} * 1000",
            "known_us < {until:Int64} * 1000",
            f"NOT (verdict = {BAD} AND {_WAS_RETRIED})",
        ],
    )
    wait_us = round(one.wait_s * 1e6)
    values |= {
        "since": since_ms - wait_us // 1000,
        "known": since_ms,
        "until": until_ms,
        "wait": wait_us,
        "slo": one.rows.name,
    }
    return Question(sql=tallied(events.text()), parameters=values, seconds_max=PAGE_S)


# A client may put one trace id into all it sends: what is gathered of each request must not grow with their number.
_OTHERS = (
    "groupArray((began_us, ended_us, try, in_region)) OVER (PARTITION BY call, for_model ORDER BY ended_us"
    f" ROWS BETWEEN 1 FOLLOWING AND {OTHERS_MAX} FOLLOWING)"
)
_WAS_RETRIED = (
    f"arrayExists(other -> other.1 >= ended_us - {CLOCKS_US} AND other.2 > ended_us"
    " AND other.2 <= ended_us + {wait:Int64} AND (other.3 > try OR other.4 != in_region), others)"
)
