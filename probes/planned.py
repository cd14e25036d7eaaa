"""Knows how what was written down becomes probes that ask; refuses to know how it was written.

Source: spec/reliability.md 5.4 (concurrency 1 per target).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from probes.async_jobs import Job, Jobs
from probes.budget import Budget, Cap
from probes.finding import Subject
from probes.reach import Handshakes, Host, Lookups, Page, Pages
from probes.scheduled import Asker, Scheduled, Turn
from probes.synthetic import Completion, Completions
from probes.workflow import Stage, Workflow
from telemetry.fetch import Client


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """A handshake to make."""

    host: Host


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A name to look up."""

    host: Host


Single = Completion | Page | Certificate | Name | Job
"""What one question asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStage:
    """A stage of a workflow.

    Attributes:
        name: Of the stage.
        what: What it asks.
        budget_s: How long it may take to be in time.
    """

    name: str
    what: Single
    budget_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """A workflow.

    Attributes:
        stages: In order.
        budget_s: How long all may take to be in time.
    """

    stages: Sequence[PlannedStage]
    budget_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One probe.

    Attributes:
        subject: What it is called.
        what: What it asks.
        interval_s: Start to start.
        cap: What it may spend on a day, all its stages together.
    """

    subject: Subject
    what: Single | Steps
    interval_s: float
    cap: Cap = field(default_factory=Cap)


def scheduled(planned: Sequence[Planned], client: Client, random: Random) -> list[Scheduled]:
    """Return the probes; those of one target take turns."""
    turns: dict[str, Turn] = {}
    return [
        Scheduled(
            one.subject,
            _asker(one, client, random),
            interval_s=one.interval_s,
            turn=turns.setdefault(one.subject.target, Turn()),
        )
        for one in planned
    ]


def _asker(planned: Planned, client: Client, random: Random) -> Asker:
    budget, what = Budget(planned.cap), planned.what
    if not isinstance(what, Steps):
        return _single(what, client, budget, random)
    stages = [
        Stage(name=stage.name, asker=_single(stage.what, client, budget, random), budget_s=stage.budget_s)
        for stage in what.stages
    ]
    return Workflow(stages, what.budget_s)


def _single(what: Single, client: Client, budget: Budget, random: Random) -> Asker:
    match what:
        case Completion():
            return Completions(what, client=client, budget=budget, random=random)
        case Page():
            return Pages(what, client=client)
        case Certificate():
            return Handshakes(what.host, client=client)
        case Name():
            return Lookups(what.host, client=client)
        case _:
            return Jobs(what, client=client, budget=budget, random=random)
