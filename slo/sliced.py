"""Knows the budget of objectives that are judged slice by slice, from sums of slices; refuses to ask for those.

Source: spec/slo.md 4 (timeslices, ratio timeslices); OpenSLO v1, budgetingMethod.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from slo.buckets import Slice
from slo.budget import Budget, ratio_timeslices, timeslices
from slo.counts import Counts
from slo.objective import Budgeting, Objective
from slo.telemetry_state import Blind

SLICE_S = 60
"""Length of a slice where an objective names none."""
_NOTHING = Counts()


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What adjustments take out of one slice.

    Attributes:
        weight: Share of its time, 0 to 1.
        eligible: Requests, weighed by how much is taken out when they ended.
        bad: The bad of them, weighed alike.
    """

    weight: Fraction = Fraction(0)
    eligible: Fraction = Fraction(0)
    bad: Fraction = Fraction(0)


_NOTHING_TAKEN = Taken()


def is_sliced(objective: Objective) -> bool:
    """Return whether an objective's budget is made of slices."""
    return objective.budgeting is not Budgeting.OCCURRENCES


def slice_s(objective: Objective) -> int:
    """Return the length of an objective's slices."""
    return objective.slice_s or SLICE_S


def sliced_budget(
    objective: Objective,
    sums: Mapping[int, Counts],
    since_s: int,
    until_s: int,
    taken: Mapping[int, Taken] | None = None,
    blind: Iterable[Blind] = (),
) -> Budget:
    """Return what is left.

    Args:
        objective: The objective.
        sums: First second of each slice that had requests, to its counts.
        since_s: First second of the period, from which slices are laid.
        until_s: The instant; a slice that has not ended by then is not judged.
        taken: First second of each slice of which adjustments take something, to what that is.
        blind: When nobody looked; a slice of which that is a part is bad if what was seen of it is, else not judged.
    """
    length_s, out = slice_s(objective), taken or {}
    starts = range(since_s, until_s - length_s + 1, length_s)
    unseen = {at for one in blind for at in _touched(one, starts)}
    slices = [_slice(sums.get(at, _NOTHING), out.get(at, _NOTHING_TAKEN), blind=at in unseen) for at in starts]
    if objective.budgeting is Budgeting.RATIO_TIMESLICES:
        return ratio_timeslices(slices, objective.target)
    least = objective.target if objective.slice_target is None else objective.slice_target
    return timeslices(slices, objective.target, least, objective.empty_slice, objective.blind_policy)


def _touched(one: Blind, starts: range) -> Iterable[int]:
    """Return the starts of the slices of which a span is a part."""
    first_s = starts.start + max(0, one.start_s - starts.start) // starts.step * starts.step
    return range(first_s, min(one.end_s, starts.stop), starts.step)


def _slice(counts: Counts, taken: Taken, *, blind: bool) -> Slice:
    return Slice(
        weight=1 - taken.weight, eligible=counts.eligible - taken.eligible, bad=counts.bad - taken.bad, blind=blind
    )
