"""Knows the latency budget of a flow with several stages; refuses to count.

Percentiles of stages are never added: their sum is an upper bound, true only if all stages are slow together. Sums of
means are exact.

Source: spec/slo.md 2 (S2: text-to-image 2-4 s, image-to-video 15-40 s, voiceover 2-5 s, total 20-50 s).
"""

from collections.abc import Sequence
from dataclasses import dataclass

STAGES_MAX = 20
"""Stages of one flow."""
VIDEO_S_LEAST = 1.0
"""Below this no video has been made yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step of a flow.

    Attributes:
        name: Of the stage.
        match: Expression that its requests fulfil.
        budget_s: Longest time that keeps the flow within its budget.
        p50_s: What is usual.
        p95_s: What is still usual.
        optional: Whether a flow may go without it.
        cached_ok: Whether an answer from a cache counts.
    """

    name: str
    match: str
    budget_s: float
    p50_s: float | None = None
    p95_s: float | None = None
    optional: bool = False
    cached_ok: bool = False


MEDIA_PIPELINE = (
    Stage(name="text-to-image", match="endpoint == 'text-to-image'", p50_s=2.0, p95_s=4.0, budget_s=4.0),
    Stage(name="image-to-video", match="endpoint == 'image-to-video'", p50_s=15.0, p95_s=40.0, budget_s=40.0),
    Stage(name="voiceover", match="endpoint == 'voiceover'", p50_s=2.0, p95_s=5.0, budget_s=5.0),
)
"""Stages of S2, told apart by their endpoint unless the user says otherwise."""


def upper_bound_s(stage_p99_s: Sequence[float]) -> float:
    """Return what a flow's P99 cannot exceed: the sum of its stages'. Never show it as the P99 itself."""
    return sum(stage_p99_s)


def notes(stages: Sequence[Stage], flow_budget_s: float) -> tuple[str, ...]:
    """Return what a person should know of budgets before anything is measured."""
    total_s = sum(stage.budget_s for stage in stages)
    found = [
        f"stage {stage.name} is to take {stage.budget_s:g} s: video in less than a second is not feasible"
        for stage in stages
        if "video" in stage.name and stage.budget_s < VIDEO_S_LEAST
    ]
    if total_s > flow_budget_s:
        found.append(
            f"the budgets of the stages add up to {total_s:g} s, more than the {flow_budget_s:g} s of the flow"
        )
    return tuple(found)
