"""How hints turned out (spec/scaling.md 1, 2)."""

from typing import Any

import pytest

from slo.hints_score import LATE_S, Calibration, Score, calibration, due, missed_minutes, score
from slo.hints_target import SCORED_LEAD_S_MAX

T0 = 1_784_110_200


def minute(n: int, hint: str, **values: Any) -> dict[str, Any]:  # noqa: ANN401 -- any column
    row: dict[str, Any] = {
        "target": "chat", "t_unix_s": T0 + 60 * n, "hint_id": hint, "issued_unix_s": T0, "spec": 4, "desired": 6,
        "lead_s": 300.0, "p95_rps": 14.0, "demand_rps": 10.0 + n, "goodput_rps": 2.6,
    }  # fmt: skip
    return {**row, **values}


ROWS = [minute(n, "a") for n in range(8)]


@pytest.mark.parametrize(
    ("at_s", "expected"),
    [(T0 + 299, []), (T0 + 300, ["a"]), (T0 + 300 + LATE_S - 1, ["a"]), (T0 + 300 + LATE_S, [])],
)
def test_a_hint_is_due_one_lead_after_it_was_issued(at_s: int, expected: list[str]) -> None:
    assert expected == [row["hint_id"] for row in due(ROWS, at_s)]
    assert [] == due([minute(0, "b", lead_s=None)], at_s)


def test_no_lead_is_longer_than_the_longest() -> None:
    row = minute(0, "slow", lead_s=SCORED_LEAD_S_MAX + 60.0)

    assert [] == due([row], T0 + SCORED_LEAD_S_MAX - 1)
    assert [row] == due([row], T0 + SCORED_LEAD_S_MAX)


def test_it_is_held_against_what_came_then() -> None:
    found = score(ROWS[0], ROWS, T0 + 360, 4, 6, [T0 - 60, T0, T0 + 240, T0 + 300])

    assert found == Score(
        target="chat", hint_id="a", at_s=T0 + 360, applied=6, demand_actual=15.0, p95_held=False,
        slo_missed_minutes=2.0, gpu_h_delta=(6 - 4) * 4 * 300 / 3_600,
    )  # fmt: skip


def test_what_is_unknown_stays_so() -> None:
    found = score(ROWS[0], ROWS[:3], T0 + 360, 4, None, None)
    unforeseen = score(minute(0, "a", p95_rps=None), ROWS, T0 + 360, 4, None, None)

    assert (None, None, None, None) == (
        found.applied, found.demand_actual, found.p95_held, found.slo_missed_minutes,
    )  # fmt: skip
    assert (15.0, None) == (unforeseen.demand_actual, unforeseen.p95_held)


def test_calibration_counts_forecasts_and_minutes() -> None:
    one = score(ROWS[0], ROWS, T0 + 360, 4, None, None)
    held = score(minute(0, "b", p95_rps=99.0), ROWS, T0 + 360, 4, None, None)
    rows = [
        minute(0, "a", spec=6, desired=4, demand_rps=12.0),  # 10.4 would not carry it, 15.6 do
        minute(1, "a", spec=6, desired=4, demand_rps=9.0),
        minute(2, "a", spec=6, desired=4, demand_rps=20.0),
        minute(3, "a", spec=4, desired=6, demand_rps=None),
    ]

    assert calibration([held, held, held, one], rows, 4) == Calibration(
        forecasts=4, held=3, held_ratio=0.75, minutes=4, gpu_h_saved=4 * 4 / 60, missed_minutes_more=1
    )
    assert calibration([], [], 4) == Calibration(
        forecasts=0, held=0, held_ratio=None, minutes=0, gpu_h_saved=0.0, missed_minutes_more=None
    )


def test_a_minute_is_missed_if_too_few_of_its_requests_were_good() -> None:
    rows = [
        {"slo": "s", "t_unix_s": T0, "eligible": 100, "good": 99},
        {"slo": "s", "t_unix_s": T0 + 60, "eligible": 50, "good": 50},
        {"slo": "s", "t_unix_s": T0 + 60, "eligible": 50, "good": 48},
        {"slo": "s", "t_unix_s": T0 + 120, "eligible": 0, "good": 0},
        {"slo": "other", "t_unix_s": T0 + 180, "eligible": 100, "good": 0},
    ]

    assert [T0 + 60] == missed_minutes(rows, "s", 0.99)
