"""Knows the question what series were at this hour of the week, and are now; refuses to say what is unusual.

A series is one figure of an endpoint in steps of five minutes. The past is the same hour of the week on each of four
weeks: twelve steps around the last three. Weeks are of UTC, so for a week after clocks change they are an hour off.

Source: spec/slo.md 13 (generic `anomaly`: weekday-hour of 4 weeks); spec/store.md 4 (roll-ups of a minute).
"""

from telemetry.percentile import P95
from telemetry.queries import buckets
from telemetry.queries.question import PAGE_S, Question, Select

STEP_S = 300
WEEKS = 4
"""Weeks that are looked back."""
LAST_STEPS, HOUR_STEPS = 3, 12
"""Steps that are judged, and steps of an hour."""

_WEEK_S, _HOUR_S = 604_800, 3_600
_AFTER_S = 1_200  # the past hour reaches from 40 min before the same instant to 20 min after it


def request_steps(at_s: int) -> Question:
    """Ask what requests of users were like, in steps.

    Rows: `endpoint`, `weeks_ago` (0 to 4), `t_unix_s` (start of the step), `n`, `eligible`, `error_ratio` (NULL without
    any eligible request), `tokens_per_s` (output tokens, by the minute in which they came), `n_ttft`, `ttft_p95_s`
    (NULL without any). Of the present week the last 75 min; steps without any row are absent; oldest last week first.

    Args:
        at_s: The instant, a multiple of the step, unix seconds.
    """
    return Question(sql=_REQUESTS, parameters=_values(at_s), seconds_max=PAGE_S)


def queue_steps(at_s: int) -> Question:
    """Ask how many requests waited in the engines, in steps.

    Rows: `endpoint`, `weeks_ago`, `t_unix_s`, `queued` (mean of one replica); otherwise as `request_steps`.
    """
    return Question(sql=_QUEUES, parameters=_values(at_s), seconds_max=PAGE_S)


def _values(at_s: int) -> dict[str, object]:
    return {"at": at_s}


_T = "toUnixTimestamp(t)"
_BACK = f"{{at:Int64}} + {_AFTER_S - 1} - {_T}"
_KEYS = ("endpoint", "weeks_ago", "t_unix_s")


def _within(first_s: int, end_s: int) -> str:
    return f"(t >= toDateTime({{at:Int64}} - {first_s}) AND t < toDateTime({{at:Int64}} - {end_s}))"


# Each week's hour is a range of its own, so that the store leaves out the marks between them (`same_hours`).
_HOURS = "\n    OR ".join(
    [
        _within((LAST_STEPS + HOUR_STEPS) * STEP_S, 0),
        *(_within(ago * _WEEK_S + _HOUR_S - _AFTER_S, ago * _WEEK_S - _AFTER_S) for ago in range(1, WEEKS + 1)),
    ]
)


def _steps(columns: list[str], table: str, where: list[str]) -> Select:
    return Select(
        columns=[
            "toString(s.endpoint) AS endpoint",
            f"intDiv({_BACK}, {_WEEK_S}) AS weeks_ago",
            f"intDiv({_T}, {STEP_S}) * {STEP_S} AS t_unix_s",
            *columns,
        ],
        source=f"inferometer.{table} AS s",
        where=[f"({_HOURS})", *where],
        group_by=_KEYS,
    )


_OF_REQUESTS = _steps(
    [
        "sum(s.n) AS n",
        "sum(s.bad) AS n_bad",
        "sum(s.good) + n_bad AS eligible",
        f"sum(s.tokens_by_event) / {STEP_S} AS tokens_per_s",
        "sumMap(s.ttft_h) AS h",
    ],
    "r_1m",
    ["traffic = 'user'"],
)
_REQUESTS = Select(
    given=buckets.given("h", "0"),
    columns=[
        *(*_KEYS, "n", "eligible"),
        "if(eligible = 0, NULL, n_bad / eligible) AS error_ratio",
        *("tokens_per_s", "n_ok AS n_ttft"),
        buckets.quantile_columns("ok")[0],
        f"ok_s[{buckets.PERCENTILES_PPM.index(P95) + 1}] AS ttft_p95_s",
    ],
    source=_OF_REQUESTS,
    order_by=_KEYS,
).text()
_QUEUES = Select(
    columns=["*"],
    source=_steps(["sum(s.queued_sum) / sum(s.queued_n) AS queued"], "r_engine_1m", ["s.queued_n > 0"]),
    order_by=_KEYS,
).text()
