"""What is remembered from instant to instant."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from scaling_rig import KNOWN, SETTINGS, T0, changed, observed

from slo.scaling.codes import Reason
from slo.scaling.confidence import FORECASTS_MAX
from slo.scaling.forecast import Forecast
from slo.scaling.lead import Lead, Starts
from slo.scaling.state import (
    FORECASTS_PENDING_MAX,
    FOREIGN_MAX,
    LENGTHENED_MAX,
    TURNS_MAX,
    Direction,
    Due,
    State,
    foretold,
    looked,
    pointed,
    taught,
)

FORECAST = Forecast(now_rps=5.0, expected_rps=6.0, p95_rps=7.0, source=Reason.CAPACITY_NOW, lead_s=540.0)


def test_a_state_is_stored_and_read_back() -> None:
    state = foretold(looked(State(held=(True,), turns=(1,)), T0, SETTINGS, observed()), T0, FORECAST)

    assert state == msgspec.json.decode(msgspec.json.encode(state), type=State)


def test_the_slow_tenth_is_remembered_for_45_seconds() -> None:
    state = State()
    for number, ttft_s in enumerate((0.2, 0.4, 0.6, 0.8)):
        state = looked(state, T0 + 15 * number, SETTINGS, observed(ttft_p90_s=ttft_s))

    assert 0.3 == pytest.approx(state.saturation), "0.2, 0.3 and 0.4 of the objective"
    assert State().saturation is None


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param({"arrivals_rps": 0.0}, 0.0, id="nothing arrives, nothing is late"),
        pytest.param({"arrivals_rps": None}, None, id="it is not known whether something arrives"),
        pytest.param({"arrivals_rps": 3.0}, None, id="a tail that is unknown"),
        pytest.param({"arrivals_rps": 0.0, "age_s": 61.0}, None, id="too old"),
        pytest.param({"arrivals_rps": 0.0, "age_s": None}, None, id="never seen"),
    ],
)
def test_a_tail_that_is_missing(values: dict[str, Any], expected: float | None) -> None:
    state = looked(State(), T0, SETTINGS, observed(ttft_p90_s=None, tpot_p90_s=None, **values))

    assert expected == state.saturation


def test_a_change_that_no_hint_asked_for_is_foreign_for_an_hour() -> None:
    state = looked(State(), T0, SETTINGS, observed(spec=4))
    state = looked(replace(state, desired=6), T0 + 15, SETTINGS, observed(spec=6))
    assert () == state.foreign

    for number in range(FOREIGN_MAX + 1):
        state = looked(state, T0 + 30 + 15 * number, SETTINGS, observed(spec=8 + number))
    assert state.second_scaler

    assert not looked(state, T0 + 3_640, SETTINGS, observed(spec=8 + FOREIGN_MAX)).second_scaler


def test_when_fewer_were_asked_for_and_when_the_first() -> None:
    state = looked(State(), T0, SETTINGS, observed(spec=1))
    state = looked(state, T0 + 15, SETTINGS, observed(spec=0))
    assert (T0 + 15, None) == (state.fell_at_s, state.woke_at_s)

    state = looked(state, T0 + 30, SETTINGS, observed(spec=2))
    assert (T0 + 15, T0 + 30) == (state.fell_at_s, state.woke_at_s)


def test_idle_is_only_what_is_known_to_be() -> None:
    idle: dict[str, Any] = {"arrivals_rps": 0.0, "each": {"running": 0}}
    since = looked(looked(State(), T0, SETTINGS, observed(**idle)), T0 + 15, SETTINGS, observed(**idle))

    assert T0 == since.idle_since_s
    changes: list[dict[str, Any]] = [
        {"arrivals_rps": None},
        {"held": 1},
        {"each": {"running": None}},
        {"each": {"waiting": None, "running": 0}},
        {"age_s": 61.0},
    ]
    for lost in changes:
        assert looked(since, T0 + 30, SETTINGS, observed(**{**idle, **lost})).idle_since_s is None


def test_the_number_of_a_minute_ago() -> None:
    state = State()
    for number, spec in enumerate((2, 6, 6, 6, 6, 7)):
        state = looked(state, T0 + 15 * number, SETTINGS, observed(spec=spec))

    assert (T0 + 15, 6) == state.base


def test_a_forecast_teaches_when_it_is_due() -> None:
    due = Due(at_s=T0, expected_rps=4.0, p95_rps=4.5)
    state = State(forecasts=(due, replace(due, at_s=T0 + 15)))
    missed = taught(state, T0, observed(arrivals_rps=5.1), KNOWN, 0.5)
    held = taught(state, T0, observed(arrivals_rps=4.4), KNOWN, 0.5)

    assert ("1.3100", "1.2461") == (f"{missed.headroom:.4f}", f"{held.headroom:.4f}")
    assert ((False,), (True,), 1) == (missed.held, held.held, len(held.forecasts))


@pytest.mark.parametrize(
    ("at_s", "arrivals", "p95", "headroom", "held"),
    [
        pytest.param(T0 + 61, 5.1, 4.5, 1.25, (), id="one that fell due unseen teaches nothing"),
        pytest.param(T0, None, 4.5, 1.25, (), id="nor does one without arrivals"),
        pytest.param(T0 + 59, 5.1, None, 1.31, (), id="one without a P95 teaches headroom alone"),
    ],
)
def test_what_a_forecast_does_not_teach(
    at_s: int, arrivals: float | None, p95: float | None, headroom: float, held: tuple[bool, ...]
) -> None:
    state = State(forecasts=(Due(at_s=T0, expected_rps=4.0, p95_rps=p95),))
    after = taught(state, at_s, observed(arrivals_rps=arrivals), KNOWN, None)

    assert headroom == pytest.approx(after.headroom, abs=0.001)
    assert (held, ()) == (after.held, after.forecasts)


def test_the_last_hundred_forecasts_count_and_no_more_wait_than_can() -> None:
    state = State(forecasts=tuple(Due(at_s=T0, expected_rps=9.0, p95_rps=9.0) for _ in range(FORECASTS_MAX + 1)))
    full = State(forecasts=tuple(Due(at_s=9e9, expected_rps=9.0, p95_rps=9.0) for _ in range(FORECASTS_PENDING_MAX)))

    assert FORECASTS_MAX == len(taught(state, T0, observed(), KNOWN, None).held)
    assert FORECASTS_PENDING_MAX == len(foretold(full, T0, FORECAST).forecasts)


def test_a_forecast_is_kept_once_a_minute() -> None:
    assert (Due(at_s=T0 + 540.0, expected_rps=6.0, p95_rps=7.0),) == foretold(State(), T0, FORECAST).forecasts
    assert () == foretold(State(), T0 + 15, FORECAST).forecasts
    assert () == foretold(State(), T0, None).forecasts


def test_speed_and_busy_gpus_are_remembered() -> None:
    state = taught(State(), T0, observed(each={"gpu_util_ratio": 0.8}), changed(KNOWN, speed_ratio=0.8), 0.9)

    assert 0.99 == pytest.approx(state.correction)
    assert T0 == state.busy.since_s


def test_a_turn_is_a_change_of_direction_and_lengthens_quiet() -> None:
    state = State()
    for number, direction in enumerate((Direction.UP, Direction.NONE, Direction.UP, Direction.DOWN, Direction.UP)):
        state = pointed(state, T0 + number, direction)

    assert (T0 + 3, T0 + 4) == state.turns
    assert [1, 2, LENGTHENED_MAX, 4] == [State(turns=(0,) * n).lengthened for n in (0, 1, 2, TURNS_MAX)]
    assert () == looked(state, T0 + 3_605, SETTINGS, observed()).turns


def test_a_lead_is_told_or_seen() -> None:
    starts = State(starts=Starts(took_s=(100.0,)))

    assert Lead(p50_s=300.0, p90_s=540.0, n=20) == starts.lead(observed())
    assert Lead(p50_s=540.0, p90_s=540.0, n=20) == starts.lead(observed(cold_start_p50_s=None))
    assert Lead(p50_s=100.0, p90_s=100.0, n=1) == starts.lead(observed(cold_start_p90_s=None))
    assert State().lead(observed(cold_start_p90_s=None)) is None


def test_since_when_more_answer_than_are_asked_for() -> None:
    more = replace(observed(spec=5), spec=4, ready=4)
    first = looked(State(), T0, SETTINGS, more)
    second = looked(first, T0 + 15, SETTINGS, more)

    assert [T0, T0] == [first.more_since_s, second.more_since_s]
    assert looked(second, T0 + 30, SETTINGS, observed(spec=4)).more_since_s is None
