"""Knows what a policy asks for when a budget runs low, as a fold over instants; refuses to do it.

An action begins when what is left falls to a threshold that names it, and ends five points above it, so that a budget
on the edge does not freeze and unfreeze. While the budget is unknown what was asked for stays.

Source: spec/slo.md 16 (policy, hysteresis).
"""

from dataclasses import dataclass
from enum import StrEnum


class Action(StrEnum):
    """What a low budget asks for."""

    NOTIFY = "notify"
    REQUIRE_APPROVAL = "require_approval"
    FREEZE_RELEASES = "freeze_releases"
    FREEZE_SCALE_DOWN = "freeze_scale_down"


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
        thresholds: In any order.
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


def actions(policy: Policy, remaining: float | None, before: frozenset[Action] = frozenset()) -> frozenset[Action]:
    """Return what is asked for now.

    Args:
        policy: The policy.
        remaining: Share of the budget that is left; None if unknown.
        before: What was asked for at the last instant.
    """
    if remaining is None:
        return before
    begun = {action for one in policy.thresholds if remaining <= one.remaining for action in one.actions}
    kept = {
        action
        for one in policy.thresholds
        if remaining < one.remaining + policy.hysteresis
        for action in one.actions & before
    }
    return frozenset(begun | kept)
