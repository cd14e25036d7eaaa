"""Knows the question of how busy GPUs are when it matters: in the minutes with the most requests; refuses to judge.

Source: spec/scaling.md 6.7 (peak minutes: load >= P90 of 7 d; `telemetry.queries.peaks`); spec/store.md 4 (roll-ups).
"""

from telemetry.queries.peaks import least_busy
from telemetry.queries.question import REPORT_S, Question, Select


def gpu_peaks(since_ms: int, until_ms: int) -> Question:
    """Ask what the GPUs of each endpoint did in its peak minutes; endpoints without any GPU are absent.

    Rows: `endpoint`, `minutes` (peaks), `known` (those in which the use of a GPU was read), `per_s` (mean of the users'
    requests that ended in a peak minute, a second), `replicas` (mean of those that were scraped; NULL if none was), and
    the means `util_ratio` and `sm_ratio` (NULL if unread).

    Args:
        since_ms: Start of the window, unix milliseconds.
        until_ms: End, excluded.
    """
    return Question(sql=_PEAKS, parameters={"since": since_ms, "until": until_ms}, seconds_max=REPORT_S)


_WITHIN = ("t >= fromUnixTimestamp64Milli({since:Int64})", "t < fromUnixTimestamp64Milli({until:Int64})")


def _ppm(name: str) -> str:
    # Over millionths as integers: a sum of floats depends on the order in which threads add them up.
    return f"if(sum(s.{name}_n) = 0, NULL, toInt64(round(sum(s.{name}_sum) / sum(s.{name}_n) * 1000000))) AS {name}_ppm"


_LOADS = Select(
    columns=["toString(s.endpoint) AS endpoint", "t", "sum(s.n) AS load"],
    source="inferometer.r_1m AS s",
    where=[*_WITHIN, "traffic = 'user'"],
    group_by=["endpoint", "t"],
    having=["load > 0"],
)
_BUSY = Select(
    columns=["*", f"{least_busy('load')} OVER (PARTITION BY endpoint) AS least"],
    source=_LOADS,
)
_GPUS = Select(
    columns=["toString(s.endpoint) AS endpoint", "t", _ppm("gpu_util_ratio"), _ppm("sm_ratio")],
    source="inferometer.r_gpu_1m AS s",
    where=[*_WITHIN, "endpoint != ''"],
    group_by=["endpoint", "t"],
)
_REPLICAS = Select(
    columns=["toString(s.endpoint) AS endpoint", "t", "toUInt64(uniqExact(s.replica)) AS replicas"],
    source="inferometer.r_engine_1m AS s",
    where=[*_WITHIN, "s.n_up > 0"],
    group_by=["endpoint", "t"],
)
_PEAKS = Select(
    columns=[
        *("endpoint", "count() AS minutes", "countIf(isNotNull(g.gpu_util_ratio_ppm)) AS known"),
        "sum(load) / count() / 60 AS per_s",
        "if(countIf(r.replicas > 0) = 0, NULL, avgIf(r.replicas, r.replicas > 0)) AS replicas",
        "avg(g.gpu_util_ratio_ppm) / 1000000 AS util_ratio",
        "avg(g.sm_ratio_ppm) / 1000000 AS sm_ratio",
    ],
    source=(
        f"(\n{_BUSY.text()}\n) AS b\n"
        f"LEFT JOIN (\n{_GPUS.text()}\n) AS g USING (endpoint, t)\n"
        f"LEFT JOIN (\n{_REPLICAS.text()}\n) AS r USING (endpoint, t)"
    ),
    where=["load >= least"],
    group_by=["endpoint"],
    having=["known > 0"],
    order_by=["endpoint"],
).text()
