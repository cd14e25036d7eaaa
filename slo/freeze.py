"""Knows what a policy asks for when a budget runs low, as a fold over instants; refuses to do it.

A threshold is crossed when what is left falls to it, and until it has risen five points above it again, so that a
budget on the edge does not freeze and unfreeze. While the budget is unknown what was crossed stays crossed.

Source: spec/slo.md 16 (policy, hysteresis).
"""

from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """What a low budget asks for."""

    NOTIFY = "notify"
    """Somebody is told: a ticket for each threshold."""
    REQUIRE_APPROVAL = "require_approval"
    """The gate fails until a person approves, by an override with a name and a reason."""
    FREEZE_RELEASES = "freeze_releases"
    """The gate fails."""
    FREEZE_SCALE_DOWN = "freeze_scale_down"
    """Capacity is not taken away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """What is asked for from a share on.

    Attributes:
        remaining: Share of the budget that is left.
        actions: What it asks for.
    """

    remaining: float
    actions: frozenset[Action]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is asked for as a budget runs low.

    Attributes:
        thresholds: In any order, no two at the same share.
        hysteresis: How far above its threshold an action ends.
    """

    thresholds: tuple[Threshold, ...]
    hysteresis: float = 0.05


DEFAULT_POLICY = Policy(
    thresholds=(
        Threshold(remaining=0.5, actions=frozenset({Action.NOTIFY})),
        Threshold(remaining=0.25, actions=frozenset({Action.NOTIFY, Action.REQUIRE_APPROVAL})),
        Threshold(remaining=0.0, actions=frozenset({Action.FREEZE_RELEASES, Action.FREEZE_SCALE_DOWN})),
    )
)
"""The policy of spec/slo.md 16."""


def crossed(policy: Policy, remaining: float | None, before: frozenset[float] = frozenset()) -> frozenset[float]:
    """Return the thresholds, by their share, that are crossed now.

    Args:
        policy: The policy.
        remaining: Share of the budget that is left; None if unknown.
        before: Those that were crossed at the last instant.
    """
    return frozenset(
        one.remaining
        for one in policy.thresholds
        if (one.remaining in before if remaining is None else _is_crossed(policy, one.remaining, remaining, before))
    )


def actions(policy: Policy, over: frozenset[float]) -> frozenset[Action]:
    """Return what is asked for while some thresholds are crossed."""
    return frozenset(action for one in policy.thresholds if one.remaining in over for action in one.actions)


def _is_crossed(policy: Policy, threshold: float, remaining: float, before: frozenset[float]) -> bool:
    return remaining <= threshold or (threshold in before and remaining < threshold + policy.hysteresis)
