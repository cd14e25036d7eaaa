"""Knows the question of how each replica did beside its peers; refuses to compare them.

Roll-ups have no replica, so the rows themselves are read: the window is minutes.

Source: spec/slo.md 14 (`replica_outlier`); spec/store.md 4.1 (dimensions of the roll-ups).
"""

from telemetry.queries.asked import ENDED_WITHIN
from telemetry.queries.bounds import TPOT_TOKENS_MIN
from telemetry.queries.question import PAGE_S, Question, Select


def replicas(since_ms: int, until_ms: int) -> Question:
    """Ask how the users' requests to each replica went.

    Rows: `endpoint`, `model`, `replica`, `n` (good and bad requests), `bad`, `paced` (those with a time per output
    token), `tpot_us` (their median, nearest rank; NULL without any). Requests whose replica is not known are left out.

    Args:
        since_ms: Start of the window, unix milliseconds.
        until_ms: End, excluded.
    """
    return Question(sql=_REPLICAS, parameters={"since": since_ms, "until": until_ms}, seconds_max=PAGE_S)


_PACED = f"r.tpot_us > 0 AND r.tokens_out >= {TPOT_TOKENS_MIN}"
_REPLICAS = Select(
    columns=[
        *("endpoint", "model", "replica"),
        "countIf(r.eligible IN ('good', 'bad')) AS n",
        "countIf(r.eligible = 'bad') AS bad",
        f"countIf({_PACED}) AS paced",
        f"if(paced = 0, NULL, quantileExactLowIf(0.5)(assumeNotNull(r.tpot_us), {_PACED})) AS tpot_us",
    ],
    source="inferometer.requests AS r",
    where=[*ENDED_WITHIN, "traffic = 'user'", "r.replica != ''"],
    group_by=["endpoint", "model", "replica"],
    order_by=["endpoint", "model", "replica"],
).text()
