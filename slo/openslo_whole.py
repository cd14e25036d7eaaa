"""Knows how a template says what several requests together are; refuses to know how the store counts that.

Source: spec/slo.md 2 (every number can be overridden; stages).
"""

from collections.abc import Mapping, Sequence

from slo.documents import Section
from slo.errors import ObjectiveError
from slo.expression import parse
from slo.stages import Stage
from slo.templates import Counts, Template
from slo.wholes import Flow, Whole
from telemetry.queries.flows import BUDGET_S_MAX


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
    return None


def _flow(template: Template, budget_s: float, parameters: Section | None, stages: Sequence[Stage]) -> Flow | None:
    required = [one.match for one in stages if not one.optional]
    said = parameters.text("last") if parameters else ""
    last = said or (required[-1] if required else "")
    if parameters and not 0 < budget_s <= BUDGET_S_MAX:
        parameters.wrong("budget_s", f"seconds, above 0, at most {BUDGET_S_MAX}")
        return None
    try:
        return Flow(last=parse(last), budget_s=budget_s, may_resume=template.may_resume) if last else None
    except ObjectiveError as error:
        if parameters:
            parameters.wrong("last", error.allowed, error.found)
        return None
