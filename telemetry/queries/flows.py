"""Knows how to count flows: requests that share a `flow_id`, of which each flow is one event; refuses to know targets.

A flow is done when a request ends that is its last step. It is over when its budget is, counted from the start of its
first request. It belongs to the bucket in which the earlier of the two happened, and is judged by what had ended until
then, so an answer does not depend on when, or for how long a span at once, it is asked for:

| its outcome | counts as |
|---|---|
| done within the budget | good |
| over; the newest request ended badly, or well without being the last step | bad, by the outcome of that request |
| over; the client had left, within the budget | excluded |
| over; the newest request counts nowhere (spec/slo.md 3) | excluded |
| over, and resumed after a failure with its context, where that is asked for | good |

A failed step may be tried again until the budget is over, so a flow that failed is known when its budget is. Context is
kept if the request after the failure has at least half of the prompt that the flow had before it. A flow whose requests
stop ending for `QUIET_S` (or its budget, if that is longer) is over; the same number later is another flow.

Error: none, of the rows that are there. One that comes late may move its flow to another bucket, up to two budgets
away: those around it have to be counted again.

Source: spec/slo.md 2 (workflow_latency, workflow_completion), 3 (censoring of flows).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from telemetry.queries.bounds import BAD, CENSORED, EXCLUDED, GOOD
from telemetry.queries.counted import BUCKET_S, TRUE, Clause, Counted, sql_type, tallied
from telemetry.queries.question import PAGE_S, Question, Select
from telemetry.queries.steps import Span, group_columns, group_key, steps_of

QUIET_S = 3_600
"""Silence after which a number is that of another flow."""
BUDGET_S_MAX = 86_400
"""Longest budget of a flow: twice as much is looked at."""
KEPT_RATIO = 0.5
"""Share of a prompt that shows that a flow still has its context."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowStage:
    """Some steps of a flow that have a budget of their own.

    Attributes:
        match: Which steps, over the names that an objective's `only` has.
        budget_s: First of them sent to one of them done.
    """

    match: Clause
    budget_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedFlows:
    """An objective of flows as the store counts it.

    Attributes:
        steps: Which requests are steps; its `good` says which of them is the last.
        budget_s: First request sent to last step done.
        may_resume: Whether a flow that was resumed after a failure with its context is good though it is not done.
        stages: For `flow_times`; a step belongs to the first that it matches. Their figures are among those of `steps`.
    """

    steps: Counted
    budget_s: float
    may_resume: bool = False
    stages: tuple[FlowStage, ...] = ()

    @property
    def quiet_s(self) -> float:
        """Silence after which a number is that of another flow."""
        return max(QUIET_S, self.budget_s)


def flow_counts(one: CountedFlows, since_ms: int, until_ms: int) -> Question:
    """Ask for the counts of the buckets [since, until) of an objective of flows.

    Rows: as `counted.counts` gives them; a flow is grouped by what its first request to end was.

    Args:
        one: The objective.
        since_ms: Start of the first bucket, unix milliseconds.
        until_ms: End of the last one, excluded.

    Raises:
        ValueError: The budget is not above 0 and at most `BUDGET_S_MAX`.
    """
    known, values = flows(one, since_ms, until_ms)
    verdict = f"multiIf(is_done, {GOOD}, {_RESUMED}, {GOOD}, {EXCUSED}, {EXCLUDED}, {BAD})"
    events = Select(
        columns=[
            "{slo:String} AS slo",
            group_key(one.steps),
            f"intDiv(known_us, {BUCKET_S * 1_000_000}) * {BUCKET_S} AS t_unix_s",
            *("newest.3 AS outcome", "newest.2 AS class", f"toUInt8({verdict}) AS verdict", "toUInt64(1) AS rows"),
            f"map('tokens_in', toUInt64({{resumes:UInt8}} AND {_LOST_SIGHT})) AS n_null",
        ],
        source=known,
    )
    parameters = {**values, "slo": one.steps.name, "resumes": int(one.may_resume)}
    return Question(sql=tallied(events.text()), parameters=parameters, seconds_max=PAGE_S)


def flows(one: CountedFlows, since_ms: int, until_ms: int) -> tuple[Select, dict[str, object]]:
    """Return the flows whose outcome became known in [since, until), one row each, and the values that this needs.

    Rows: `known_us` (unix microseconds), `done_us` (when it was done, late or not; 0 if it is not), `is_done` (whether
    in time), `steps` (oldest first: end in unix microseconds, class, outcome, tokens of the prompt or -1, microseconds
    that it took, number of its stage), `seen` (those that had ended at `known_us`), `newest` (the last of them),
    `start_us`, and `of_<dimension>` for each of the group.

    Raises:
        ValueError: The budget is not above 0 and at most `BUDGET_S_MAX`.
    """
    if not 0 < one.budget_s <= BUDGET_S_MAX:
        raise ValueError(f"a budget of {one.budget_s} s; allowed is one above 0 and at most {BUDGET_S_MAX} s")
    back_ms = round((one.quiet_s + one.budget_s) * 1000)
    span = Span(since_ms=since_ms - back_ms, until_ms=until_ms, quiet_us=round(one.quiet_s * 1e6))
    stage, stage_values = _stage(one.stages)
    steps, values = steps_of(one.steps, span, ["toInt64(ifNull(tokens_in, -1)) AS context", stage])
    values |= {"known": since_ms, "budget": round(one.budget_s * 1e6), **stage_values}
    whole = Select(
        columns=[*_FLOW, *group_columns(one.steps)],
        source=steps,
        group_by=["flow", "part"],
        having=["known_us >= {known:Int64} * 1000", "known_us < {until:Int64} * 1000"],
    )
    return Select(columns=["*", *_SEEN], source=whole), values


def _stage(stages: Sequence[FlowStage]) -> tuple[str, dict[str, object]]:
    """Return the SQL of the number of a step's stage, from 1 on, 0 if it has none, and the values that this needs."""
    values: dict[str, object] = {}
    cases: list[str] = []
    for at, one in enumerate(stages, 1):
        sql = one.match.sql
        for k, value in reversed([*enumerate(one.match.values)]):  # `$1` stands in `$10` too
            sql = sql.replace(f"${k}", f"{{stage_{at}_{k}:{sql_type(value)}}}")
            values[f"stage_{at}_{k}"] = [*value] if isinstance(value, tuple) else value
        cases.append(f"({sql}) = {TRUE}, {at}")
    return f"toUInt8(multiIf({', '.join([*cases, 'false, 0', '0'])})) AS stage", values


_START = "ended_us - lasted_us"
_FLOW = (
    *("flow", "part"),
    f"minIf(ended_us, verdict = {GOOD}) AS done_us",
    f"min(greatest(ended_us, {_START} + {{budget:Int64}})) AS over_us",
    # Subtle: a step that ends at the very instant of the last one, and over the budget, makes the flow late.
    f"min(greatest(ended_us - 1, {_START} + {{budget:Int64}})) AS in_time_us",
    "if(done_us = 0, over_us, least(done_us, over_us)) AS known_us",
    "toUInt8(done_us > 0 AND done_us <= in_time_us) AS is_done",
    "arraySort(groupArray((ended_us, class, ending, context, lasted_us, stage))) AS steps",
)
_SEEN = (
    "arrayFilter(step -> step.1 <= known_us, steps) AS seen",
    "seen[-1] AS newest",
    "arrayMin(step -> step.1 - step.5, seen) AS start_us",
    f"arrayLastIndex(step -> step.2 = {BAD}, seen) AS failed_at",
    "arrayMax(step -> step.4, arraySlice(seen, 1, failed_at)) AS context_before",
    f"arrayFilter(step -> step.2 = {GOOD}, arraySlice(seen, failed_at + 1)) AS after",
)
EXCUSED = f"newest.2 = {EXCLUDED} OR (newest.2 = {CENSORED} AND newest.1 - start_us <= {{budget:Int64}})"
_CAME_BACK = f"failed_at > 0 AND notEmpty(after) AND newest.2 = {GOOD}"
_RESUMED = (
    f"{{resumes:UInt8}} AND {_CAME_BACK} AND (context_before <= 0 OR after[1].4 >= context_before * {KEPT_RATIO})"
)
_LOST_SIGHT = f"{_CAME_BACK} AND context_before > 0 AND after[1].4 < 0"
"""Whether it came back and nobody knows with what."""
