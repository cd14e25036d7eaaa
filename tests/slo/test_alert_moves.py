"""The table of spec/slo.md 9, cell by cell, and how an instant becomes an event."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slo.alert_moves import MOVES, AlertEvent, AlertState, Move, event_of
from slo.telemetry_state import Assessment, Heartbeats, ProbeSays, assess

COLUMNS = ("bad", "near", "ok", "no_traffic", "held", "blind")
TABLE = {
    "unknown": ("start", "clear", "clear", "clear", "clear", "stay"),
    "inactive": ("start", "stay", "stay", "stay", "stay", "stay"),
    "pending": ("ripen", "clear", "clear", "clear", "stay", "pause"),
    "firing": ("fire", "fire", "calm", "calm", "stay", "pause"),
    "resolved": ("restart", "stay", "age", "age", "age", "stay"),
}
CELLS = [
    pytest.param(state, event, move, id=f"{state}, {event}: {move}")
    for state, row in TABLE.items()
    for event, move in zip(COLUMNS, row, strict=True)
]


@pytest.mark.parametrize(("state", "event", "move"), CELLS)
def test_every_cell(state: str, event: str, move: str) -> None:
    assert move == MOVES[AlertState(state)][AlertEvent(event)]


def test_the_table_is_complete_and_uses_every_move() -> None:
    assert {state: set(AlertEvent) for state in AlertState} == {state: set(row) for state, row in MOVES.items()}
    assert set(Move) == {move for row in MOVES.values() for move in row.values()}


def seen(heartbeats: str, requests: int, probe: str, coverage: float = 1.0) -> Assessment:
    return assess(Heartbeats(heartbeats), requests, ProbeSays(probe), coverage)


EVENTS = [
    pytest.param(seen("fresh", 9, "ok"), True, False, "bad", id="true"),
    pytest.param(seen("fresh", 9, "ok"), False, True, "near", id="nearly true"),
    pytest.param(seen("fresh", 9, "ok"), False, False, "ok", id="not true"),
    pytest.param(seen("fresh", 0, "ok"), True, False, "no_traffic", id="no traffic, nothing burns"),
    pytest.param(seen("fresh", 0, "failing"), False, False, "held", id="nobody there"),
    pytest.param(seen("some_stale", 9, "ok", 0.8), True, False, "bad", id="true, though not all is seen"),
    pytest.param(seen("some_stale", 9, "ok", 0.8), False, True, "blind", id="nearly, and not all is seen"),
    pytest.param(seen("some_stale", 9, "ok", 0.8), False, False, "blind", id="not true of what is seen"),
    pytest.param(seen("some_stale", 9, "ok", 0.9), False, False, "ok", id="enough is seen"),
    pytest.param(seen("all_stale", 9, "ok"), True, True, "blind", id="nobody looks"),
    pytest.param(seen("all_stale", 0, "failing"), True, True, "blind", id="nobody looks, nobody there"),
    pytest.param(seen("store_gone", 0, "ok"), True, True, "blind", id="the store is gone"),
]


@pytest.mark.parametrize(("known", "is_true", "is_near", "event"), EVENTS)
def test_what_an_instant_says(known: Assessment, is_true: bool, is_near: bool, event: str) -> None:
    assert event == event_of(known, is_true=is_true, is_near=is_near, hold_last=False)


def test_an_objective_may_hold_its_alerts_without_traffic() -> None:
    assert "held" == event_of(seen("fresh", 0, "ok"), is_true=False, is_near=False, hold_last=True)
    assert "ok" == event_of(seen("fresh", 1, "ok"), is_true=False, is_near=False, hold_last=True)


@settings(deadline=None)
@given(
    heartbeats=st.sampled_from(Heartbeats),
    requests=st.integers(0, 2),
    probe=st.sampled_from(ProbeSays),
    coverage=st.floats(0, 1),
    near=st.booleans(),
    hold=st.booleans(),
)
def test_only_what_may_resolve_says_that_all_is_well(
    heartbeats: Heartbeats, requests: int, probe: ProbeSays, coverage: float, near: bool, hold: bool
) -> None:
    known = assess(heartbeats, requests, probe, coverage)
    event = event_of(known, is_true=False, is_near=near, hold_last=hold)

    assert known.resolves or event not in {AlertEvent.OK, AlertEvent.NO_TRAFFIC, AlertEvent.NEAR}
