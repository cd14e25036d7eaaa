"""Knows the questions how durations are spread within strata, under load and against before; refuses to judge a tail.

Load is requests that end in a minute, of the minutes of seven days that have any, from the roll-up. It is known in
arrears: while answers take minutes, so does their load.

Histograms are of fine buckets (`telemetry.queries.strata`). A request judged bad that has no such duration is a
failure; one whose length is not known has a stratum of its own, as its engine did not say it.

Source: spec/slo.md 13 (`ttft_p99_load_triple`: load >= P80 and <= P30 of 7 d; `tail_spread`, `wasting_compute`).
"""

from telemetry.queries import same_hours
from telemetry.queries.asked import ENDED_WITHIN, Metric
from telemetry.queries.question import REPORT_S, Question, Select
from telemetry.queries.strata import STRATUM, STRATUM_KEYS, fine

HIGH_LOAD, LOW_LOAD = 0.8, 0.3
"""Quantiles of the requests of a minute, from which on load is high, and up to which it is low."""
LEVEL_DAYS = 7
"""Days whose minutes say what load is high."""


def waits_by_load(since_ms: int, until_ms: int, low_since_ms: int) -> Question:
    """Ask for the time to first output in the minutes of high load of [since, until), and of low load since before.

    Rows, one for each stratum: `endpoint`, `model`, `band`, `cache`, `high_load` and `low_load` (requests a minute),
    `high` and `low` (fine bucket to requests), `high_failed`, `low_failed`.

    Args:
        since_ms: From when on minutes of high load are looked at, unix milliseconds.
        until_ms: Until when, excluded.
        low_since_ms: From when on minutes of low load are.
    """
    values = {
        "high_since": since_ms,
        "since": low_since_ms,
        "until": until_ms,
        "level_since": until_ms - LEVEL_DAYS * same_hours.DAY_MS,
    }
    return Question(sql=_BY_LOAD, parameters=values, seconds_max=REPORT_S)


def spreads(metric: Metric, since_ms: int, until_ms: int) -> Question:
    """Ask for a duration of the requests of users in [since, until), and in the same hours of the days before.

    Rows, one for each stratum: `endpoint`, `model`, `band`, `cache`; of the two halves of the window and of the days
    before `early`, `late` and `before` (fine bucket to successful requests), `early_failed`, `late_failed`,
    `before_failed`.

    Args:
        metric: The duration.
        since_ms: Start of the window, unix milliseconds.
        until_ms: Its end, excluded; at most a day later.

    Raises:
        ValueError: The window is longer than a day, so that it would be its own reference.
    """
    values = same_hours.values(since_ms, until_ms)
    return Question(sql=_SPREADS[metric], parameters=values, seconds_max=REPORT_S)


_KEYS = ("endpoint", "model", *STRATUM_KEYS)


def _merged(groups: dict[str, str], source: Select, first: tuple[str, ...] = ()) -> str:
    """Return the histograms of groups of rows that are counted by bucket: a map of each row alone takes five times."""
    columns = [
        column
        for name, condition in groups.items()
        for column in (
            f"sumMapIf(map(c.bucket, c.rows), {condition} AND NOT c.is_failed) AS {name}",
            f"sumIf(c.rows, {condition} AND c.is_failed) AS {name}_failed",
        )
    ]
    return Select(
        columns=[*_KEYS, *first, *columns],
        source=f"(\n{source.text()}\n) AS c",
        group_by=_KEYS,
        order_by=_KEYS,
    ).text()


def _counted(metric: Metric, side: str, source: str, where: list[str]) -> Select:
    us = f"{metric.value}_us"
    ok = f"outcome = 'ok' AND isNotNull({us})"
    failed = f"eligible = 'bad' AND isNull({us})"
    return Select(
        columns=[
            *("endpoint", "model"),
            *STRATUM,
            f"{side} AS side",
            f"{failed} AS is_failed",
            f"if(is_failed, toInt16(0), {fine(f'assumeNotNull({us})')}) AS bucket",
            "count() AS rows",
        ],
        source=source,
        where=[*where, "traffic = 'user'", f"(({ok}) OR ({failed}))"],
        group_by=[*_KEYS, "side", "is_failed", "bucket"],
    )


_BEGINS = "fromUnixTimestamp64Milli({window:Int64})"
_MIDDLE = "fromUnixTimestamp64Milli(intDiv({window:Int64} + {until:Int64}, 2))"
_HALF = f"multiIf(ended_at < {_BEGINS}, 0, ended_at < {_MIDDLE}, 1, 2)"
_SPREADS = {
    metric: _merged(
        {"early": "c.side = 1", "late": "c.side = 2", "before": "c.side = 0"},
        _counted(metric, _HALF, "inferometer.requests", [same_hours.of_requests()]),
    )
    for metric in (Metric.TTFT, Metric.TPOT, Metric.E2E)
}

_MINUTES = Select(
    columns=["endpoint", "model", "t", "sum(s.n) AS load"],
    source="inferometer.r_1m AS s",
    where=[
        "t >= fromUnixTimestamp64Milli({level_since:Int64})",
        "t < fromUnixTimestamp64Milli({until:Int64})",
        "traffic = 'user'",
    ],
    group_by=["endpoint", "model", "t"],
    having=["load > 0"],
)
_LEVELS = Select(
    columns=[
        *("endpoint", "model"),
        f"quantilesExactWeighted({LOW_LOAD}, {HIGH_LOAD})(load, 1) AS levels",
        "groupArray((t, load)) AS minutes",
    ],
    source=_MINUTES,
    group_by=["endpoint", "model"],
)
_CLASSED = Select(
    columns=[
        *("endpoint", "model"),
        "levels[1] AS low_load",
        "levels[2] AS high_load",
        "one.1 AS minute",
        "one.2 >= high_load AND minute >= fromUnixTimestamp64Milli({high_since:Int64}) AS is_high",
        "one.2 <= low_load AND minute >= fromUnixTimestamp64Milli({since:Int64}) AS is_low",
    ],
    source=f"(\n{_LEVELS.text()}\n)\nARRAY JOIN minutes AS one",
    where=["(is_high OR is_low)"],
)
_NEEDED = ("endpoint", "model", "ended_at", "traffic", "eligible", "outcome", "ttft_us", "tokens_in")
_ROWS = Select(
    columns=[*_NEEDED, "tokens_cache_read", "toStartOfMinute(ended_at) AS minute"],
    source="inferometer.requests",
    where=[*ENDED_WITHIN, "traffic = 'user'"],
)
_BY_LOAD = _merged(
    {"high": "c.side.1", "low": "c.side.2"},
    _counted(
        Metric.TTFT,
        "(is_high, is_low, high_load, low_load)",
        f"(\n{_ROWS.text()}\n) AS r\nINNER JOIN (\n{_CLASSED.text()}\n) AS m USING (endpoint, model, minute)",
        [],
    ),
    ("any(c.side.3) AS high_load", "any(c.side.4) AS low_load"),
)
