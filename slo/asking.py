"""Knows which question counts an objective; refuses to ask it.

Objectives that count requests are asked of many at once; one whose events are made up of several requests has a
question of its own.

Source: spec/slo.md 2, 8.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from slo.objective import Objective, counted
from slo.terms import Both, Macro
from slo.wholes import Flow, Job
from telemetry.queries.flows import CountedFlows, flow_counts
from telemetry.queries.jobs import CountedJobs, items_counted, slices_counted
from telemetry.queries.question import Question

Ask = Callable[[int, int], Question | None]
"""Asks for the counts of the buckets [since, until), unix milliseconds; rows as of `telemetry.queries.counted`.

None says that nothing can count there.
"""


def own_questions(objectives: Sequence[Objective]) -> dict[str, Ask]:
    """Return the question of each objective that does not count requests, by its name."""
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
    return CountedFlows(steps=steps, budget_s=whole.budget_s, may_resume=whole.may_resume)


def _own(objective: Objective) -> Ask | None:
    match objective.whole:
        case None:
            return None
        case Flow():
            return partial(flow_counts, counted_flows(objective))
        case Job():
            (rows,) = counted([objective])
            jobs = CountedJobs(rows=rows, deadline_s=objective.whole.deadline_s, items=objective.whole.items)
            return partial(slices_counted if objective.whole.by_slice else items_counted, jobs)
