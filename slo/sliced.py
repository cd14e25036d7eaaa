"""Knows the budget of objectives that are judged slice by slice, from sums of slices; refuses to ask for those.

Source: spec/slo.md 4 (timeslices, ratio timeslices); OpenSLO v1, budgetingMethod.
"""

from collections.abc import Mapping
from fractions import Fraction

from slo.buckets import Slice
from slo.budget import Budget, ratio_timeslices, timeslices
from slo.counts import Counts
from slo.objective import Budgeting, Objective

SLICE_S = 60
"""Length of a slice where an objective names none."""
_NOTHING = Counts()


def is_sliced(objective: Objective) -> bool:
    """Return whether an objective's budget is made of slices."""
    return objective.budgeting is not Budgeting.OCCURRENCES


def slice_s(objective: Objective) -> int:
    """Return the length of an objective's slices."""
    return objective.slice_s or SLICE_S


def sliced_budget(objective: Objective, sums: Mapping[int, Counts], since_s: int, until_s: int) -> Budget:
    """Return what is left.

    Args:
        objective: The objective.
        sums: First second of each slice that had requests, to its counts.
        since_s: First second of the period, from which slices are laid.
        until_s: The instant; a slice that has not ended by then is not judged.
    """
    length_s = slice_s(objective)
    slices = [_slice(sums.get(start_s, _NOTHING)) for start_s in range(since_s, until_s - length_s + 1, length_s)]
    if objective.budgeting is Budgeting.RATIO_TIMESLICES:
        return ratio_timeslices(slices, objective.target)
    least = objective.target if objective.slice_target is None else objective.slice_target
    return timeslices(slices, objective.target, least, objective.empty_slice)


def _slice(counts: Counts) -> Slice:
    return Slice(weight=Fraction(1), eligible=Fraction(counts.eligible), bad=Fraction(counts.bad), blind=False)
