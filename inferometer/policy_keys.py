"""Knows the configuration keys of the error-budget policy: at which shares each action begins; refuses to act.

    slo: {policy: {notify: [0.5, 0.25], freeze_releases: [0.1]}}

Source: spec/slo.md 16 (thresholds, actions, hysteresis).
"""

from typing import Annotated, Any

import msgspec
from pydantic import Field

from inferometer.keys import Allowed, Section
from slo.freeze import DEFAULT_POLICY, Action, Policy, Threshold

SHARES_MAX = 10
"""Thresholds of one action."""
HYSTERESIS_MAX = 0.5
"""Farthest that a budget must recover for an action to end."""

_Share = Annotated[float, Field(ge=-10, le=1, allow_inf_nan=False)]
_Shares = Annotated[
    tuple[_Share, ...],
    Field(max_length=SHARES_MAX),
    Allowed(f"a list of at most {SHARES_MAX} shares of the budget, up to 1; empty: never"),
]
_Hysteresis = Annotated[
    float, Field(ge=0, le=HYSTERESIS_MAX, allow_inf_nan=False), Allowed(f"a share from 0 to {HYSTERESIS_MAX}")
]


def _usual(action: Action) -> tuple[float, ...]:
    return tuple(one.remaining for one in DEFAULT_POLICY.thresholds if action in one.actions)


class PolicyKeys(Section):
    """What is asked for when this share of an error budget is left, or less."""

    notify: _Shares = Field(default=_usual(Action.NOTIFY), description="A ticket.")
    require_approval: _Shares = Field(
        default=_usual(Action.REQUIRE_APPROVAL), description="The gate fails until a person overrides it."
    )
    freeze_releases: _Shares = Field(default=_usual(Action.FREEZE_RELEASES), description="The gate fails.")
    freeze_scale_down: _Shares = Field(
        default=_usual(Action.FREEZE_SCALE_DOWN), description="Capacity is not taken away."
    )
    hysteresis: _Hysteresis = Field(
        default=DEFAULT_POLICY.hysteresis, description="How far above its share an action ends."
    )


def policy(keys: PolicyKeys) -> Policy:
    """Return the policy that was configured."""
    asked: dict[float, set[Action]] = {}
    for action in Action:
        for share in getattr(keys, action.value):
            asked.setdefault(share, set()).add(action)
    thresholds = (Threshold(remaining=share, actions=frozenset(asked[share])) for share in sorted(asked, reverse=True))
    return Policy(thresholds=tuple(thresholds), hysteresis=keys.hysteresis)


def told(keys: PolicyKeys) -> dict[str, Any]:
    """Return the policy as another process is handed it."""
    found: dict[str, Any] = msgspec.to_builtins(policy(keys), order="sorted")
    return found
