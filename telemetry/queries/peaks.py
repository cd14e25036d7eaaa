"""Knows the question how the busiest minutes ended; refuses to judge.

A minute is busy if as many requests ended in it as in the busiest tenth of the minutes of seven days that had any.

Source: spec/slo.md 13 (`error_rate_peak`: minutes with load >= P90 of 7 d); spec/store.md 4.1 (`r_1m`).
"""

from telemetry.queries.question import PAGE_S, Question, Select

WEEK_S, DAY_S = 604_800, 86_400

_BELOW_P90 = 0.899_999
"""Of n values `quantileExactLow` takes the one after `level * n`, rounded down (chDB 26.9): at 0.9 the 91st of 100."""


def least_busy(load: str) -> str:
    """Return the aggregate for the load from which on a minute is busy: nearest rank, of 100 minutes the 90th.

    Args:
        load: A column, of up to 99,999 minutes.
    """
    return f"quantileExactLow({_BELOW_P90})({load})"


def peaks(at_s: int, window_s: int) -> Question:
    """Ask how the requests of users ended in the busy minutes of a window that ends at an instant.

    Rows: `endpoint`, `model`, `busy` (requests from which a minute is busy), `minutes` (busy ones of the window),
    `eligible`, `bad` (of those), `day_bad`, `day_squares` (sums over the minutes of the day before the window of bad
    requests and of their squares), `minutes_known` (of seven days with any request).

    Args:
        at_s: The instant, a whole minute, unix seconds.
        window_s: Length, whole minutes.
    """
    values = {"at": at_s, "window": window_s, "day": DAY_S, "week": WEEK_S}
    return Question(sql=_PEAKS, parameters=values, seconds_max=PAGE_S)


_MINUTES = Select(
    columns=[
        *("endpoint", "model", "t"),
        "sum(s.n) AS n",
        "sum(s.good) + sum(s.bad) AS eligible",
        "sum(s.bad) AS bad",
        f"{least_busy('n')} OVER (PARTITION BY endpoint, model) AS busy",
        "t >= toDateTime({at:Int64} - {window:Int64}) AS is_now",
        "NOT is_now AND t >= toDateTime({at:Int64} - {window:Int64} - {day:Int64}) AS is_before",
    ],
    source="inferometer.r_1m AS s",
    where=[
        "t >= toDateTime({at:Int64} - {week:Int64})",
        "t < toDateTime({at:Int64})",
        "traffic = 'user'",
    ],
    group_by=["endpoint", "model", "t"],
    having=["n > 0"],
)
_PEAKS = Select(
    columns=[
        *("endpoint", "model"),
        "any(m.busy) AS busy",
        "countIf(is_now AND n >= m.busy) AS minutes",
        "sumIf(m.eligible, is_now AND n >= m.busy) AS eligible",
        "sumIf(m.bad, is_now AND n >= m.busy) AS bad",
        "sumIf(m.bad, is_before) AS day_bad",
        "sumIf(m.bad * m.bad, is_before) AS day_squares",
        "count() AS minutes_known",
    ],
    source=f"(\n{_MINUTES.text()}\n) AS m",
    group_by=["endpoint", "model"],
    order_by=["endpoint", "model"],
).text()
