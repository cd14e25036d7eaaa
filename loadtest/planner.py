"""Knows how a plan is built from its spec; refuses to know files and workers.

The same spec, with the same trace, gives the same plan in every process.

Source: spec/loadtest.md 2, 10.
"""

from dataclasses import dataclass

from loadtest.arrivals import planned_times
from loadtest.dispersion import Dispersion, dispersion
from loadtest.plan import Plan
from loadtest.plan_spec import PlanSpec, Process
from loadtest.trace_formats import Trace
from loadtest.trace_replay import replayed
from loadtest.workload import columns


def build(spec: PlanSpec, trace: Trace | None = None) -> Plan:
    """Build a plan.

    Args:
        spec: Its parameters.
        trace: What the spec replays (`loadtest.traces`); None for synthetic arrivals.

    Raises:
        PlanError: The spec's values cannot be a plan.
        TraceError: Of the trace nothing is left to replay.
    """
    if trace:
        return Plan(spec, replayed(spec, trace).columns)
    return Plan(spec, columns(spec, planned_times(spec)))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanReceipt:
    """What a report says of a plan; with the spec it is enough to build it again.

    Attributes:
        seed: Of its streams.
        sha256: Of its times and lengths.
        process: Law of the gaps; None for a trace and a closed loop.
        shape: Of that law; None without one.
        planned: Number of arrivals, and how irregular they are.
    """

    seed: int
    sha256: str
    process: Process | None
    shape: float | None
    planned: Dispersion


def receipt(plan: Plan) -> PlanReceipt:
    """Return what a report says of a plan."""
    spec = plan.spec
    return PlanReceipt(
        seed=spec.seed,
        sha256=plan.sha256,
        process=None if spec.trace or spec.slots else spec.process,
        shape=spec.shape,
        planned=dispersion(plan.t_sched_ns),
    )
