"""Knows the questions what an endpoint used and made in the same hours of several days; refuses to know prices.

Minutes of replicas and GPUs are counted from the roll-ups of their samples: one that answered, or was sampled, at all
in a minute was paid for in it. Tokens are of all traffic that reached the endpoint, once: rows of an engine's own
plugin tell of the same requests again, and are left out.

Source: spec/scaling.md 9.2, 9.4 (same clock window on 7 nights); spec/store.md 4 (roll-ups).
"""

from telemetry.queries import same_hours
from telemetry.queries.drift import Anchor
from telemetry.queries.question import REPORT_S, Question, Select

_HOUR_MS = 3_600_000


def spending(since_ms: int, until_ms: int) -> Question:
    """Ask what each endpoint used and made in [since, until), and in the same hours of the days before.

    Rows: `endpoint`, `days_ago` (0 is the window), `requests`, `tokens_in`, `tokens_cache_read`, `tokens_out`;
    `minutes` in which a replica was seen, `replica_minutes`, `gpu_minutes_seen`, `gpu_minutes`, each 0 if there are
    none. Days without requests are absent.

    Args:
        since_ms: Start of the window, a whole hour, unix milliseconds.
        until_ms: Its end, a whole hour, excluded; at most a day later.

    Raises:
        ValueError: The window is not made of whole hours, or is longer than a day.
    """
    if since_ms % _HOUR_MS or until_ms % _HOUR_MS:
        raise ValueError(f"a window from {since_ms} to {until_ms} is not made of whole hours")
    return Question(sql=_SPENDING, parameters=same_hours.values(since_ms, until_ms), seconds_max=REPORT_S)


def tokens_in_time(since_ms: int, until_ms: int, anchor: Anchor) -> Question:
    """Ask how many of the users' output tokens are of answers that were in time, in the same hours now and before.

    Rows: `endpoint`; `now_tokens`, `now_in_time`, `before_tokens`, `before_in_time`. An answer is in time if it ended
    well and its first output came within the anchor; one whose first output is not known is left out of both.

    Args:
        since_ms: Start of the window, unix milliseconds.
        until_ms: Its end, excluded; at most a day later.
        anchor: How long a first output may take.

    Raises:
        ValueError: The window is longer than a day, so that it would be its own reference.
    """
    values = same_hours.values(since_ms, until_ms)
    values |= {"base_us": anchor.base_us, "per_token_us": anchor.per_token_us}
    return Question(sql=_IN_TIME, parameters=values, seconds_max=REPORT_S)


def _hours(columns: list[str], table: str, condition: str) -> Select:
    """Return what a roll-up has of the same hours of each day."""
    return Select(
        columns=["toString(s.endpoint) AS endpoint", f"{same_hours.days_ago('t')} AS days_ago", *columns],
        source=f"inferometer.{table} AS s",
        where=[same_hours.of_rollup(), condition],
        group_by=["endpoint", "days_ago"],
    )


_SUMS = ("tokens_in", "tokens_cache_read", "tokens_out")
_MADE = _hours(["sum(s.n) AS requests", *(f"sum(s.{name}) AS {name}" for name in _SUMS)], "r_1h", "traffic != 'engine'")
_REPLICAS = _hours(
    ["toUInt64(uniqExact(t)) AS minutes", "toUInt64(uniqExact(s.replica, t)) AS replica_minutes"],
    "r_engine_1m",
    "s.n_up > 0",
)
_GPUS = _hours(
    ["toUInt64(uniqExact(t)) AS gpu_minutes_seen", "toUInt64(uniqExact(s.gpu_uuid, t)) AS gpu_minutes"],
    "r_gpu_1m",
    "s.endpoint != ''",
)
_SPENDING = Select(
    columns=[
        *("endpoint", "days_ago", "requests", *_SUMS),
        *("minutes", "replica_minutes", "gpu_minutes_seen", "gpu_minutes"),
    ],
    source=(
        f"(\n{_MADE.text()}\n) AS m\n"
        f"LEFT JOIN (\n{_REPLICAS.text()}\n) AS r USING (endpoint, days_ago)\n"
        f"LEFT JOIN (\n{_GPUS.text()}\n) AS g USING (endpoint, days_ago)"
    ),
    order_by=["endpoint", "days_ago"],
).text()

_TOKENS = "toUInt64(ifNull(tokens_out, 0))"
_IN_TIME = Select(
    given=[
        "{base_us:Float64} + if({per_token_us:Float64} = 0, 0, {per_token_us:Float64} * tokens_in) AS limit_us",
        "ifNull(outcome = 'ok' AND ttft_us <= limit_us, 0) AS is_in_time",
        "ended_at >= fromUnixTimestamp64Milli({window:Int64}) AS is_now",
    ],
    columns=[
        "endpoint",
        f"sumIf({_TOKENS}, is_now) AS now_tokens",
        f"sumIf({_TOKENS}, is_now AND is_in_time) AS now_in_time",
        f"sumIf({_TOKENS}, NOT is_now) AS before_tokens",
        f"sumIf({_TOKENS}, NOT is_now AND is_in_time) AS before_in_time",
    ],
    source="inferometer.requests",
    where=[
        same_hours.of_requests(),
        "traffic = 'user'",
        "isNotNull(ttft_us)",
        "isNotNull(limit_us)",
    ],
    group_by=["endpoint"],
    order_by=["endpoint"],
).text()
