"""Knows the questions that end at single requests: the slowest ones, and one by its id; refuses to know aggregates.

Source: spec/store.md 2.1 (`record_id` is found by its day, never by its order), 4.1 (exemplars); spec/ui.md 3.
"""

from uuid import UUID

from telemetry.queries.asked import ENDED_WITHIN, Asked, Metric, Pick, Source, conditions, parameters, table
from telemetry.queries.question import Question, Select
from telemetry.schema import REQUESTS

SLOWEST_MAX = 1_000
"""Requests in one answer."""

_DAY_MS = 86_400_000
_UUID7 = 7
_DIMS = ("endpoint", "model", "region", "workload_class", "variant", "traffic")
_WORST = {Metric.TTFT: "ttft_worst", Metric.E2E: "e2e_worst", Metric.ICL_MAX: "stall_worst"}


def slowest(asked: Asked, pick: Pick, metric: Metric, limit: int = 20) -> Question:
    """Ask for the slowest requests, slowest first; failed ones too, if the value was observed.

    Rows: `record_id`, `us`, `t_unix_ms`, `n`, the six dims, `outcome`, `trace_id` (hexadecimal, NULL without one),
    `replica`; `table_used`. From raw rows `t_unix_ms` is the end and n is 1. A roll-up keeps the slowest of each group
    and step: there `t_unix_ms` is the step's start, n says of how many it is the slowest, and the rest is NULL.

    Args:
        asked: Window and filters; `by` and `step_s` do not matter.
        pick: The table.
        metric: `ttft`, `e2e` or `icl_max` (the longest stall).
        limit: Rows.

    Raises:
        ValueError: No exemplars are kept of the metric, or the limit is none.
    """
    if metric not in _WORST:
        raise ValueError(f"no exemplars of {metric}; of {', '.join(_WORST)} there are")
    if not 0 < limit <= SLOWEST_MAX:
        raise ValueError(f"{limit} requests; allowed are 1 to {SLOWEST_MAX}")
    found = _raw(asked, pick, metric) if pick.source is Source.RAW else _rolled(asked, pick, metric)
    return Question(sql=found.text(), parameters=parameters(asked, pick) | {"limit": limit})


def request(record_id: UUID) -> Question:
    """Ask for one request with all its columns; no row if it is not, or no longer, kept.

    Raises:
        ValueError: The id is no UUIDv7, which alone says on which day to look.
    """
    if record_id.version != _UUID7:
        raise ValueError(f"{record_id} is no UUIDv7")
    made_ms = record_id.int >> 80
    # The id is made when the record is, so its clock and `ended_at` differ by little; a day covers a stepped clock.
    values = {"id": str(record_id), "since": max(0, made_ms - _DAY_MS), "until": made_ms + _DAY_MS}
    return Question(sql=_REQUEST, parameters=values)


def _raw(asked: Asked, pick: Pick, metric: Metric) -> Select:
    return Select(
        columns=[
            "record_id",
            f"toUInt64(assumeNotNull({metric.value}_us)) AS us",
            "toUnixTimestamp64Milli(ended_at) AS t_unix_ms",
            "toUInt64(1) AS n",
            *_DIMS,
            "toNullable(toString(outcome)) AS outcome",
            "if(trace_id = toFixedString('', 16), NULL, lower(hex(trace_id))) AS trace_id",
            "toNullable(toString(replica)) AS replica",
            f"'{pick.source.value}' AS table_used",
        ],
        source=table(pick),
        where=[*conditions(asked, pick), f"isNotNull({metric.value}_us)"],
        order_by=["us DESC", "record_id"],
        tail="LIMIT {limit:UInt32}",
    )


def _rolled(asked: Asked, pick: Pick, metric: Metric) -> Select:
    inner = Select(
        columns=[*_DIMS, "t", f"max(s.{_WORST[metric]}) AS worst", "sum(s.n) AS n"],
        source=table(pick),
        where=conditions(asked, pick),
        group_by=[*_DIMS, "t"],
        having=["worst.1 > 0"],
    )
    return Select(
        columns=[
            "worst.2 AS record_id",
            "worst.1 AS us",
            "toInt64(toUnixTimestamp(t)) * 1000 AS t_unix_ms",
            "n",
            *_DIMS,
            *(f"CAST(NULL, 'Nullable(String)') AS {name}" for name in ("outcome", "trace_id", "replica")),
            f"'{pick.source.value}' AS table_used",
        ],
        source=inner,
        order_by=["us DESC", "record_id"],
        tail="LIMIT {limit:UInt32}",
    )


_REQUEST = Select(
    columns=[column.name for column in REQUESTS.columns],
    source="inferometer.requests",
    where=[
        "record_id = {id:UUID}",
        *ENDED_WITHIN,
    ],
    tail="LIMIT 1",
).text()
