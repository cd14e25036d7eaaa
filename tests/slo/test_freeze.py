"""What a policy asks for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slo.freeze import DEFAULT_POLICY, Action, actions, crossed

NONE: frozenset[float] = frozenset()
NOTHING: set[Action] = set()
ALL = frozenset({0.5, 0.25, 0.0})
TOLD = {Action.NOTIFY}
APPROVED = {Action.NOTIFY, Action.REQUIRE_APPROVAL}
FROZEN = {Action.NOTIFY, Action.REQUIRE_APPROVAL, Action.FREEZE_RELEASES, Action.FREEZE_SCALE_DOWN}


@pytest.mark.parametrize(
    ("remaining", "before", "asked"),
    [
        pytest.param(0.51, NONE, NOTHING, id="much is left"),
        pytest.param(0.5, NONE, TOLD, id="half is left"),
        pytest.param(0.25, NONE, APPROVED, id="a quarter is left"),
        pytest.param(0.0, NONE, FROZEN, id="it is spent"),
        pytest.param(-3.0, NONE, FROZEN, id="it is overspent"),
        pytest.param(0.049, ALL, FROZEN, id="not five points above: the freeze stays"),
        pytest.param(0.05, ALL, APPROVED, id="five points above: it ends"),
        pytest.param(0.049, NONE, APPROVED, id="and does not begin there"),
        pytest.param(0.299, ALL, APPROVED, id="not five points above a quarter: approval is still needed"),
        pytest.param(0.3, ALL, TOLD, id="five points above a quarter: it is not"),
        pytest.param(0.55, ALL, NOTHING, id="all is forgotten"),
        pytest.param(None, ALL, FROZEN, id="unknown: as it was"),
        pytest.param(None, NONE, NOTHING, id="unknown from the start"),
    ],
)
def test_actions_begin_at_a_threshold_and_end_five_points_above(
    remaining: float | None, before: frozenset[float], asked: set[Action]
) -> None:
    assert actions(DEFAULT_POLICY, crossed(DEFAULT_POLICY, remaining, before)) == asked


def test_a_threshold_that_the_policy_does_not_know_any_more_is_forgotten() -> None:
    assert crossed(DEFAULT_POLICY, None, frozenset({0.7})) == NONE
    assert actions(DEFAULT_POLICY, frozenset({0.7})) == frozenset()


@given(st.lists(st.one_of(st.none(), st.floats(-2, 1)), max_size=20))
def test_less_left_never_asks_for_less(lefts: list[float | None]) -> None:
    over = NONE
    for left in lefts:
        over = crossed(DEFAULT_POLICY, left, over)

        assert all(low in over for high in over for low in ALL if low > high), "what is above a crossed one is crossed"
