"""Knows how requests that share a `flow_id` are told apart from those of an earlier flow; refuses to judge them.

Source: spec/slo.md 2 (`flow_id`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from telemetry.queries.asked import ENDED_WITHIN
from telemetry.queries.counted import SELECTED_BY, Counted, judged
from telemetry.queries.question import Select


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Which requests are looked at.

    Attributes:
        since_ms: Start of the window of `ended_at`, unix milliseconds.
        until_ms: End, excluded.
        quiet_us: Time without a request that ended, after which a number is that of another flow.
    """

    since_ms: int
    until_ms: int
    quiet_us: int


def steps_of(one: Counted, span: Span, columns: Sequence[str] = ()) -> tuple[Select, dict[str, object]]:
    """Return the requests that have a `flow_id`, each with `part`: how many silences its number had before.

    Rows: `flow`, `part`, `ended_us` (unix microseconds), `lasted_us`, `class`, `verdict`, `ending` (the outcome), what
    `columns` names, and `of_<dimension>` for each of the group.

    Args:
        one: Which requests; its `good` gives the verdict.
        span: When they ended, and what a silence is.
        columns: As `counted.judged` takes them.
    """
    steps, values = judged(
        one,
        [
            "flow_id AS flow",
            "toUnixTimestamp64Milli(ended_at) * 1000 AS ended_us",
            "toInt64(elapsed_us) AS lasted_us",
            "toString(outcome) AS ending",
            *columns,
            *(f"toString({dim.value}) AS of_{dim.value}" for dim in one.group_by),
        ],
        [*ENDED_WITHIN, "isNotNull(flow_id)"],
    )
    over = "OVER (PARTITION BY flow ORDER BY ended_us ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"
    silence = f"ended_us - lagInFrame(ended_us, 1, ended_us) {over}"
    apart = Select(columns=["*", f"toUInt64({silence} > {{quiet:Int64}}) AS is_first"], source=steps)
    values |= {"since": span.since_ms, "until": span.until_ms, "quiet": span.quiet_us}
    return Select(columns=["*", f"sum(is_first) {over} AS part"], source=apart), values


def group_columns(one: Counted) -> list[str]:
    """Return what a flow is grouped by: what its first request to end was."""
    return [f"argMin(of_{dim.value}, ended_us) AS of_{dim.value}" for dim in SELECTED_BY if dim in one.group_by]


def group_key(one: Counted) -> str:
    """Return the SQL of the values of a group as JSON, named `group_key`."""
    pairs = ", ".join(f"'{dim.value}', of_{dim.value}" for dim in SELECTED_BY if dim in one.group_by)
    return f"toJSONString(map({pairs})) AS group_key" if pairs else "'{}' AS group_key"
