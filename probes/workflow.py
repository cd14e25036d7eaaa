"""Knows how stages follow each other, each with its budget of time; refuses to know what a stage does.

A stage gets the texts of those before it by their names. The first that fails ends the workflow; one that is slower
than its budget is `late` and the workflow goes on, for the stages after it tell where else time is lost.

Source: issue "synthetic users" (workflow probes, latency budget per stage).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from probes.finding import Finding, Word
from probes.scheduled import Asker

STAGES_MAX = 16
"""Stages of one workflow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step.

    Attributes:
        name: Of the step; its text is `${name}` to those after it.
        asker: What is done.
        budget_s: How long it may take to be in time.
    """

    name: str
    asker: Asker
    budget_s: float


class Workflow:
    """Does its stages one after the other."""

    def __init__(self, stages: Sequence[Stage], budget_s: float) -> None:
        """Take the stages, in order, and how long all of them may take to be in time."""
        self.limit_s = sum(stage.asker.limit_s for stage in stages)
        self._stages = stages
        self._budget_s = budget_s

    async def find(self, given: Mapping[str, str]) -> Finding:
        """Go through the stages once."""
        texts = dict(given)
        found: list[tuple[str, Finding]] = []
        for stage in self._stages:
            one = _in_time(await stage.asker.find(texts), stage.budget_s)
            found.append((stage.name, one))
            texts[stage.name] = one.text
            if not one.ok and one.outcome != Word.LATE:
                break
        return self._whole(found)

    def _whole(self, found: Sequence[tuple[str, Finding]]) -> Finding:
        wrong = [(name, one) for name, one in found if not one.ok]
        name, worst = wrong[-1] if wrong else ("", found[-1][1])  # a failure is the last one; before it some are late
        times = [one.duration_us for _, one in found if one.duration_us is not None]
        whole = Finding(
            outcome=worst.outcome,
            ok=not wrong,
            duration_us=sum(times) if len(times) == len(found) else None,
            value=float(len(found)),
            detail={"stage": name} if name else {},
            stages=found,
        )
        return _in_time(whole, self._budget_s)


def _in_time(found: Finding, budget_s: float) -> Finding:
    """Return a finding, `late` if it is good but over its budget."""
    took_us = found.duration_us
    if not found.ok or took_us is None or took_us <= budget_s * 1e6:
        return found
    return replace(found, outcome=Word.LATE, ok=False, detail={**found.detail, "budget_s": f"{budget_s:g}"})
