"""Knows the question of how each replica did beside its peers; refuses to compare them.

Roll-ups have no replica, so the rows themselves are read: the window is minutes.

Source: spec/slo.md 14 (`replica_outlier`); spec/store.md 4.1 (dimensions of the roll-ups).
"""

from telemetry.queries.asked import ENDED_WITHIN
from telemetry.queries.bounds import TPOT_TOKENS_MIN
from telemetry.queries.question import PAGE_S, Question, Select


def replicas(since_ms: int, until_ms: int, slower_ratio: float) -> Question:
    """Ask how the users' requests to each replica went.

    Rows: `endpoint`, `model`, `replica`, `n` (good and bad requests), `bad`, `paced` (those with a time per output
    token), `tpot_us` (their median, nearest rank; NULL without any), `slower` (those of them that took more than
    `slower_ratio` times the middle, which is the median of the replicas' medians). Requests whose replica is not known
    are left out.

    Args:
        since_ms: Start of the window, unix milliseconds.
        until_ms: End, excluded.
        slower_ratio: Times the middle.
    """
    values = {"since": since_ms, "until": until_ms, "ratio": slower_ratio}
    return Question(sql=_REPLICAS, parameters=values, seconds_max=PAGE_S)


# A join whose left side is a table is refused where tables are spread over shards: both sides are made first.
_PACED = f"tpot_us > 0 AND tokens_out >= {TPOT_TOKENS_MIN}"
_SENT = Select(
    columns=[
        *("endpoint", "model", "replica", "eligible IN ('good', 'bad') AS counts", "eligible = 'bad' AS is_bad"),
        f"if({_PACED}, tpot_us, NULL) AS pace_us",
    ],
    source="inferometer.requests",
    where=[*ENDED_WITHIN, "traffic = 'user'", "replica != ''"],
)
_MIDDLES = Select(
    columns=["endpoint", "model", "quantileExactLow(0.5)(own_us) AS middle_us"],
    source=Select(
        columns=["endpoint", "model", "replica", "quantileExactLow(0.5)(assumeNotNull(pace_us)) AS own_us"],
        source=Select(columns=["*"], source=_SENT, where=["isNotNull(pace_us)"]),
        group_by=["endpoint", "model", "replica"],
    ),
    group_by=["endpoint", "model"],
)
_REPLICAS = Select(
    columns=[
        *("endpoint", "model", "replica", "countIf(r.counts) AS n", "countIf(r.is_bad) AS bad"),
        "count(r.pace_us) AS paced",
        "if(paced = 0, NULL, quantileExactLow(0.5)(r.pace_us)) AS tpot_us",
        "countIf(r.pace_us > {ratio:Float64} * m.middle_us) AS slower",
    ],
    source=f"(\n{_SENT.text()}\n) AS r\nLEFT JOIN (\n{_MIDDLES.text()}\n) AS m USING (endpoint, model)",
    group_by=["endpoint", "model", "replica"],
    order_by=["endpoint", "model", "replica"],
).text()
