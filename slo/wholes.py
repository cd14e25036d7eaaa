"""Knows what an objective may count where several requests make up one event; refuses to know how the store does it.

Source: spec/slo.md 2 (workflow_latency, workflow_completion, media_pipeline, batch_deadline,
batch_throughput, availability_multi_region).
"""

from dataclasses import dataclass

from slo.stages import Stage
from slo.terms import Condition, written
from telemetry.queries.jobs import SLICE_S

NAIVE_BOUND = (
    "naively, two independent regions of 99 % each give 1-0.01^2 = 99.99 %;"
    " what is promised leaves room for failover and for faults that they share"
)
"""What is said beside a promise of several regions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Requests of one `flow_id` are one event.

    Attributes:
        last: What a request must fulfil, beside being ok, to be the flow's last step.
        budget_s: First request sent to last step done.
        may_resume: Whether a flow that was resumed after a failure with its context is good though it is not done.
        stages: Steps whose times are looked at by themselves; they count nothing.
    """

    last: Condition
    budget_s: float
    may_resume: bool = False
    stages: tuple[Stage, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Requests of one `flow_id` are the items of a batch job.

    Attributes:
        deadline_s: From the first item of a job that ended; by then all are to be done.
        items: How many each job has; None if that is unknown.
        by_slice: Whether the slices of time through which it runs are the events, not its items.
    """

    deadline_s: float
    items: int | None = None
    by_slice: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Attempts of one call are one event, as its client saw it: bad only if the last of them failed.

    Attributes:
        retry_s: Within which time after a failure its retry has to end.
    """

    retry_s: float


Whole = Flow | Job | Call
"""What an objective counts that does not count requests."""


def facts(whole: Whole) -> dict[str, object]:
    """Return what counts, for a hash: it changes with the meaning and with nothing else."""
    template, given = parameters(whole)
    return {"template": template, **given}


def parameters(whole: Whole) -> tuple[str, dict[str, object]]:
    """Return the template that says the same, and its parameters."""
    if isinstance(whole, Call):
        return "availability_multi_region", {"retry_s": whole.retry_s}
    if isinstance(whole, Job):
        items = {} if whole.items is None else {"items": whole.items}
        return "batch_throughput" if whole.by_slice else "batch_deadline", {"deadline_s": whole.deadline_s, **items}
    name = "workflow_completion" if whole.may_resume else "workflow_latency"
    return name, {"budget_s": whole.budget_s, "last": written(whole.last)}


def events(whole: Whole | None) -> str:
    """Return what an objective counts, in one word."""
    match whole:
        case None:
            return "requests"
        case Flow():
            return "flows"
        case Job():
            return "slices" if whole.by_slice else "items"
        case _:
            return "calls"


def known_after_s(whole: Whole | None) -> float:
    """Return how long what is bad may be unknown: a flow until its budget is over, an item until its slice ends."""
    match whole:
        case None:
            return 0.0
        case Flow():
            return whole.budget_s
        case Job():
            return float(SLICE_S)
        case _:
            return whole.retry_s


def words(whole: Whole) -> str:
    """Return how events are counted, for people."""
    if isinstance(whole, Call):
        return f"calls, of which the last attempt counts, told apart by their trace; {NAIVE_BOUND}"
    if isinstance(whole, Job):
        return _job_words(whole)
    again = ", or resumed after a failure with their context" if whole.may_resume else ""
    return f"flows, done by ({written(whole.last)}) within {whole.budget_s:g} s{again}; needs target.workflow_header"


def _job_words(job: Job) -> str:
    until = f"within {job.deadline_s:g} s of the first item of their job"
    if job.by_slice:
        return f"slices of 10 min, fast enough for {job.items} items {until}; needs target.workflow_header"
    rest = "those that fail or come late are bad" if job.items is None else f"of {job.items}, the rest is bad then"
    return f"items, done {until}; {rest}; needs target.workflow_header"
