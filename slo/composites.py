"""Knows SLOs that are made of several weighed objectives: the mean of what each attains; refuses to judge a part.

    sli = sum(weight * sli of a part) / sum(weight), target alike; remaining = 1 - (1 - sli) / (1 - target)

A part of which nothing could be judged carries no weight, in the target neither, and the share of weight that is so
missing is told. Parts are matched by the values that they are grouped by.

Source: spec/slo.md 4 (weighted mean by `compositeWeight`); OpenSLO v1, `compositeWeight`, which names no target for the
whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum

from slo import budget
from slo.alarms import Judged


@dataclass(frozen=True, slots=True, kw_only=True)
class PartShown:
    """One part of a composite.

    Attributes:
        name: Of the objective.
        weight: Its weight.
        target: Share that is to be good.
        sli: Share that was good; None if nothing could be judged.
    """

    name: str
    weight: float
    target: float
    sli: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositeShown:
    """An SLO of several weighed objectives, for one group.

    Attributes:
        name: Of the SLO.
        service: What it is promised of.
        group: Values that its parts are grouped by.
        target: Weighted mean of the targets of the parts that could be judged.
        sli: Weighted mean of what they attain; None if there is none.
        remaining: Share of the budget that is left, negative if it is exceeded.
        unknown_weight_ratio: Share of the weight of which nothing could be judged.
        parts: In the order of the file.
    """

    name: str
    service: str
    group: Mapping[str, str]
    target: float | None
    sli: float | None
    remaining: float | None
    unknown_weight_ratio: float
    parts: tuple[PartShown, ...]


def slo_of(name: str) -> str:
    """Return the name of the SLO that an objective is a part of; its own if it stands alone."""
    return name.rpartition("/")[0] or name


def composites(judged: Sequence[Judged]) -> tuple[CompositeShown, ...]:
    """Return the composites among what was judged, by name and group."""
    found: dict[tuple[str, tuple[tuple[str, str], ...]], list[Judged]] = {}
    for one in judged:
        if one.watched.objective.weight is not None:
            key = (slo_of(one.watched.objective.name), tuple(sorted(one.group.items())))
            found.setdefault(key, []).append(one)
    return tuple(_composite(name, found[name, group]) for name, group in sorted(found))


def _composite(name: str, of: Sequence[Judged]) -> CompositeShown:
    parts = tuple(map(_part, of))
    seen = [one for one in parts if one.sli is not None]
    weight, known = fsum(one.weight for one in parts), fsum(one.weight for one in seen)
    target = fsum(one.weight * one.target for one in seen) / known if seen else None
    left = None if target is None else budget.composite([(one.sli, one.weight) for one in seen], target)
    return CompositeShown(
        name=name,
        service=of[0].watched.objective.service,
        group=dict(of[0].group),
        target=target,
        sli=None if left is None else left.sli,
        remaining=None if left is None else left.remaining,
        unknown_weight_ratio=1 - known / weight,
        parts=parts,
    )


def _part(one: Judged) -> PartShown:
    objective = one.watched.objective
    sli = None if one.found is None else one.found.left.sli
    return PartShown(name=objective.name, weight=objective.weight or 0.0, target=objective.target, sli=sli)
