"""Knows the question how long flows and their stages took; refuses to add percentiles.

A stage took from the start of its first step to the end of the last of them that was done; a flow from its first step
to its last. What comes after the last step of a flow is no part of it. What was not done enters percentiles as +inf,
which is NULL here. A flow whose client had left in time, or that counts nowhere, is left out. Percentiles are nearest
rank, X_(ceil(p * n)); error: none.

Source: spec/slo.md 2 (stage P50, P95, P99 from flow records), 3 (percentiles).
"""

from collections.abc import Mapping
from types import MappingProxyType

from telemetry.queries.asked import Dim
from telemetry.queries.bounds import GOOD
from telemetry.queries.flows import EXCUSED, CountedFlows, flows
from telemetry.queries.question import PAGE_S, Question, Select


def flow_times(
    one: CountedFlows, since_ms: int, until_ms: int, group: Mapping[Dim, str] = MappingProxyType({})
) -> Question:
    """Ask how long the flows took whose outcome became known in [since, until), and each of their stages.

    Rows: `stage` (0 is the flow itself, k the k-th of `stages`), `n`, `done` (how many were done), `p50_s`, `p95_s`,
    `p99_s` (NULL is longer than anybody waited), `mean_s` (of those that were done; NULL if none was), `over_s` (summed
    time beyond the budget; of what was not done, as long as it was seen to last). Stages without a flow are absent.

    Args:
        one: The objective, with its stages.
        since_ms: Start of the window, unix milliseconds.
        until_ms: End, excluded.
        group: Value of each dimension, among those that the objective is grouped by, that the flows are to have.

    Raises:
        ValueError: The budget is not above 0 and at most `flows.BUDGET_S_MAX`.
    """
    known, values = flows(one, since_ms, until_ms)
    budgets_s = [one.budget_s, *(stage.budget_s for stage in one.stages)]
    took = Select(
        columns=[f"arrayJoin({_TIMES}) AS took", "took.1 AS stage", "took.2 AS took_s", "took.3 AS waited_s"],
        source=known,
        where=[
            f"NOT (is_done = 0 AND ({EXCUSED}))",
            *(f"of_{dim.value} = {{group_{dim.value}:String}}" for dim in Dim if dim in group),
        ],
    )
    found = Select(
        columns=[
            *("stage", "count() AS n", "countIf(isFinite(took_s)) AS done"),
            *(_percentile(percent) for percent in (50, 95, 99)),
            "if(done = 0, NULL, avgIf(took_s, isFinite(took_s))) AS mean_s",
            "sum(greatest(0, if(isFinite(took_s), took_s, waited_s) - {budgets:Array(Float64)}[stage + 1])) AS over_s",
        ],
        source=took,
        group_by=["stage"],
        order_by=["stage"],
    )
    chosen = {f"group_{dim.value}": value for dim, value in group.items()}
    return Question(sql=found.text(), parameters={**values, **chosen, "budgets": budgets_s}, seconds_max=PAGE_S)


def _percentile(percent: int) -> str:
    # In whole numbers, for 0.99 * 100 is not 99.
    rank = f"intDiv({percent} * count() + 99, 100)"
    return f"nullIf(arraySort(groupArray(took_s))[{rank}], inf) AS p{percent}_s"


_WHOLE = "(toUInt8(0), if(done_us = 0, inf, (done_us - start_us) / 1e6), (known_us - start_us) / 1e6)"
_OWN = "arrayFilter(step -> done_us = 0 OR step.1 <= done_us, steps)"
_OF_STAGE = f"arrayFilter(step -> step.6 = k, {_OWN})"
_BEGAN = f"arrayMin(step -> step.1 - step.5, {_OF_STAGE})"
_DONE = f"arrayFilter(step -> step.2 = {GOOD}, {_OF_STAGE})"
_STAGE = (
    f"(k, if(empty({_DONE}), inf, ({_DONE}[-1].1 - {_BEGAN}) / 1e6),"
    f" greatest(0, (arrayMax(step -> step.1, {_OF_STAGE}) - {_BEGAN}) / 1e6))"
)
_STAGES = f"arrayMap(k -> {_STAGE}, arrayDistinct(arrayFilter(k -> k > 0, arrayMap(step -> step.6, {_OWN}))))"
_TIMES = f"arrayConcat([{_WHOLE}], {_STAGES})"
"""Of the flow and of each stage that it reached: number, seconds or +inf, seconds that it lasted at least."""
