"""What past days say of a target."""

import pytest
from hints_rig import target

from slo.hints_past import ERRORS_MIN, PAST_S, PastSeen, habits
from slo.scaling.shape import SLOT_S

UNTIL_S = 1_784_160_000 // 86_400 * 86_400
DAYS = range(UNTIL_S - 4 * 86_400, UNTIL_S, SLOT_S)


def slots(pairs: list[tuple[int, float]], endpoint: str = "chat", model: str = "m") -> dict[str, object]:
    return {"endpoint": endpoint, "model": model, "slots": pairs, "seconds": pairs}


def rate(at_s: int) -> float:
    """Return 10 rps in the afternoon, 1 at other times."""
    return 10.0 if at_s % 86_400 >= 43_200 else 1.0


def test_days_have_a_shape_and_forecasts_by_it_hold() -> None:
    found = habits(target("chat"), PastSeen(until_s=UNTIL_S, slots=[slots([(at_s, rate(at_s)) for at_s in DAYS])]))
    noon_s = UNTIL_S + 43_200

    assert found.shape is not None
    assert 10.0 == found.shape.growth(noon_s - 60, SLOT_S)
    assert 1.0 == found.error_p95(540), "nothing came that the shape had not said"
    assert (None, None) == (found.gap_s, found.bursts)


def test_without_a_shape_the_forecast_is_what_comes_now() -> None:
    pairs = [(UNTIL_S - n * SLOT_S, 1.0 + n % 2) for n in range(1, ERRORS_MIN + 3)]
    found = habits(target("chat"), PastSeen(until_s=UNTIL_S, slots=[slots(pairs)]))

    assert found.shape is None
    assert (2.0, 1.0) == (found.error_p95(600), found.error_p95(1_200))
    few = habits(target("chat"), PastSeen(until_s=UNTIL_S, slots=[slots(pairs[: ERRORS_MIN - 1])]))
    assert few.error_p95(600) is None


def test_models_are_added_up_and_others_left_out() -> None:
    rows = [slots([(0, 1.0)]), slots([(0, 2.0)], model="n"), slots([(0, 9.0)], endpoint="code")]

    assert {0: 3.0} == habits(target("chat"), PastSeen(until_s=UNTIL_S, slots=rows)).history


def test_gaps_are_runs_of_slots_in_which_nothing_came() -> None:
    pairs = [(0, 1.0), (SLOT_S, 0.0), (4 * SLOT_S, 1.0), (6 * SLOT_S, 1.0)]
    found = habits(target("chat"), PastSeen(until_s=UNTIL_S, slots=[slots(pairs)]))

    assert pytest.approx(2.0 * SLOT_S) == found.gap_s  # one of three slots, one of one


def test_bursts_are_of_the_last_hour() -> None:
    seconds = [(UNTIL_S - 3_600 + n * 600, 600) for n in range(6)]
    found = habits(target("chat"), PastSeen(until_s=UNTIL_S, seconds=[slots([(s, float(n)) for s, n in seconds])]))

    assert found.bursts is not None
    assert (600, 1.0) == (found.bursts.peak_1s_rps, found.bursts.mean_rps)
    assert PAST_S == 14 * 86_400
