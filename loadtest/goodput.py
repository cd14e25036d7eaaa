"""Knows how many requests of a run met their objectives, and whether that is enough; refuses to know one request.

    passed         the lower end of the Wilson interval of the share reaches the target
    failed         the upper end does not
    inconclusive   in between, or nothing was offered

Source: spec/loadtest.md 6 (goodput over all offered requests, Wilson), 7 (verdict of a step), 18 (`attainment`).
"""

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from loadtest.attainment import meets, parts
from loadtest.gate_rows import counted
from loadtest.plan_spec import Objectives
from loadtest.rows import Row
from loadtest.verdict import Verdict
from loadtest.wilson import wilson
from telemetry.outcome import Outcome

JOINT = "joint"
"""Name of all objectives together."""


class Share(msgspec.Struct, frozen=True, kw_only=True):
    """How many kept to something.

    Attributes:
        good: Those that did.
        judged: Those of which it is known.
        low: Lower end of the 95 % interval of their share; None if none is judged.
        high: Upper end.
    """

    good: int
    judged: int
    low: float | None
    high: float | None


class Goodput(msgspec.Struct, frozen=True, kw_only=True):
    """How a run kept its objectives.

    Attributes:
        offered: Requests of the population.
        completed: Those that ended in an answer.
        shares: By objective: `joint` for all together, else `CLASS/PART`.
    """

    offered: int
    completed: int
    shares: dict[str, Share]

    @property
    def joint(self) -> Share:
        """All objectives together."""
        return self.shares[JOINT]


def goodput(rows: Iterable[Row], limits: Mapping[str, Objectives]) -> Goodput:
    """Count.

    Args:
        rows: Every row of the run, in the order of the plan.
        limits: Objectives of each workload class; a class without an entry must only complete its answers.
    """
    good: Counter[str] = Counter()
    judged: Counter[str] = Counter({JOINT: 0})
    offered = completed = 0
    for row in counted(rows):
        record = row.record
        offered += 1
        completed += record.outcome is Outcome.OK
        mine = limits.get(record.workload_class, Objectives())
        kept = {f"{record.workload_class}/{part}": found for part, found in parts(record, mine).items()}
        for name, found in (*kept.items(), (JOINT, meets(record, mine))):
            judged[name] += found is not None
            good[name] += found is True
    shares = {name: _share(good[name], judged[name]) for name in judged}
    return Goodput(offered=offered, completed=completed, shares=shares)


def verdict(share: Share, target: float) -> Verdict:
    """Judge a share against a target."""
    if share.low is None or share.high is None:
        return Verdict.INCONCLUSIVE
    if share.low >= target:
        return Verdict.PASSED
    return Verdict.FAILED if share.high < target else Verdict.INCONCLUSIVE


def _share(good: int, judged: int) -> Share:
    low, high = wilson(good, judged) if judged else (None, None)
    return Share(good=good, judged=judged, low=low, high=high)
