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


_PACED = f"r.tpot_us > 0 AND r.tokens_out >= {TPOT_TOKENS_MIN}"
_WHERE = (*ENDED_WITHIN, "traffic = 'user'", "r.replica != ''")
_MIDDLES = Select(
    columns=["endpoint", "model", "quantileExactLow(0.5)(own_us) AS middle_us"],
    source=Select(
        columns=["endpoint", "model", "replica", "quantileExactLow(0.5)(assumeNotNull(r.tpot_us)) AS own_us"],
        source="inferometer.requests AS r",
        where=[*_WHERE, _PACED],
        group_by=["endpoint", "model", "replica"],
    ),
    group_by=["endpoint", "model"],
)
_REPLICAS = Select(
    columns=[
        *("endpoint", "model", "replica"),
        "countIf(r.eligible IN ('good', 'bad')) AS n",
        "countIf(r.eligible = 'bad') AS bad",
        f"countIf({_PACED}) AS paced",
        f"if(paced = 0, NULL, quantileExactLowIf(0.5)(assumeNotNull(r.tpot_us), {_PACED})) AS tpot_us",
        f"countIf({_PACED} AND r.tpot_us > {{ratio:Float64}} * m.middle_us) AS slower",
    ],
    source=f"inferometer.requests AS r\nLEFT JOIN (\n{_MIDDLES.text()}\n) AS m USING (endpoint, model)",
    where=_WHERE,
    group_by=["endpoint", "model", "replica"],
    order_by=["endpoint", "model", "replica"],
).text()
