"""Knows the question how long inputs and outputs are, now and on the days before; refuses to say that they changed.

Lengths are counted in bands named by their lower end: 512 holds 512 to 1023 tokens. The days before are counted twice:
in the same hours of the day as the window, and with as many hours before those.

Source: spec/slo.md 14 (`length_mix_shift`: input or output buckets against 7 d).
"""

from telemetry.queries import same_hours
from telemetry.queries.question import REPORT_S, Question, Select


def length_mix(since_ms: int, until_ms: int) -> Question:
    """Ask for the lengths of the requests of users in [since, until), and of those before.

    Rows: `endpoint`, `model`, `n_now` (requests of the window); for `in` and `out` the maps from band to requests
    `<side>_now`, `<side>_same` (same hours of the days before) and `<side>_around` (those, and the hours before them
    and before the window); `days` that have requests in the same hours.

    Args:
        since_ms: Start of the window, unix milliseconds.
        until_ms: Its end, excluded; at most a day later.

    Raises:
        ValueError: The window is empty, or longer than a day, so that it would be its own reference.
    """
    length_ms = until_ms - since_ms
    around_ms = min(2 * length_ms, max(length_ms, same_hours.DAY_MS))
    values = {**same_hours.values(until_ms - around_ms, until_ms), "now": since_ms}
    return Question(sql=_MIX, parameters=values, seconds_max=REPORT_S)


_SIDES = ("in", "out")


def _side(name: str) -> list[str]:
    known = f"isNotNull(band_{name})"
    return [
        f"sumMapIf(map(assumeNotNull(band_{name}), rows), {known} AND {condition}) AS {name}_{of}"
        for of, condition in (("now", "is_now"), ("same", "is_same AND NOT is_now"), ("around", "NOT is_now"))
    ]


# Counted by band first: a map of each request alone takes several times as long (`telemetry.queries.tails`).
_COUNTED = Select(
    given=["{until:Int64} - 1 - toUnixTimestamp64Milli(ended_at) AS back_ms"],
    columns=[
        *("endpoint", "model"),
        f"{same_hours.days_ago('ended_at')} AS days_ago",
        f"back_ms % {same_hours.DAY_MS} < {{until:Int64}} - {{now:Int64}} AS is_same",
        "is_same AND days_ago = 0 AS is_now",
        *(
            f"if(isNull(tokens_{name}), NULL, roundToExp2(assumeNotNull(tokens_{name}))) AS band_{name}"
            for name in _SIDES
        ),
        "count() AS rows",
    ],
    source="inferometer.requests",
    where=[same_hours.of_requests(), "traffic = 'user'"],
    group_by=["endpoint", "model", "days_ago", "is_same", "is_now", "band_in", "band_out"],
)
_MIX = Select(
    columns=[
        *("endpoint", "model", "sumIf(rows, is_now) AS n_now"),
        *(column for name in _SIDES for column in _side(name)),
        "uniqExactIf(days_ago, is_same AND NOT is_now) AS days",
    ],
    source=_COUNTED,
    group_by=["endpoint", "model"],
    order_by=["endpoint", "model"],
).text()
