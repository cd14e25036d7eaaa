"""Tests of slo.alertmanager_body."""

from dataclasses import replace

import pytest
from notices import FIRING, RESOLVED

from slo.alertmanager_body import alertmanager_body

NOW_S = 1_790_000_060


def test_a_firing_alert_ends_four_sends_ahead() -> None:
    (body,) = alertmanager_body([FIRING], NOW_S, step_s=30)

    assert body == {
        "labels": FIRING.labels,
        "annotations": FIRING.annotations,
        "startsAt": "2026-09-21T14:13:20Z",
        "endsAt": "2026-09-21T14:18:20Z",
        "generatorURL": FIRING.link,
    }


@pytest.mark.parametrize(("step_s", "ends"), [(30, "14:18:20"), (120, "14:22:20")])
def test_a_rare_evaluation_keeps_alerts_alive_for_longer(step_s: int, ends: str) -> None:
    assert ends in alertmanager_body([FIRING], NOW_S, step_s=step_s)[0]["endsAt"]


def test_a_resolved_alert_ends_when_it_ended_however_often_it_is_told() -> None:
    told = [alertmanager_body([RESOLVED], NOW_S + later_s, step_s=30)[0] for later_s in (600, 900)]

    assert {one["endsAt"] for one in told} == {"2026-09-21T14:23:20Z"}


def test_without_a_link_there_is_none() -> None:
    assert "generatorURL" not in alertmanager_body([replace(FIRING, link="")], NOW_S, step_s=30)[0]
