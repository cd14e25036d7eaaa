"""How hints, acts and scores look from outside."""

import json

from slo.hints_acts import ActKind, HintAct
from slo.hints_score import Calibration
from slo.hints_shown import act_shown, calibration_shown, history_shown

ROW = {
    "payload": json.dumps({"seq": 3}), "scored_unix_ms": 0, "applied": None, "demand_per_s": None, "held": None,
    "missed_minutes": None, "gpu_h_delta": None,
}  # fmt: skip


def test_a_hint_that_is_not_scored_yet_has_no_score() -> None:
    scored = {**ROW, "scored_unix_ms": 1_784_110_200_000, "held": 0, "applied": 6}
    shown = history_shown([scored, ROW, {**ROW, "scored_unix_ms": None}], 0, 60)

    assert [3, 3, 3] == [one.hint["seq"] for one in shown.hints]
    first = shown.hints[0].score
    assert first is not None
    assert ("2026-07-15T10:10:00Z", False, 6, None) == (
        first.scored_at, first.p95_held, first.applied, first.demand_actual,
    )  # fmt: skip
    assert [None, None] == [one.score for one in shown.hints[1:]]


def test_an_act_says_what_it_is_about() -> None:
    freeze = HintAct(at_ms=0, target="chat", kind=ActKind.FREEZE, actor="ann", until_ms=60_000, reason="x")
    report = HintAct(at_ms=0, target="chat", kind=ActKind.REPORT, actor="ann", applied=4)

    assert ("1970-01-01T00:01:00Z", None) == (
        act_shown(freeze, replicas=False).until, act_shown(freeze, replicas=False).replicas,
    )  # fmt: skip
    assert (None, 4) == (act_shown(report, replicas=True).until, act_shown(report, replicas=True).replicas)


def test_calibration_is_shown_as_it_is() -> None:
    of = Calibration(forecasts=2, held=1, held_ratio=0.5, minutes=9, gpu_h_saved=1.5, missed_minutes_more=None)

    assert ("chat", 0.5, None) == (
        calibration_shown("chat", of).target, calibration_shown("chat", of).held_ratio,
        calibration_shown("chat", of).missed_minutes_more,
    )  # fmt: skip
