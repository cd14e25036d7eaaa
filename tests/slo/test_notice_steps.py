"""Tests of slo.notice_steps."""

from notices import FIRING

from slo.notice_steps import NoticeStep, StepState, Tried


def test_a_step_names_the_alert_that_its_notice_is_about() -> None:
    step = NoticeStep(channel="c", key=FIRING.key, attempt=1, state=StepState.SENT, tried=Tried(at_ms=1))

    assert step.fingerprint == FIRING.fingerprint
