"""Knows the question how long inputs and outputs are, now and on the days before; refuses to say that they changed.

Lengths are counted in bands named by their lower end: 512 holds 512 to 1023 tokens. The days before are counted twice:
in the same hours of the day as the window, and whole.

Source: spec/slo.md 14 (`length_mix_shift`: input or output buckets against 7 d).
"""

from telemetry.queries.asked import ENDED_WITHIN
from telemetry.queries.question import REPORT_S, Question, Select

REFERENCE_DAYS = 7
"""Days before the window that it is compared with."""

_DAY_MS = 86_400_000


def length_mix(since_ms: int, until_ms: int) -> Question:
    """Ask for the lengths of the requests of users in [since, until), and of those before.

    Rows: `endpoint`, `model`; for `in` and `out` the maps from band to requests `<side>_now`, `<side>_same` (same hours
    of the days before) and `<side>_all` (all their hours); `days` that have requests in the same hours.

    Args:
        since_ms: Start of the window, unix milliseconds.
        until_ms: Its end, excluded; at most a day later.

    Raises:
        ValueError: The window is longer than a day, so that it would be its own reference.
    """
    if until_ms - since_ms > _DAY_MS:
        raise ValueError("lengths are compared with the same hours of other days: the window is a day at most")
    values = {"window": since_ms, "since": since_ms - REFERENCE_DAYS * _DAY_MS, "until": until_ms}
    return Question(sql=_MIX, parameters=values, seconds_max=REPORT_S)


def _side(name: str) -> list[str]:
    band = f"map(roundToExp2(assumeNotNull(tokens_{name})), toUInt64(1))"
    known = f"isNotNull(tokens_{name})"
    return [
        f"sumMapIf({band}, {known} AND is_now) AS {name}_now",
        f"sumMapIf({band}, {known} AND NOT is_now AND is_same) AS {name}_same",
        f"sumMapIf({band}, {known} AND NOT is_now) AS {name}_all",
    ]


_BACK_MS = "{until:Int64} - 1 - toUnixTimestamp64Milli(ended_at)"
_MIX = Select(
    given=[
        "ended_at >= fromUnixTimestamp64Milli({window:Int64}) AS is_now",
        f"({_BACK_MS}) % {_DAY_MS} < {{until:Int64}} - {{window:Int64}} AS is_same",
    ],
    columns=[
        *("endpoint", "model"),
        *_side("in"),
        *_side("out"),
        f"uniqExactIf(intDiv({_BACK_MS}, {_DAY_MS}), NOT is_now AND is_same) AS days",
    ],
    source="inferometer.requests",
    where=[*ENDED_WITHIN, "traffic = 'user'"],
    group_by=["endpoint", "model"],
    order_by=["endpoint", "model"],
).text()
