"""Tests of slo.backtest."""

import pickle
from dataclasses import replace

import pytest
from histories import DAY_S
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pasts import AT_S, LOOSE, STRICT, failing, known, lived

from slo.backtest import Alarm, Silenced, backtest
from slo.burn_catalogue import Severity
from slo.gates import Gate
from slo.past import Gap, Known, Past
from slo.score import Incident
from slo.telemetry_state import Heartbeats
from slo.watched import Watched

HOUR_S = 3_600

minutes = st.tuples(
    st.integers(1, 8),  # buckets
    st.sampled_from([0, 1, 3, 60]),  # requests in each
    st.sampled_from([0.0, 0.0, 0.0, 0.02, 0.1, 1.0]),  # of which bad
    st.sampled_from([0, 0, 60, 600]),  # seconds late
    st.sampled_from([None, None, None, *Heartbeats]),
    st.sampled_from([0, 0, 0, 40]),  # overdue
)


def past_of(one: Watched, parts: list[tuple[int, int, float, int, Heartbeats | None, int]], group: str) -> Past:
    counted = [known(s, 1_000, 1) for s in range(AT_S - DAY_S, AT_S, 900)]
    gaps, overdue = list[Gap](), dict[int, int]()
    at_s = AT_S
    for buckets, eligible, ratio, late_s, seen, waiting in parts:
        end_s = at_s + 30 * buckets
        counted += [known(s, eligible, int(eligible * ratio), late_s) for s in range(at_s, end_s, 30) if eligible]
        if late_s and eligible:  # what came in time at first, and the rest later
            counted += [known(s, 1, 0) for s in range(at_s, end_s, 30)]
        if seen is not None:
            gaps.append(Gap(start_s=at_s + 30, end_s=end_s, seen=seen, coverage_ratio=0.5))
        if waiting:
            overdue[end_s] = waiting
        at_s = end_s
    counted.sort(key=lambda one: one.known_s)
    return Past(watched=one, group={"endpoint": group}, counted=counted, gaps=gaps, overdue=overdue)


@settings(max_examples=8, deadline=None)
@example(
    [
        (4, 60, 0.0, 0, None, 0),
        (4, 60, 1.0, 60, None, 0),
        (8, 60, 0.1, 0, Heartbeats.ALL_STALE, 40),
        (2, 60, 0, 0, None, 0),
    ],
    [(6, 3, 1.0, 600, None, 0), (3, 0, 0.0, 0, None, 40), (8, 3, 0.02, 60, Heartbeats.SOME_STALE, 0)],
)
@given(st.lists(minutes, max_size=9), st.lists(minutes, max_size=9))
def test_an_engine_that_lives_through_it_moves_every_alert_alike(
    one: list[tuple[int, int, float, int, Heartbeats | None, int]],
    other: list[tuple[int, int, float, int, Heartbeats | None, int]],
) -> None:
    """slo.md A18, against windows that are summed anew and objectives that are all evaluated at every instant."""
    pasts = [past_of(STRICT, one, "a"), past_of(LOOSE, other, "b")]
    until_s = AT_S + 1_200
    moves = lived(pasts, AT_S, until_s)
    found = backtest(pasts, AT_S, until_s)
    transitions = [(alert.labels, moved, alert.record) for each in moves for alert, moved in each.transitions]

    assert transitions == [(alert.labels, moved, alert.record) for alert, moved in found.transitions]
    if one and one[0] == (4, 60, 0.0, 0, None, 0):
        assert len(transitions) > 5, "the example shows something"
    told = [(n.starts_at_s, n.labels) for each in moves for n in each.notices if n.status == "firing" and not n.n]
    assert len({(at, *sorted(labels.items())) for at, labels in told}) == len(found.alarms)


def test_the_same_input_gives_the_same_bytes() -> None:
    past = Past(watched=STRICT, counted=failing(AT_S, 600, AT_S + 2 * HOUR_S))

    assert pickle.dumps(backtest([past], AT_S, AT_S + HOUR_S)) == pickle.dumps(backtest([past], AT_S, AT_S + HOUR_S))


def test_a_page_is_listed_with_its_rule_and_its_end() -> None:
    past = Past(watched=STRICT, group={"endpoint": "chat"}, counted=failing(AT_S, 600, AT_S + 3 * HOUR_S))
    found = backtest([past], AT_S - HOUR_S, AT_S + 3 * HOUR_S)
    page = found.alarms[0]

    assert (page.slo, page.service, page.group, page.severity, page.end_s is not None) == (
        "chat-good", "chat", {"endpoint": "chat"}, Severity.PAGE, True,
    )  # fmt: skip
    assert AT_S < page.start_s <= AT_S + 60
    assert page.burn is not None
    assert page.burn > 3.36  # page burn of 7 d: slo.md 5
    assert found.pages_per_week == pytest.approx(7 * 24 / 4)
    assert (found.since_s, found.until_s) == (AT_S - HOUR_S, AT_S + 3 * HOUR_S - 30)


def test_gates_tell_what_they_kept_silent() -> None:
    """Two bad of a quiet service: true for as long as a short window is, and below `min_bad`."""
    counted = [known(s, 1, 0) for s in range(AT_S - DAY_S, AT_S, 60)]
    counted += [known(AT_S, 1, 1), known(AT_S + 60, 1, 1)]
    one = replace(STRICT, rules=STRICT.rules[:1])
    found = backtest([Past(watched=one, counted=counted)], AT_S, AT_S + HOUR_S)

    assert found.alarms == ()
    assert found.silenced[Gate.MIN_BAD] == Silenced(times=1, seconds=360)
    assert Gate.TRAFFIC_WEIGHT not in found.silenced


def test_a_page_names_the_gates_that_were_in_its_way() -> None:
    counted = [known(s, 1, 0) for s in range(AT_S - DAY_S, AT_S, 60)]
    counted += [known(s, 1, 1) for s in range(AT_S, AT_S + HOUR_S, 30)]
    one = replace(STRICT, rules=STRICT.rules[:1])
    (page, *_) = backtest([Past(watched=one, counted=counted)], AT_S, AT_S + HOUR_S).alarms

    assert (page.rule, page.start_s) == ("burn 3.36 over 60 min", AT_S + 90)
    assert Gate.MIN_BAD in page.gates


def test_incidents_are_met_or_not() -> None:
    past = Past(watched=STRICT, counted=failing(AT_S, 600, AT_S + 2 * HOUR_S))
    marked = [
        Incident(start_s=AT_S, end_s=AT_S + 600, service="chat"),
        Incident(start_s=AT_S, end_s=AT_S + 600, service="other"),
    ]
    found = backtest([past], AT_S, AT_S + 2 * HOUR_S, marked).score

    assert (found.precision_ratio, found.recall_ratio) == (1.0, 0.5)
    nobody = backtest([past], AT_S, AT_S + 2 * HOUR_S).score
    assert (nobody.precision_ratio, nobody.recall_ratio, nobody.detect_s) == (None, None, None)


def test_the_budget_is_a_curve() -> None:
    past = Past(watched=LOOSE, counted=failing(AT_S, 600, AT_S + 2 * HOUR_S))
    (curve,) = backtest([past], AT_S - HOUR_S, AT_S + HOUR_S + 30).curves
    allowed = 0.05 * 7 * HOUR_S / 30 * 60

    assert [at_s for at_s, _ in curve.points] == [AT_S - HOUR_S, AT_S, AT_S + HOUR_S]
    assert [left for _, left in curve.points] == [1.0, 1.0, pytest.approx(1 - 20 * 60 / allowed)]


def test_nothing_is_known_of_an_empty_past() -> None:
    found = backtest([Past(watched=STRICT)], AT_S + 1, AT_S + 90)

    assert (found.since_s, found.until_s) == (AT_S + 30, AT_S + 60)
    assert (found.alarms, found.transitions, found.curves[0].points) == ((), (), ())
    assert backtest([Past(watched=STRICT)], AT_S, AT_S + 1).curves[0].points == ((AT_S, None),)


def test_blindness_and_impossible_counts_are_alarms_of_their_own() -> None:
    gap = Gap(start_s=AT_S + 30, end_s=AT_S + 900)
    wrong = Known(start_s=AT_S, eligible=1, bad=2, known_s=AT_S + 30)
    blind = backtest([Past(watched=STRICT, gaps=[gap])], AT_S, AT_S + HOUR_S)
    invalid = backtest([Past(watched=STRICT, counted=[wrong])], AT_S, AT_S + HOUR_S + 30)

    assert [(alarm.alertname, alarm.severity, alarm.rule, alarm.burn) for alarm in blind.alarms] == [
        ("SLOBlind", Severity.TICKET, "SLOBlind", None), ("SLOBlind", Severity.PAGE, "SLOBlind", None),
    ]  # fmt: skip
    assert isinstance(invalid.alarms[0], Alarm)
    assert invalid.alarms[0].alertname == "SLIInvalid"
    assert invalid.curves[0].points == ((AT_S, None), (AT_S + HOUR_S, None))
