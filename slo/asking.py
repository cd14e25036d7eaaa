"""Knows which question counts an objective; refuses to ask it.

Objectives that count requests are asked of many at once; one whose events are made up of several requests has a
question of its own.

Source: spec/slo.md 2, 8.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from math import ceil

from slo import expression_sql
from slo.expression import parse
from slo.objective import Objective, counted
from slo.terms import Both, Macro, figures, written
from slo.wholes import Flow, Job, events, known_after_s, words
from telemetry.queries.busy import MINUTE_S, busy_counts
from telemetry.queries.calls import CountedCalls, call_counts
from telemetry.queries.counted import BUCKET_S, counts
from telemetry.queries.flows import CountedFlows, FlowStage, flow_counts
from telemetry.queries.jobs import SLICE_S, CountedJobs, items_counted, slices_counted
from telemetry.queries.question import Question

Ask = Callable[[int, int], Question | None]
"""Asks for the counts of the buckets [since, until), unix milliseconds; rows as of `telemetry.queries.counted`.

None says that nothing can count there.
"""


def asks(objective: Objective) -> Ask:
    """Return the question of one objective, whatever it counts."""
    return _own(objective) or partial(counts, counted([objective]))


def own_questions(objectives: Sequence[Objective]) -> dict[str, Ask]:
    """Return the question of each objective that does not count requests one by one, all of them, by its name."""
    return {one.name: ask for one in objectives if (ask := _own(one)) is not None}


def counted_flows(objective: Objective) -> CountedFlows:
    """Return an objective of flows as the store counts it.

    Raises:
        TypeError: It counts no flows.
    """
    whole = objective.whole
    if not isinstance(whole, Flow):
        raise TypeError(objective.name)
    done = replace(objective.indicator, good=Both((Macro.OK, whole.last)))
    (steps,) = counted([replace(objective, indicator=done)])
    matches = [parse(stage.match) for stage in whole.stages]
    named = {figure for match in matches for figure in figures(match)}
    return CountedFlows(
        steps=replace(steps, figures=tuple(sorted({*steps.figures, *named}))),
        budget_s=whole.budget_s,
        may_resume=whole.may_resume,
        stages=tuple(
            FlowStage(match=expression_sql.stored(match), budget_s=stage.budget_s)
            for match, stage in zip(matches, whole.stages, strict=True)
        ),
    )


def around(objective: Objective, since_s: int, until_s: int, at_s: int) -> tuple[int, int]:
    """Return the buckets [since, until) that may hold what requests that ended in [since, until) are part of.

    Args:
        objective: What is counted.
        since_s: Start, unix seconds, a multiple of the bucket.
        until_s: End, excluded.
        at_s: Up to where was counted.
    """
    whole = objective.whole
    step_s = SLICE_S if isinstance(whole, Job) else MINUTE_S if objective.peak_only else BUCKET_S
    # A flow may have been known by its other steps, which began up to a budget later.
    reach_s = 0.0 if isinstance(whole, Job) else 2 * known_after_s(whole)
    return since_s // step_s * step_s, min(ceil((until_s + reach_s) / step_s) * step_s, at_s)


def unit(objective: Objective) -> str:
    """Return what an objective counts, in a word or two."""
    return "requests at peak" if objective.peak_only else events(objective.whole)


def how(objective: Objective) -> str:
    """Return how an objective is counted, for people."""
    if objective.whole is not None:
        return words(objective.whole)
    good = "outcome is good" if objective.indicator.good is None else written(objective.indicator.good)
    return f"{good}; in minutes as busy as the busiest tenth of 7 d" if objective.peak_only else good


def _own(objective: Objective) -> Ask | None:
    whole = objective.whole
    (rows,) = counted([objective])
    match whole:
        case None:
            return partial(busy_counts, rows) if objective.peak_only else None
        case Flow():
            return partial(flow_counts, counted_flows(objective))
        case Job():
            jobs = CountedJobs(rows=rows, deadline_s=whole.deadline_s, items=whole.items)
            return partial(slices_counted if whole.by_slice else items_counted, jobs)
        case _:
            return partial(call_counts, CountedCalls(rows=rows, wait_s=whole.retry_s))
