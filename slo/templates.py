"""Knows ready-made objectives and the classes of workloads they are for, as data; refuses to know files.

A template is an expression with names in braces, each of which has a number that the user may set.

Source: spec/slo.md 2, whose numbers are those of the reading list S0 to S3 and of the MLPerf inference rules.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from slo.expression import parse
from slo.terms import Condition
from telemetry.queries.asked import Dim


class WorkloadClass(StrEnum):
    """What kind of work an endpoint does; configured, never guessed."""

    WORKFLOW = "workflow"
    ENDPOINT = "endpoint"
    BATCH = "batch"


class Counts(StrEnum):
    """What an objective counts; stages are requests with a filter, and the flow that they make up."""

    REQUESTS = "requests"
    STAGES = "stages"
    FLOWS = "flows"
    ITEMS = "items"
    SLICES = "slices"
    CALLS = "calls"


class Clock(StrEnum):
    """Whose time an objective of a class is about."""

    FLOW = "wall time of the flow"
    REQUEST = "TTFT, TPOT, stall, E2E"
    JOB = "job deadline, items per second"


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """What a class of workloads is like, in stars from 0 to 3 [S0].

    Attributes:
        state: How much it keeps between requests.
        concurrency: How many requests at once.
        billing: How well its cost can be told in advance.
        latency: How strict it is about time.
        clock: Whose time its objectives are about.
    """

    state: int
    concurrency: int
    billing: int
    latency: int
    clock: Clock


TRAITS: Mapping[WorkloadClass, Traits] = {
    WorkloadClass.WORKFLOW: Traits(state=3, concurrency=1, billing=1, latency=2, clock=Clock.FLOW),
    WorkloadClass.ENDPOINT: Traits(state=0, concurrency=3, billing=3, latency=3, clock=Clock.REQUEST),
    WorkloadClass.BATCH: Traits(state=1, concurrency=3, billing=3, latency=0, clock=Clock.JOB),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A ready-made objective.

    Attributes:
        target: Share that is to be good.
        source: Where its numbers come from.
        meaning: What good means, for people.
        workload_class: What it is for; None is any.
        good: The expression, with the names of `numbers` in braces; empty leaves it to the class of the outcome.
        numbers: What may be set, and its default.
        presets: Sets of numbers by name.
        group_by: Dimensions of which each value is counted by itself.
        counts: What it counts.
        may_resume: Whether a flow that was resumed after a failure with its context is good.
        peak_only: Whether only minutes with load at or above the P90 of the last 7 d count.
    """

    target: float
    source: str
    meaning: str
    workload_class: WorkloadClass | None = None
    good: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict[str, float])
    presets: Mapping[str, Mapping[str, float]] = field(default_factory=dict[str, Mapping[str, float]])
    group_by: tuple[Dim, ...] = ()
    counts: Counts = Counts.REQUESTS
    may_resume: bool = False
    peak_only: bool = False


def _preset(ttft_ms: float, tpot_ms: float) -> dict[str, float]:
    return {"ttft_s": ttft_ms / 1000, "tpot_s": tpot_ms / 1000}


TEMPLATES: Mapping[str, Template] = {
    "endpoint_good_request": Template(
        workload_class=WorkloadClass.ENDPOINT,
        target=0.99,
        source="S0, S1",
        meaning="complete, first token in time for its prompt length, tokens at a steady pace",
        # A prompt of unknown length gets the limit of an empty one, and is counted as unknown.
        good="ok and complete and ttft_s <= {ttft_s} + {ttft_s_per_token} * coalesce(tokens_in, 0)"
        " and tpot_s <= {tpot_s} and gap_max_s <= {gap_s}",
        numbers={"ttft_s": 1.0, "ttft_s_per_token": 0.0002, "tpot_s": 0.05, "gap_s": 2.0},
    ),
    "endpoint_p99_sla": Template(
        workload_class=WorkloadClass.ENDPOINT,
        target=0.99,
        source="S0 (800 ms), S3",
        meaning="answered within sla_s; set it for answers above 200 tokens",
        good="e2e_s <= {sla_s}",
        numbers={"sla_s": 0.8},
    ),
    "endpoint_interactive": Template(
        workload_class=WorkloadClass.ENDPOINT,
        target=0.99,
        source="MLPerf inference rules",
        meaning="first token and pace within a preset of the model's size",
        good="ok and ttft_s <= {ttft_s} and tpot_s <= {tpot_s}",
        numbers=_preset(2_000, 200),
        presets={
            "70b": _preset(2_000, 200),
            "70b_interactive": _preset(450, 40),
            "8b": _preset(2_000, 100),
            "8b_interactive": _preset(500, 30),
            "405b": _preset(6_000, 175),
            "405b_interactive": _preset(4_500, 80),
            "gpt_oss_120b": _preset(3_000, 80),
        },
    ),
    "production_error_peak": Template(
        workload_class=WorkloadClass.ENDPOINT,
        target=0.997,
        source="S1 (0.3 % at peak)",
        meaning="no server-side bad outcome, in minutes with load at or above the P90 of the last 7 d",
        peak_only=True,
    ),
    "availability_multi_region": Template(
        target=0.999,
        source="S3 (99.9 % is 43.2 min in 30 d)",
        meaning="served by any region, as the client saw it",
        numbers={"retry_s": 60.0},
        counts=Counts.CALLS,
    ),
    "availability_single_region": Template(
        target=0.99,
        source="S3 (99 % is 432 min in 30 d)",
        meaning="served in its region",
        group_by=(Dim.REGION,),
    ),
    "workflow_latency": Template(
        workload_class=WorkloadClass.WORKFLOW,
        target=0.95,
        source="S0",
        meaning="flow complete within budget_s",
        numbers={"budget_s": 60.0},
        counts=Counts.FLOWS,
    ),
    "workflow_completion": Template(
        workload_class=WorkloadClass.WORKFLOW,
        target=0.99,
        source="S0",
        meaning="flow reached its last step, or resumed after a failure with its context",
        # Not the budget of its users, which is another objective: by then nobody waits for it any more.
        numbers={"budget_s": 300.0},
        counts=Counts.FLOWS,
        may_resume=True,
    ),
    "batch_deadline": Template(
        workload_class=WorkloadClass.BATCH,
        target=0.99,
        source="S0",
        meaning="item done before the deadline of its job",
        numbers={"deadline_s": 86_400.0},
        counts=Counts.ITEMS,
    ),
    "batch_throughput": Template(
        workload_class=WorkloadClass.BATCH,
        target=0.95,
        source="S0",
        meaning="slice of 10 min with at least the items per second that the remaining time asks for",
        numbers={"deadline_s": 86_400.0},
        counts=Counts.SLICES,
    ),
    "media_pipeline": Template(
        workload_class=WorkloadClass.WORKFLOW,
        target=0.95,
        source="S2",
        meaning="each stage within its budget, and the flow within its own; stages are named by their filter",
        good="ok and e2e_s <= {budget_s}",
        numbers={"budget_s": 50.0},
        presets={"near_real_time": {"budget_s": 20.0}},
        counts=Counts.STAGES,
    ),
}


def good(template: Template, numbers: Mapping[str, float]) -> Condition | None:
    """Return what a template asks of a request, with numbers of its own in place of the template's.

    Args:
        template: The template.
        numbers: Those that are set; each is one of the template's.
    """
    if not template.good:
        return None
    values = {name: repr(value) for name, value in {**template.numbers, **numbers}.items()}
    return parse(template.good.format_map(values))
