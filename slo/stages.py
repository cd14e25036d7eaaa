"""Knows the latency budget of a flow with several stages, and what its stages took; refuses to ask the store.

Percentiles of stages are never added: their sum is an upper bound, true only if all stages are slow together. Sums of
means are exact.

Source: spec/slo.md 2 (S2: text-to-image 2-4 s, image-to-video 15-40 s, voiceover 2-5 s, total 20-50 s).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

STAGES_MAX = 20
"""Stages of one flow."""
UPPER_BOUND = "upper bound, true only if all stages are slow together"
"""What is said beside a sum of percentiles."""
VIDEO_S_LEAST = 1.0
"""Below this no video has been made yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step of a flow.

    Attributes:
        name: Of the stage.
        match: Expression that its requests fulfil.
        budget_s: Longest time that keeps the flow within its budget.
        p50_s: Longest that half of the flows take.
        p95_s: Longest that 95 % of them take.
        optional: Whether a flow may go without it.
        cached_ok: Whether its answer may come from a cache, so that no request of it is seen.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long a flow, or one of its stages, took.

    Attributes:
        name: Of the stage; empty for the flow.
        n: How many flows.
        done: How many of them were done.
        p50_s: Nearest rank, what was not done being endless; None is endless.
        p95_s: The same.
        p99_s: The same.
        mean_s: Of what was done; None if nothing was.
        budget_s: How long it may take.
        over_s: Summed time beyond that.
        p50_most_s: Longest that its P50 may be; None if nothing is said.
        p95_most_s: The same of its P95.
    """

    name: str
    n: int
    done: int
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    mean_s: float | None
    budget_s: float
    over_s: float
    p50_most_s: float | None = None
    p95_most_s: float | None = None


def times(rows: Sequence[Mapping[str, Any]], stages: Sequence[Stage], budget_s: float) -> list[Times]:
    """Return what the rows of `telemetry.queries.flow_times` say, the flow first and then stages as they are listed."""
    of = [Stage(name="", match="", budget_s=budget_s), *stages]
    columns = ("n", "done", "p50_s", "p95_s", "p99_s", "mean_s", "over_s")
    return [
        Times(
            name=stage.name,
            budget_s=stage.budget_s,
            p50_most_s=stage.p50_s,
            p95_most_s=stage.p95_s,
            **{column: row[column] for column in columns},
        )
        for row in rows
        for stage in (of[int(row["stage"])],)
    ]


def unusual(one: Times) -> tuple[str, ...]:
    """Return what of a stage takes longer than was said to be usual; what is endless does."""
    told = ((50, one.p50_s, one.p50_most_s), (95, one.p95_s, one.p95_most_s))
    return tuple(
        f"P{percent} above {most_s:g} s"
        for percent, took_s, most_s in told
        if most_s is not None and (took_s is None or took_s > most_s)
    )


def upper_bound_s(found: Sequence[Times]) -> float | None:
    """Return what a flow's P99 cannot exceed: the sum of its stages'; None is endless. Never show it as the P99."""
    each = [one.p99_s for one in found if one.name]
    return None if None in each else sum(p99_s for p99_s in each if p99_s is not None)


def slowest(found: Sequence[Times]) -> tuple[Times, float] | None:
    """Return the stage with most time over its budget, and its share of all stages'; None if none is over."""
    over = [one for one in found if one.name and one.over_s > 0]
    if not over:
        return None
    most = max(over, key=lambda one: one.over_s)
    return most, most.over_s / sum(one.over_s for one in over)


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
