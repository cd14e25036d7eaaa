"""Knows the question who was heard, instant by instant; refuses to judge whether that was enough.

Source: spec/store.md 3 (heartbeats); spec/slo.md 7 (fresh within 2 min), 15 (recorded lateness).
"""

from telemetry.queries.counted import BUCKET_S
from telemetry.queries.question import REPORT_S, Question, Select


def heard(since_s: int, until_s: int) -> Question:
    """Ask for the last heartbeat of every collector, endpoint, model and class before each instant.

    Rows: `instant_unix_s` (a multiple of the bucket: the first one at or after the heartbeat), `endpoint`, `collector`,
    `model`, `workload_class`, `heard_unix_ms`, `waiting_age_h` (bucket to requests without output),
    `in_flight_age_h` (to all of them); oldest first. Instants before which nobody was heard for a bucket are absent.

    Args:
        since_s: The instant before the first one, unix seconds, a multiple of the bucket.
        until_s: The last instant.
    """
    values = {"since": since_s * 1000, "until": until_s * 1000, "bucket_ms": BUCKET_S * 1000}
    return Question(sql=_HEARD, parameters=values, seconds_max=REPORT_S)


_SENDER = ("endpoint", "collector", "model", "workload_class")
_BUCKETS = "intDiv(toUnixTimestamp64Milli(ts) + {bucket_ms:Int64} - 1, {bucket_ms:Int64})"
_HEARD = Select(
    columns=[
        f"{_BUCKETS} * intDiv({{bucket_ms:Int64}}, 1000) AS instant_unix_s",
        *(f"toString(h.{name}) AS {name}" for name in _SENDER),
        "toUnixTimestamp64Milli(max(ts)) AS heard_unix_ms",
        "argMax(h.waiting_age_h, ts) AS waiting_age_h",
        "argMax(h.in_flight_age_h, ts) AS in_flight_age_h",
    ],
    source="inferometer.heartbeats AS h",
    where=[
        "ts > fromUnixTimestamp64Milli({since:Int64})",
        "ts <= fromUnixTimestamp64Milli({until:Int64})",
    ],
    group_by=["instant_unix_s", *_SENDER],
    order_by=["instant_unix_s", *_SENDER],
).text()
