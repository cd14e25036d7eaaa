"""Knows the rows that the verbs below `slo` print of objectives; refuses to read files and to print.

Source: spec/slo.md 1 (list), 5 (reach and time to detect are printed per rule).
"""

from collections.abc import Sequence

from slo.asking import how, unit
from slo.objective import Objective, Rolling
from slo.reach import BAD_RATIOS, Reach, reaches
from slo.terms import written

REACH_NAMES = (
    *("slo", "counts", "severity", "burn", "long_s", "short_s", "reach_ratio", "state"),
    *(f"detect_{ratio:g}_s".replace(".", "_") for ratio in BAD_RATIOS),
)
REACH_BRIEF = ("slo", "counts", "severity", "burn", "long_s", "reach_ratio", "state", "detect_1_s")
"""What fits a terminal."""
LIST_NAMES = ("slo", "service", "target", "window", "budgeting", "good", "filter", "template", "hash")

Row = dict[str, object]


def reach_rows(objectives: Sequence[Objective]) -> list[Row]:
    """Return one row for each burn rule: what it needs, and how soon it sees a share of bad requests."""
    return [{"counts": unit(objective), **_reach(one)} for objective in objectives for one in reaches(objective)]


def list_rows(objectives: Sequence[Objective], hashes: Sequence[int]) -> list[Row]:
    """Return one row for each objective.

    Args:
        objectives: The objectives.
        hashes: Their definition hashes.
    """
    return [
        {
            "slo": one.name,
            "service": one.service,
            "target": one.target,
            "window": window(one),
            "budgeting": one.budgeting.value,
            "good": how(one),
            "filter": "" if one.indicator.only is None else written(one.indicator.only),
            "template": one.template,
            "hash": f"{number:016x}",
        }
        for one, number in zip(objectives, hashes, strict=True)
    ]


def window(objective: Objective) -> str:
    """Return the window of an objective for people."""
    given = objective.window
    if isinstance(given, Rolling):
        return f"rolling {given.length_s / 86_400:g} d"
    return f"calendar {given.count}{given.unit.value} from {given.start:%Y-%m-%d %H:%M} {given.zone}"


def _reach(one: Reach) -> Row:
    names = [name for name in REACH_NAMES if name != "counts"]
    values = (one.objective, one.severity, one.rule.burn, one.rule.long_s, one.rule.short_s, one.ratio, one.can_fire)
    return dict(zip(names, (*values, *one.detect_s), strict=True))
