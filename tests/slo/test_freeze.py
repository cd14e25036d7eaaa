"""What a policy asks for."""

import pytest

from slo.freeze import DEFAULT_POLICY, Action, actions

NONE: frozenset[Action] = frozenset()
FROZEN = frozenset({Action.NOTIFY, Action.REQUIRE_APPROVAL, Action.FREEZE_RELEASES, Action.FREEZE_SCALE_DOWN})


@pytest.mark.parametrize(
    ("remaining", "before", "after"),
    [
        pytest.param(0.51, NONE, NONE, id="much is left"),
        pytest.param(0.5, NONE, {Action.NOTIFY}, id="half is left"),
        pytest.param(0.25, NONE, {Action.NOTIFY, Action.REQUIRE_APPROVAL}, id="a quarter is left"),
        pytest.param(0.0, NONE, FROZEN, id="it is spent"),
        pytest.param(-3.0, NONE, FROZEN, id="it is overspent"),
        pytest.param(0.049, FROZEN, FROZEN, id="not five points above: the freeze stays"),
        pytest.param(0.05, FROZEN, {Action.NOTIFY, Action.REQUIRE_APPROVAL}, id="five points above: it ends"),
        pytest.param(0.049, NONE, {Action.NOTIFY, Action.REQUIRE_APPROVAL}, id="and does not begin there"),
        pytest.param(0.55, FROZEN, NONE, id="all is forgotten"),
        pytest.param(None, FROZEN, FROZEN, id="unknown: as it was"),
    ],
)
def test_actions_begin_at_a_threshold_and_end_five_points_above(
    remaining: float | None, before: frozenset[Action], after: set[Action]
) -> None:
    assert actions(DEFAULT_POLICY, remaining, before) == after
