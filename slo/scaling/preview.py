"""Knows what a HorizontalPodAutoscaler would make of a number handed to it; refuses to hand it over.

For an external metric of type AverageValue with target 1 the autoscaler compares the number with the replicas it has:
within the tolerance it keeps what there is, else it takes the number, rounded up. With 10 % that swallows 11 -> 12.
At exactly the tolerance, 10 -> 11, the answer depends on how a version compares floats, so it is "edge".

A metric of type Value multiplies by the ready replicas instead, and compounds while replicas load.

Source: kubernetes pkg/controller/podautoscaler/replica_calculator.go (GetExternalPerPodMetricReplicas,
GetExternalMetricReplicas); spec/scaling.md 6.8; kubernetes#116984.
"""

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

TOLERANCE = 0.1


class Swallowed(StrEnum):
    """What becomes of a change."""

    YES = "yes"
    NO = "no"
    EDGE = "edge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What an autoscaler would do.

    Attributes:
        tolerance: Its tolerance.
        would_set: Replicas it would ask for; at an edge those of the version that passes the change.
        swallowed: Whether the change is lost.
        text: A sentence for people; empty if the change passes.
    """

    tolerance: float
    would_set: int
    swallowed: Swallowed
    text: str = ""


def preview(replicas: int, desired: int, tolerance: float = TOLERANCE) -> Preview:
    """Return what becomes of a desired number.

    Args:
        replicas: What the target's status says there is.
        desired: The number handed over, with target 1 and type AverageValue.
        tolerance: Of the autoscaler; 0 swallows nothing.
    """
    if replicas == desired:
        return Preview(tolerance=tolerance, would_set=desired, swallowed=Swallowed.NO)
    if replicas == 0:
        text = "an autoscaler does not scale from 0: KEDA or you must activate the target"
        return Preview(tolerance=tolerance, would_set=0, swallowed=Swallowed.YES, text=text)
    off, allowed = abs(1 - Fraction(desired, replicas)), Fraction(str(tolerance))
    if off > allowed:
        return Preview(tolerance=tolerance, would_set=desired, swallowed=Swallowed.NO)
    sign = f"{desired - replicas:+d}"
    if off == allowed and desired > replicas:
        text = (
            f"whether your {sign} passes a {tolerance:.0%} tolerance depends on the version; set behavior.tolerance 0"
        )
        return Preview(tolerance=tolerance, would_set=desired, swallowed=Swallowed.EDGE, text=text)
    text = f"your {sign} will be swallowed by the {tolerance:.0%} tolerance; set behavior.tolerance 0"
    return Preview(tolerance=tolerance, would_set=replicas, swallowed=Swallowed.YES, text=text)


def value_type_would_set(desired: int, ready: int) -> int:
    """Return what the type Value, with target 1, would make of a number: it multiplies by the ready replicas."""
    return desired * ready


def value_type_warning(desired: int, ready: int) -> str | None:
    """Return a sentence for people if the type Value would ask for another number; None if not."""
    would = value_type_would_set(desired, ready)
    return None if would == desired else f"type Value would set {would}, not {desired}; use AverageValue with target 1"
