"""Knows the question for the traffic of a window, as a load test replays it; refuses to know texts, which are not kept.

Source: spec/loadtest.md 10 (own store).
"""

from telemetry.outcome import Outcome
from telemetry.queries.asked import Asked, Pick, Source, conditions, parameters, table
from telemetry.queries.question import REPORT_S, Question, Select

REPLAYED_MAX = 1_000_000
"""Requests in one answer."""


def replayed(asked: Asked, limit: int = REPLAYED_MAX) -> Question:
    """Ask for the requests that ended in a window, in the order of their arrival, load tests' own left out by default.

    Rows: `t_unix_us` (arrival), `workload_class`, `tokens_in`, `tokens_out` (NULL if unknown), `left_after_us` (the
    user left after this time without a token; NULL if not), `conversation` (keyed hash of the workflow; NULL if none).
    A limit that is reached cuts the window's end off: ask for less.

    Args:
        asked: Window and filters; `by` and `step_s` do not matter.
        limit: Rows.

    Raises:
        ValueError: The limit is none.
    """
    if not 0 < limit <= REPLAYED_MAX:
        raise ValueError(f"{limit} requests; allowed are 1 to {REPLAYED_MAX}")
    pick = Pick(source=Source.RAW, exact=True, since_ms=asked.since_ms, until_ms=asked.until_ms)
    found = Select(
        columns=[
            "toUnixTimestamp64Micro(started_at) AS t_unix_us",
            "toString(workload_class) AS workload_class",
            "tokens_in",
            "tokens_out",
            "if(outcome = {left:String} AND isNull(ttft_us), elapsed_us, NULL) AS left_after_us",
            "flow_id AS conversation",
        ],
        source=table(pick),
        where=[*conditions(asked, pick), "attempt = 1"],
        order_by=["t_unix_us", "record_id"],
        tail="LIMIT {limit:UInt32}",
    )
    values = parameters(asked, pick) | {"limit": limit, "left": Outcome.CLIENT_CANCELLED.value}
    return Question(sql=found.text(), parameters=values, seconds_max=REPORT_S)
