"""How alerts live: every cell with its timers, blindness, restarts, flapping, and what is forgotten."""

from collections.abc import Sequence
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slo.alert_moves import AlertEvent, AlertState
from slo.alert_states import (
    FLAP_CALM_S,
    FLAP_CHANGES_MAX,
    FLAP_FACTOR,
    FLAP_KEEP_S_MAX,
    FLAP_WINDOW_S,
    FORGET_S,
    RESOLVED_S,
    Record,
    Timers,
    Transition,
    default_timers,
    keep_firing_s,
    resumed,
    step,
)
from slo.burn_catalogue import Severity

STEP_S = 30
AT_S = 1_000_000_020
BAD, NEAR, OK, NO_TRAFFIC, HELD, BLIND = AlertEvent
UNKNOWN, INACTIVE, PENDING, FIRING, RESOLVED = AlertState
PAGE = Timers(for_s=0, keep_firing_s=120)
SLOW = Timers(for_s=120, keep_firing_s=600)
NEW = Record(fingerprint=7, definition_hash=1)
KNOWN = replace(NEW, at_s=AT_S - STEP_S)
AS_IT_STANDS = {
    UNKNOWN: KNOWN,
    INACTIVE: replace(KNOWN, state=INACTIVE),
    PENDING: replace(KNOWN, state=PENDING, active_at_s=AT_S - 60),
    FIRING: replace(KNOWN, state=FIRING, active_at_s=AT_S - 300, fired_at_s=AT_S - 180, occurrence=1),
    RESOLVED: replace(KNOWN, state=RESOLVED, fired_at_s=AT_S - 999, resolved_at_s=AT_S - 300, occurrence=1),
}

# Before any timer has run out, with a rule that waits two minutes: state, event -> state.
TABLE = {
    UNKNOWN: (PENDING, INACTIVE, INACTIVE, INACTIVE, INACTIVE, UNKNOWN),
    INACTIVE: (PENDING, INACTIVE, INACTIVE, INACTIVE, INACTIVE, INACTIVE),
    PENDING: (PENDING, INACTIVE, INACTIVE, INACTIVE, PENDING, PENDING),
    FIRING: (FIRING, FIRING, FIRING, FIRING, FIRING, FIRING),
    RESOLVED: (PENDING, RESOLVED, RESOLVED, RESOLVED, RESOLVED, RESOLVED),
}
CELLS = [
    pytest.param(state, event, after, id=f"{state}, {event}: {after}")
    for state, row in TABLE.items()
    for event, after in zip(AlertEvent, row, strict=True)
]


@pytest.mark.parametrize(("state", "event", "after"), CELLS)
def test_every_cell_before_its_timer(state: AlertState, event: AlertEvent, after: AlertState) -> None:
    found, transition = step(AS_IT_STANDS[state], event, AT_S, SLOW)

    assert (after, AT_S) == (found.state, found.at_s)
    assert (transition is None) == (after is state)
    assert found.is_blind == (event is BLIND and after is FIRING)


RIPE = [
    pytest.param(UNKNOWN, {}, BAD, PAGE, FIRING, id="a rule that waits for nothing fires at once"),
    pytest.param(INACTIVE, {}, BAD, PAGE, FIRING, id="from inactive, too"),
    pytest.param(RESOLVED, {}, BAD, PAGE, FIRING, id="and again after its end"),
    pytest.param(PENDING, {"active_at_s": AT_S - 119}, BAD, SLOW, PENDING, id="pending for 119 s of 120"),
    pytest.param(PENDING, {"active_at_s": AT_S - 120}, BAD, SLOW, FIRING, id="pending for 120 s"),
    pytest.param(FIRING, {"clear_since_s": AT_S - 599}, OK, SLOW, FIRING, id="calm for 599 s of 600"),
    pytest.param(FIRING, {"clear_since_s": AT_S - 600}, OK, SLOW, RESOLVED, id="calm for 600 s"),
    pytest.param(FIRING, {"clear_since_s": AT_S - 600}, NO_TRAFFIC, SLOW, RESOLVED, id="calm without traffic"),
    pytest.param(FIRING, {"clear_since_s": AT_S - 600}, HELD, SLOW, FIRING, id="held"),
    pytest.param(FIRING, {"clear_since_s": AT_S - 600}, BLIND, SLOW, FIRING, id="blind"),
    pytest.param(FIRING, {"clear_since_s": AT_S - 600}, NEAR, SLOW, FIRING, id="near"),
    pytest.param(RESOLVED, {"resolved_at_s": AT_S - 899}, OK, SLOW, RESOLVED, id="its end is told for 899 s"),
    pytest.param(RESOLVED, {"resolved_at_s": AT_S - 900}, OK, SLOW, INACTIVE, id="and no longer than 900"),
    pytest.param(RESOLVED, {"resolved_at_s": AT_S - 900}, NO_TRAFFIC, SLOW, INACTIVE, id="without traffic, too"),
    pytest.param(RESOLVED, {"resolved_at_s": AT_S - 900}, NEAR, SLOW, RESOLVED, id="nearly true keeps it"),
    pytest.param(RESOLVED, {"resolved_at_s": AT_S - 900}, BLIND, SLOW, RESOLVED, id="blind keeps it"),
]


@pytest.mark.parametrize(("state", "times", "event", "timers", "after"), RIPE)
def test_every_timer_at_its_bound(
    state: AlertState, times: dict[str, int], event: AlertEvent, timers: Timers, after: AlertState
) -> None:
    before = replace(AS_IT_STANDS[state], **times)  # type: ignore[arg-type] -- only integer fields are named

    assert RESOLVED_S == 900
    assert after is step(before, event, AT_S, timers)[0].state


def live(
    events: Sequence[AlertEvent], timers: Timers = PAGE, record: Record = NEW, from_s: int = AT_S
) -> tuple[Record, list[Transition]]:
    changes: list[Transition] = []
    for at, event in enumerate(events):
        record, change = step(record, event, from_s + at * STEP_S, timers)
        changes += [change] if change else []
    return record, changes


def told(changes: Sequence[Transition]) -> list[tuple[int, str]]:
    return [((change.at_s - AT_S) // STEP_S, change.after) for change in changes]


def test_a_page_fires_at_once_and_ends_two_minutes_after_it_is_calm() -> None:
    found, changes = live([OK, BAD, BAD, *[OK] * 6])

    assert [(0, "inactive"), (1, "firing"), (7, "resolved")] == told(changes)
    assert [False, False, True] == [change.ends for change in changes]
    assert (AT_S + 30, AT_S + 7 * 30, 1) == (found.fired_at_s, found.resolved_at_s, found.occurrence)


def test_nearly_true_neither_starts_an_alert_nor_ends_it() -> None:
    _, changes = live([NEAR, BAD, OK, OK, OK, OK, NEAR, OK, OK, OK, OK])

    assert [(0, "inactive"), (1, "firing")] == told(changes)


def test_the_same_alert_comes_again_as_the_next_occurrence() -> None:
    found, changes = live([BAD, *[OK] * 5, OK, BAD, *[OK] * 5])

    assert [(0, "firing"), (5, "resolved"), (7, "firing"), (12, "resolved")] == told(changes)
    assert [1, 1, 2, 2] == [change.occurrence for change in changes]
    assert (7, 2) == (found.fingerprint, found.occurrence)


def test_after_its_end_has_been_told_it_is_forgotten() -> None:
    found, changes = live([BAD, *[OK] * 5, *[OK] * 30])

    assert (35, "inactive") == told(changes)[-1]
    assert not changes[-1].ends
    assert (None, None, 1) == (found.fired_at_s, found.resolved_at_s, found.occurrence)


def test_blindness_stops_the_timer_that_fires() -> None:
    _, changes = live([BAD, BLIND, BLIND, BLIND, BLIND, BAD, BAD, BAD, BAD], SLOW)

    # Without the pause it would fire at 4; two minutes of seeing are over at 8.
    assert [(0, "pending"), (8, "firing")] == told(changes)


def test_a6_blindness_stops_the_timer_that_resolves() -> None:
    events = [BAD, OK, OK, *[BLIND] * 40, OK, OK, OK]
    found, changes = live(events)

    assert [(0, "firing"), (45, "resolved")] == told(changes)
    assert live(events[:20])[0].is_blind
    assert not found.is_blind


def test_held_alerts_stay_as_they_are() -> None:
    assert [(0, "firing")] == told(live([BAD, *[HELD] * 100])[1])
    assert [(0, "pending")] == told(live([BAD, *[HELD] * 100], SLOW)[1])


def test_after_a_step_of_the_clock_nothing_begins_to_fire() -> None:
    pending, _ = live([BAD], SLOW)
    for state in (UNKNOWN, INACTIVE, RESOLVED):
        assert state is step(AS_IT_STANDS[state], BAD, AT_S, PAGE, may_start=False)[0].state

    assert PENDING is step(pending, BAD, AT_S + 900, SLOW, may_start=False)[0].state
    held, _ = step(AS_IT_STANDS[FIRING], BAD, AT_S, PAGE, may_start=False)
    assert (FIRING, False) == (held.state, held.is_blind)


EVENTS = st.lists(st.sampled_from(AlertEvent), max_size=60)
TIMERS = st.sampled_from([PAGE, SLOW, Timers(for_s=0, keep_firing_s=0), Timers(for_s=60, keep_firing_s=60)])


@given(events=EVENTS, timers=TIMERS)
@settings(deadline=None)
def test_nothing_is_resolved_or_ended_while_nobody_looks(events: list[AlertEvent], timers: Timers) -> None:
    _, changes = live(events, timers)

    for change in changes:
        event = events[(change.at_s - AT_S) // STEP_S]
        assert not (event in {BLIND, HELD, NEAR, BAD} and change.after is RESOLVED)
        assert event is not BLIND


@given(events=EVENTS, blinds=st.integers(1, 50), at=st.integers(0, 60), timers=TIMERS)
@settings(deadline=None)
def test_blindness_anywhere_only_delays(events: list[AlertEvent], blinds: int, at: int, timers: Timers) -> None:
    # Short of forgetting (resolved alerts age by the clock, and so does flapping), states go on as they were.
    before, _ = live(events[:at], timers)
    after, changes = live([BLIND] * blinds, timers, before, AT_S + len(events[:at]) * STEP_S)

    assert (before.state, []) == (after.state, changes)
    assert (before.occurrence, before.fired_at_s) == (after.occurrence, after.fired_at_s)


@given(events=EVENTS, cut=st.integers(0, 60), timers=TIMERS)
@settings(deadline=None)
def test_a_restart_anywhere_gives_the_same_transitions(events: list[AlertEvent], cut: int, timers: Timers) -> None:
    whole, changes = live(events, timers)
    first, before = live(events[:cut], timers)
    read = msgspec.json.decode(msgspec.json.encode(first), type=Record)
    at_s = AT_S + len(events[:cut]) * STEP_S
    second, after = live(events[cut:], timers, resumed(read, at_s, 1), at_s)

    assert first == read
    assert (whole, changes) == (second, before + after)


def test_four_changes_in_half_an_hour_flap_and_are_said_once() -> None:
    assert (3, 4, 1_800, 3_600) == (FLAP_CHANGES_MAX, FLAP_FACTOR, FLAP_WINDOW_S, FLAP_CALM_S)
    found, changes = live([BAD, *[OK] * 5] * 2 + [BAD, *[OK] * 17])

    assert [(0, "firing"), (5, "resolved"), (6, "firing"), (11, "resolved"), (12, "firing"), (29, "resolved")] == told(
        changes
    )
    # The fourth change is one too many; from then on calm must last 4 * 120 s: 16 instants after the first calm one.
    assert [False, False, False, True, False, False] == [change.begins_to_flap for change in changes]
    assert found.is_flapping


def test_changes_further_apart_do_not_flap() -> None:
    found, changes = live([BAD, *[OK] * 59] * 4)  # two changes in each half hour

    assert 8 == len([change for change in changes if change.after in {FIRING, RESOLVED}])
    assert not found.is_flapping


def test_an_hour_without_a_change_ends_flapping() -> None:
    flapping, _ = live([BAD, *[OK] * 5] * 2 + [BAD])
    last_s = flapping.changed_at_s[-1]

    assert step(flapping, BAD, last_s + FLAP_CALM_S - 1, PAGE)[0].is_flapping
    assert not step(flapping, BAD, last_s + FLAP_CALM_S, PAGE)[0].is_flapping


KEEPS = [(120, 480), (600, 2_400), (1_000, FLAP_KEEP_S_MAX), (FLAP_KEEP_S_MAX + 1, FLAP_KEEP_S_MAX + 1)]


@pytest.mark.parametrize(("usual_s", "flapping_s"), KEEPS)
def test_calm_lasts_four_times_longer_and_an_hour_at_most(usual_s: int, flapping_s: int) -> None:
    timers = Timers(for_s=0, keep_firing_s=usual_s)

    assert usual_s == keep_firing_s(NEW, timers)
    assert flapping_s == keep_firing_s(replace(NEW, is_flapping=True), timers)


@given(events=st.lists(st.sampled_from(AlertEvent), max_size=200))
@settings(deadline=None)
def test_what_is_remembered_of_changes_is_bounded(events: list[AlertEvent]) -> None:
    found, _ = live(events, Timers(for_s=0, keep_firing_s=0))

    assert len(found.changed_at_s) <= FLAP_CHANGES_MAX + 1


def test_an_hour_is_trusted_and_no_more() -> None:
    fired = replace(AS_IT_STANDS[FIRING], at_s=AT_S)

    assert fired == resumed(fired, AT_S + FORGET_S, 1)
    assert UNKNOWN is resumed(fired, AT_S + FORGET_S + 1, 1).state
    assert UNKNOWN is resumed(fired, AT_S, definition_hash=2).state
    assert 2 == resumed(fired, AT_S, definition_hash=2).definition_hash


def test_the_end_of_a_forgotten_alert_is_told() -> None:
    forgotten = resumed(replace(AS_IT_STANDS[FIRING], last_sent_at_s=AT_S - 30), AT_S + 9_999, 1)
    found, change = step(forgotten, OK, AT_S + 9_999, PAGE)

    assert change is not None
    assert (UNKNOWN, INACTIVE, True, 1) == (change.before, change.after, change.ends, change.occurrence)
    assert found.fired_at_s is None


def test_a_forgotten_alert_that_is_still_true_is_the_same_occurrence() -> None:
    forgotten = resumed(AS_IT_STANDS[FIRING], AT_S + 9_999, 1)
    found, change = step(resumed(forgotten, AT_S + 99_999, 1), BAD, AT_S + 99_999, PAGE)

    assert change is not None
    assert (FIRING, False, 1) == (change.after, change.ends, change.occurrence)
    assert AT_S - 180 == found.fired_at_s


def test_a_forgotten_alert_that_turns_pending_and_calm_is_told_to_be_over() -> None:
    pending, _ = step(resumed(AS_IT_STANDS[FIRING], AT_S + 9_999, 1), BAD, AT_S + 9_999, SLOW)
    _, change = step(pending, OK, AT_S + 10_029, SLOW)

    assert change is not None
    assert (PENDING, INACTIVE, True) == (change.before, change.after, change.ends)


@pytest.mark.parametrize("state", [UNKNOWN, INACTIVE, PENDING, RESOLVED])
def test_what_did_not_fire_has_no_end_to_tell(state: AlertState) -> None:
    _, change = step(resumed(AS_IT_STANDS[state], AT_S + 9_999, 1), OK, AT_S + 9_999, PAGE)

    assert change is not None
    assert not change.ends


def test_default_timers() -> None:
    assert Timers(for_s=0, keep_firing_s=120) == default_timers(Severity.PAGE, is_burn_rule=True)
    assert Timers(for_s=0, keep_firing_s=600) == default_timers(Severity.TICKET, is_burn_rule=True)
    assert Timers(for_s=120, keep_firing_s=120) == default_timers(Severity.PAGE, is_burn_rule=False)
