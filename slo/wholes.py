"""Knows what an objective may count where several requests make up one event; refuses to know how the store does it.

Source: spec/slo.md 2 (workflow_latency, workflow_completion, media_pipeline).
"""

from dataclasses import dataclass

from slo.terms import Condition, written


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Requests of one `flow_id` are one event.

    Attributes:
        last: What a request must fulfil, beside being ok, to be the flow's last step.
        budget_s: First request sent to last step done.
        may_resume: Whether a flow that was resumed after a failure with its context is good though it is not done.
    """

    last: Condition
    budget_s: float
    may_resume: bool = False


Whole = Flow
"""What an objective counts that does not count requests."""


def facts(whole: Whole) -> dict[str, object]:
    """Return what counts, for a hash: it changes with the meaning and with nothing else."""
    template, given = parameters(whole)
    return {"template": template, **given}


def parameters(whole: Whole) -> tuple[str, dict[str, object]]:
    """Return the template that says the same, and its parameters."""
    name = "workflow_completion" if whole.may_resume else "workflow_latency"
    return name, {"budget_s": whole.budget_s, "last": written(whole.last)}


def events(whole: Whole | None) -> str:
    """Return what an objective counts, in one word."""
    return "requests" if whole is None else "flows"


def words(whole: Whole) -> str:
    """Return how events are counted, for people."""
    again = ", or resumed after a failure with their context" if whole.may_resume else ""
    return f"flows, done by ({written(whole.last)}) within {whole.budget_s:g} s{again}; needs target.workflow_header"
