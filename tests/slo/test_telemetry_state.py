"""Every cell of the decision of spec/slo.md 7, and what follows from each state."""

from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slo.telemetry_state import (
    BLIND_PAGE_S,
    BLIND_TICKET_S,
    CAUSES,
    COVERAGE_RATIO,
    EFFECTS,
    STALE_S,
    STATES,
    Blind,
    BlindCause,
    Heartbeats,
    NoTraffic,
    ProbeSays,
    State,
    assess,
    blind_s,
    blind_severity,
    heartbeats,
    no_traffic_severity,
)

# Heartbeats, requests: the state with a probe that is ok, without one, and with one that fails.
TABLE = {
    ("fresh", 7): ("ok", "ok", "ok"),
    ("fresh", 0): ("no_traffic", "no_traffic", "down"),
    ("some_stale", 7): ("partial", "partial", "partial"),
    ("some_stale", 0): ("partial", "partial", "down"),
    ("all_stale", 7): ("blind", "blind", "down_or_blind"),
    ("all_stale", 0): ("blind", "blind", "down_or_blind"),
    ("not_counted", 7): ("blind", "blind", "down_or_blind"),
    ("not_counted", 0): ("blind", "blind", "down_or_blind"),
    ("store_gone", 7): ("blind", "blind", "blind"),
    ("store_gone", 0): ("blind", "blind", "blind"),
}
CELLS = [
    pytest.param(seen, requests, probe, state, id=f"{seen}, {requests} requests, probe {probe}: {state}")
    for (seen, requests), states in TABLE.items()
    for probe, state in zip(("ok", "none", "failing"), states, strict=True)
]


@pytest.mark.parametrize(("seen", "requests", "probe", "state"), CELLS)
def test_every_cell(seen: str, requests: int, probe: str, state: str) -> None:
    assert state == assess(Heartbeats(seen), requests, ProbeSays(probe), 1.0).state


def test_the_table_is_complete() -> None:
    assert {(seen, some) for seen in Heartbeats for some in (True, False)} == set(STATES)
    assert all(set(ProbeSays) == set(row) for row in STATES.values())
    assert set(State) == set(EFFECTS)


# State: evaluates, resolves, is blind, endpoint down.
FOLLOWS = {
    "ok": (True, True, False, False),
    "no_traffic": (False, True, False, False),
    "down": (False, False, False, True),
    "partial": (True, True, False, False),
    "blind": (False, False, True, False),
    "down_or_blind": (False, False, True, True),
}


@pytest.mark.parametrize("state", State)
def test_what_follows(state: State) -> None:
    effect = EFFECTS[state]

    assert FOLLOWS[state] == (effect.evaluates, effect.resolves, effect.is_blind, effect.endpoint_down)


COVERAGES = [
    pytest.param("some_stale", COVERAGE_RATIO, True, False, id="nine tenths are enough"),
    pytest.param("some_stale", 0.89, False, True, id="less: a ticket and no resolve"),
    pytest.param("fresh", 1.0, True, False, id="all fresh"),
    pytest.param("all_stale", 0.0, False, False, id="all stale is blind, which has its own alert"),
]


@pytest.mark.parametrize(("seen", "coverage", "resolves", "gap"), COVERAGES)
def test_a_gap_in_telemetry_resolves_nothing(seen: str, coverage: float, resolves: bool, gap: bool) -> None:
    found = assess(Heartbeats(seen), 5, ProbeSays.NONE, coverage)

    assert (resolves, gap) == (found.resolves, found.has_gap)


@settings(deadline=None)
@given(seen=st.sampled_from(Heartbeats), n=st.integers(0, 9), probe=st.sampled_from(ProbeSays), part=st.floats(0, 1))
def test_what_nobody_sees_resolves_nothing(seen: Heartbeats, n: int, probe: ProbeSays, part: float) -> None:
    found = assess(seen, n, probe, part)

    assert not (found.is_blind and (found.resolves or found.evaluates))
    assert found.resolves or found.is_blind or found.has_gap or found.endpoint_down


AGES = [
    pytest.param([0.0, STALE_S], Heartbeats.FRESH, 1.0, id="two minutes are fresh"),
    pytest.param([0.0, STALE_S + 1], Heartbeats.SOME_STALE, 0.5, id="one is stale"),
    pytest.param([inf], Heartbeats.ALL_STALE, 0.0, id="one that never spoke"),
    pytest.param([], Heartbeats.ALL_STALE, 0.0, id="nobody looks"),
]


@pytest.mark.parametrize(("ages", "seen", "coverage"), AGES)
def test_how_fresh_heartbeats_are(ages: list[float], seen: Heartbeats, coverage: float) -> None:
    assert (seen, coverage) == heartbeats(ages)


def test_blind_raises_a_ticket_and_later_pages() -> None:
    found = [blind_severity(s) for s in (0, BLIND_TICKET_S, BLIND_TICKET_S + 1, BLIND_PAGE_S, BLIND_PAGE_S + 1)]

    assert [None, None, "ticket", "ticket", "page"] == found
    assert (120, 600) == (BLIND_TICKET_S, BLIND_PAGE_S)


def test_no_traffic_alerts_only_where_it_is_asked() -> None:
    assert no_traffic_severity(NoTraffic(), 1e9) is None
    assert no_traffic_severity(NoTraffic(alert_after_s=1_800), 1_799) is None
    assert no_traffic_severity(NoTraffic(alert_after_s=1_800), 1_800) == "ticket"


def test_the_time_that_nobody_looked_is_the_sum_of_its_spans() -> None:
    spans = [Blind(start_s=at_s, end_s=at_s + 90, cause=BlindCause.STORE) for at_s in (0, 300)]

    assert [blind_s(spans), blind_s([])] == [180, 0]


def test_every_blind_state_can_name_its_cause() -> None:
    assert {"collector", "store", "clock", "scrape", "counting"} == {cause.value for cause in BlindCause}
    blind = {seen for (seen, _), by_probe in STATES.items() if EFFECTS[by_probe[ProbeSays.OK]].is_blind}
    assert blind == set(CAUSES)
