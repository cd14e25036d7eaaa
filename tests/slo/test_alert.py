"""Tests of slo.alert."""

from dataclasses import replace

import pytest

from slo.alert import Alert
from slo.alert_moves import AlertState
from slo.alert_states import Record
from slo.notice import Status

FIRING = Alert(
    record=Record(fingerprint=7, definition_hash=1, state=AlertState.FIRING, at_s=130, fired_at_s=100, occurrence=3),
    labels={"alertname": "a"},
    annotations={"summary": "s"},
)


def standing(state: AlertState, resolved_at_s: int | None = None) -> Alert:
    return replace(FIRING, record=replace(FIRING.record, state=state, resolved_at_s=resolved_at_s))


def test_a_firing_alert_says_since_when() -> None:
    notice = FIRING.notice(2)

    assert (notice.status, notice.starts_at_s, notice.ends_at_s, notice.n) == (Status.FIRING, 100, None, 2)
    assert (notice.occurrence, notice.fingerprint, notice.labels) == (3, 7, {"alertname": "a"})


def test_an_ended_alert_says_when() -> None:
    assert standing(AlertState.RESOLVED, 120).notice().ends_at_s == 120
    assert standing(AlertState.INACTIVE).notice().ends_at_s == 130, "forgotten, and found calm now"


@pytest.mark.parametrize("state", AlertState)
def test_only_what_fires_or_has_just_ended_is_told(state: AlertState) -> None:
    assert standing(state).is_told == (state in {AlertState.FIRING, AlertState.RESOLVED})
