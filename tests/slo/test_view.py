"""Tests of slo.view."""

from dataclasses import replace

import pytest
from engine_rig import objective

from slo.alert import Alert
from slo.alert_moves import AlertState
from slo.alert_states import Record, Transition
from slo.engine import remembered
from slo.view import TRANSITIONS_MAX, EngineView
from slo.watched import watched

CHANGE = Transition(
    at_s=30, before=AlertState.PENDING, after=AlertState.FIRING, occurrence=1, ends=False, begins_to_flap=False
)
ALERT = Alert(record=Record(fingerprint=1, definition_hash=1), labels={}, annotations={})


def test_before_the_first_instant_nothing_is_known() -> None:
    view = EngineView(watched=[watched(objective("chat"))])

    assert (view.at_s, view.judged, view.alerts, view.blind_cause) == (None, (), {}, "")


@pytest.mark.parametrize("beyond", [0, 1])
def test_changes_beyond_the_bound_are_forgotten(beyond: int) -> None:
    first = (ALERT, replace(CHANGE, at_s=0))
    kept = remembered([first], [(ALERT, CHANGE)] * (TRANSITIONS_MAX - 1 + beyond))

    assert len(kept) == TRANSITIONS_MAX
    assert (first in kept) == (beyond == 0)
