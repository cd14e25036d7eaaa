"""Knows how a template says what several requests together are; refuses to know how the store counts that.

Source: spec/slo.md 2 (every number can be overridden; stages).
"""

from collections.abc import Mapping, Sequence

from slo.documents import Section
from slo.errors import ObjectiveError
from slo.expression import parse
from slo.stages import Stage
from slo.templates import Counts, Template
from slo.terms import Condition
from slo.wholes import Call, Flow, Job, Whole
from telemetry.queries.calls import WAIT_S_MAX
from telemetry.queries.flows import BUDGET_S_MAX
from telemetry.queries.jobs import DEADLINE_S_MAX, ITEMS_MAX


def made_up(
    template: Template, numbers: Mapping[str, float], parameters: Section | None, stages: Sequence[Stage]
) -> Whole | None:
    """Return what the requests of a template make up; None where they are counted one by one, or too little is said.

    Args:
        template: The template.
        numbers: Its numbers, as they are set.
        parameters: What else is set; None if nothing is.
        stages: Of a flow, in their order.
    """
    if template.counts in {Counts.FLOWS, Counts.STAGES}:
        return _flow(template, numbers["budget_s"], parameters, stages)
    if template.counts in {Counts.ITEMS, Counts.SLICES}:
        return _job(numbers["deadline_s"], parameters, by_slice=template.counts is Counts.SLICES)
    if template.counts is Counts.CALLS:
        return _call(numbers["retry_s"], parameters)
    return None


def missing(template: Template) -> str:
    """Return what a template needs that was not said, if it counts something and `made_up` gave nothing."""
    return _MISSING.get(template.counts, "")


_MISSING = {
    Counts.FLOWS: "nothing says which step is the last of a flow (`last` in parameters, or stages)",
    Counts.STAGES: "a flow may go without every stage, so nothing says which step is its last (`last` in parameters)",
    Counts.SLICES: "nothing says how many items a job has (`items` in parameters)",
}


def _flow(template: Template, budget_s: float, parameters: Section | None, stages: Sequence[Stage]) -> Flow | None:
    last = _last(parameters, stages)
    if parameters and not 0 < budget_s <= BUDGET_S_MAX:
        parameters.wrong("budget_s", f"seconds, above 0, at most {BUDGET_S_MAX}")
        return None
    if last is None:
        return None
    return Flow(last=last, budget_s=budget_s, may_resume=template.may_resume, stages=tuple(stages))


def _last(parameters: Section | None, stages: Sequence[Stage]) -> Condition | None:
    """Return what the last step of a flow fulfils; None if nothing says it, or it is a mistake."""
    if parameters and (said := parameters.text("last")):
        try:
            return parse(said)
        except ObjectiveError as error:
            parameters.wrong("last", error.allowed, error.found)
            return None
    required = [one.match for one in stages if not one.optional and not one.cached_ok]
    return parse(required[-1]) if required else None


def _job(deadline_s: float, parameters: Section | None, *, by_slice: bool) -> Job | None:
    items = parameters.number("items", _ITEMS) if parameters else None
    if parameters and not 0 < deadline_s <= DEADLINE_S_MAX:
        parameters.wrong("deadline_s", f"seconds, above 0, at most {DEADLINE_S_MAX}")
        return None
    if parameters and items is not None and (items != int(items) or not 0 < items <= ITEMS_MAX):
        parameters.wrong("items", _ITEMS)
        return None
    if by_slice and items is None:
        return None
    return Job(deadline_s=deadline_s, items=None if items is None else int(items), by_slice=by_slice)


def _call(retry_s: float, parameters: Section | None) -> Call | None:
    if parameters and not 0 < retry_s <= WAIT_S_MAX:
        parameters.wrong("retry_s", f"seconds, above 0, at most {WAIT_S_MAX}")
        return None
    return Call(retry_s=retry_s)


_ITEMS = f"a whole number from 1 to {ITEMS_MAX}"
