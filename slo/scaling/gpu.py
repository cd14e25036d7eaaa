"""Knows what GPU utilisation says of a fleet, and what it hides; refuses to scale by it alone.

Utilisation is the share of time in which some kernel ran: it is high at low and at high load. So it is reported in
bands, beside the load of the same minute, and contradictions have names:

    pinned               busy (90 % or more) while the load is below a half
    hidden_saturation    idle (below 70 %) while the load is 85 % or more

Engines that decode a few requests at a time are at work all the time, at any load. So where GPUs are busy 90 % of the
time, or twice as much as the load explains, utilisation is no measure of load: it neither asks for a replica nor keeps
one.

As a want it needs a witness: 75 % or more for five minutes and a load of 0.7, or a cache half full. Then it asks for
one more, and one more each five minutes, until it is below 65 % or has no witness left.

Source: spec/scaling.md 6.1 (N_gpu), 6.7; the seed's 75/65 and bands.
"""

from dataclasses import dataclass
from enum import StrEnum

UP_RATIO, DOWN_RATIO = 0.75, 0.65
"""From where the seed adds, and from where it stops."""
HELD_S = 300.0
"""How long it must be busy, and between two additions."""
BANDS = (0.50, 0.70, 0.90, 0.95)
WITNESS_RHO, WITNESS_KV_RATIO = 0.7, 0.5
EXPLAINED_TIMES = 2.0
"""Utilisation over load, above which the one says nothing of the other."""


class Band(StrEnum):
    """How well GPUs are used."""

    OVER_PROVISIONED = "over_provisioned"
    LOW = "low"
    HEALTHY = "healthy"
    TIGHT = "tight"
    OVER_SUBSCRIBED = "over_subscribed"


class Contradiction(StrEnum):
    """Where utilisation and load disagree."""

    PINNED = "pinned"
    HIDDEN_SATURATION = "hidden_saturation"


@dataclass(frozen=True, slots=True, kw_only=True)
class Busy:
    """What is remembered of busy GPUs.

    Attributes:
        since_s: Since when they are; None if they are not.
        added_at_s: When the last one was asked for; None if none was since then.
        target: How many were asked for; None as `added_at_s`.
    """

    since_s: float | None = None
    added_at_s: float | None = None
    target: int | None = None


def band(gpu_ratio: float) -> Band:
    """Return the band; its lower edge belongs to it, and 95 % itself is tight."""
    low, healthy, tight, over = BANDS
    if gpu_ratio > over:
        return Band.OVER_SUBSCRIBED
    if gpu_ratio >= tight:
        return Band.TIGHT
    if gpu_ratio >= healthy:
        return Band.HEALTHY
    return Band.LOW if gpu_ratio >= low else Band.OVER_PROVISIONED


def contradiction(gpu_ratio: float | None, rho: float | None) -> Contradiction | None:
    """Return what utilisation hides; None if nothing, or if one of both is unknown."""
    if gpu_ratio is None or rho is None:
        return None
    _, healthy, tight, _ = BANDS
    if gpu_ratio >= tight and rho < 0.5:  # noqa: PLR2004 - the definition of pinned, above
        return Contradiction.PINNED
    return Contradiction.HIDDEN_SATURATION if gpu_ratio < healthy and rho >= 0.85 else None  # noqa: PLR2004 - the same


def follows_load(gpu_ratio: float, rho: float | None) -> bool:
    """Return whether utilisation may be taken for a measure of load; an unknown load contradicts nothing."""
    _, _, tight, _ = BANDS
    return rho is None or (gpu_ratio < tight and gpu_ratio <= EXPLAINED_TIMES * rho)


def seen(busy: Busy, at_s: float, gpu_ratio: float | None, witnessed: bool, replicas: int) -> Busy:  # noqa: FBT001 - a fact
    """Return what is remembered after one more instant.

    Args:
        busy: Before.
        at_s: The instant, seconds.
        gpu_ratio: Mean utilisation; None if unknown, which neither begins nor ends anything.
        witnessed: Whether load or cache say so too.
        replicas: Asked for now.
    """
    if gpu_ratio is None:
        return busy
    if gpu_ratio < (UP_RATIO if busy.target is None else DOWN_RATIO) or (busy.target is not None and not witnessed):
        return Busy()
    since_s = at_s if busy.since_s is None else busy.since_s
    waited_s = at_s - (since_s if busy.added_at_s is None else busy.added_at_s)
    reached = busy.target is None or replicas >= busy.target
    if witnessed and reached and waited_s >= HELD_S:
        return Busy(since_s=since_s, added_at_s=at_s, target=replicas + 1)
    return Busy(since_s=since_s, added_at_s=busy.added_at_s, target=busy.target)


def witnessed(rho: float | None, kv_used_ratio: float | None) -> bool:
    """Return whether load or cache say that busy GPUs are at work; what is unknown says nothing."""
    return (rho or 0.0) >= WITNESS_RHO or (kv_used_ratio or 0.0) >= WITNESS_KV_RATIO
